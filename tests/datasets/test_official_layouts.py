"""Every set of the registry from its exact layout: labels, official splits, shapes; and damage of every file, named."""

import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import event_files
import h5py
import numpy as np
import official_layouts as layouts
import pytest

from snn5.config import Binning
from snn5.datasets import Splits, list_datasets, load
from snn5.datasets._cifar_pickle import read_pickle
from snn5.datasets._registry import find
from snn5.errors import UserError

EACH = pytest.mark.parametrize("name", sorted(layouts.LAYOUTS))
SHAPES = {
    "cifar10": (1, 3, 32, 32),
    "cifar100": (1, 3, 32, 32),
    "cifar10dvs": (3, 2, 128, 128),
    "dvsgesture": (3, 2, 128, 128),
    "fashion_mnist": (1, 1, 28, 28),
    "mnist": (1, 1, 28, 28),
    "ncaltech101": (3, 2, 240, 240),
    "ncars": (3, 2, 120, 120),
    "nmnist": (3, 2, 34, 34),
    "shd": (3, 1, 35, 35),
    "ssc": (3, 1, 35, 35),
}
TEST = {"cifar10": 20, "cifar100": 100, "dvsgesture": 11, "fashion_mnist": 20, "mnist": 20, "ncars": 4, "nmnist": 10, "shd": 20, "ssc": 35}


def everything(splits: Splits) -> tuple[np.ndarray, np.ndarray]:
    """All samples and labels in order of their index."""
    parts = (splits.train, splits.val, splits.test)
    order = np.argsort(np.concatenate([s.index_N for s in parts]))
    return np.concatenate([s.x_TNCHW for s in parts], axis=1)[:, order], np.concatenate([s.y_N for s in parts])[order]


def test_every_set_that_needs_files_has_a_layout_here() -> None:
    elsewhere = {"heidelberg_cochlea"}  # tests/datasets/test_cochlea.py
    assert {n for n in list_datasets() if find(n).files and not find(n).own} == set(layouts.LAYOUTS) | elsewhere


@EACH
def test_layout_labels_and_official_split(name: str, tmp_path: Path) -> None:
    layouts.LAYOUTS[name](tmp_path)
    sound = Binning(pixels=20) if name in ("shd", "ssc") else None
    splits = load(name, root=tmp_path, time_steps=3, binning=sound)
    steps, *sides = SHAPES[name]
    for split in (splits.train, splits.val, splits.test):
        assert (split.x_TNCHW.shape[0], *split.x_TNCHW.shape[2:]) == (steps, *sides)
        assert (split.x_TNCHW.sum(axis=(0, 2, 3, 4), dtype=int) > 0).all()
    _, y_N = everything(splits)
    info = splits.train.info
    assert set(y_N.tolist()) == set(range(info["num_classes"])) and len(info["classes"]) == info["num_classes"]
    assert info["official_test"] == (name in TEST) and (name not in TEST or len(splits.test) == TEST[name])
    assert splits.test.index_N.min() == len(y_N) - TEST[name] if name in TEST else True
    assert str(tmp_path) not in str(info) and info["dropped"] == 0


@EACH
def test_missing_files_are_named_with_the_whole_layout(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is missing; provide it \(the whole set: ") as caught:
        load(name, root=tmp_path, time_steps=3)
    assert find(name).paths[0] in str(caught.value) and find(name).files in str(caught.value)


@EACH
def test_every_file_cut_off_is_named(name: str, tmp_path: Path) -> None:
    """Three files of each set at eight lengths each; at least 200 damaged files over all sets, none accepted."""
    layouts.LAYOUTS[name](tmp_path)
    draw = random.Random(name)
    paths = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    record = {".bin": {"cifar10": 3073, "cifar100": 3074}.get(name, 5), ".dat": 8}
    for path in draw.sample(paths, min(3, len(paths))):
        whole = path.read_bytes()
        for length in [0, *draw.sample(range(1, len(whole)), 7)]:
            start = 14 if path.suffix == ".dat" else 0
            if path.suffix in record and length > start and (length - start) % record[path.suffix] == 0:
                length -= 1  # between two records no format without a length can tell
            path.write_bytes(whole[:length])
            with pytest.raises(UserError) as caught:
                load(name, root=tmp_path, time_steps=3, binning=Binning(columns=1) if name in ("shd", "ssc") else None)
            assert path.relative_to(tmp_path).as_posix() in str(caught.value)
        path.write_bytes(whole)


@EACH
def test_every_file_of_another_kind_is_named(name: str, tmp_path: Path) -> None:
    layouts.LAYOUTS[name](tmp_path)
    path = sorted(p for p in tmp_path.rglob("*") if p.is_file())[-1]
    path.write_bytes(b"<!DOCTYPE html><html>404 not found</html>\n")  # what a download leaves behind that went wrong; 42 bytes
    with pytest.raises(UserError) as caught:
        load(name, root=tmp_path, time_steps=3)
    assert path.relative_to(tmp_path).as_posix() in str(caught.value)


@pytest.mark.parametrize("name", ["ncaltech101", "cifar10dvs", "dvsgesture", "ncars", "nmnist", "shd", "ssc"])
def test_damaged_recordings_are_skipped_on_demand(name: str, tmp_path: Path) -> None:
    layouts.LAYOUTS[name](tmp_path)
    if name in ("shd", "ssc"):
        with h5py.File(tmp_path / f"{name.upper()}/{name}_train.h5", "r+") as file:
            file["spikes/units"][3] = np.full(len(file["spikes/times"][3]), 700, np.uint16)
        damaged = f"{name.upper()}/{name}_train.h5[3]"
    else:
        path = sorted(p for p in tmp_path.rglob("*") if p.is_file())[3]
        path.write_bytes(path.read_bytes()[:-1])
        damaged = path.relative_to(tmp_path).as_posix()
    sound = Binning(pixels=20) if name in ("shd", "ssc") else None
    with pytest.raises(UserError):
        load(name, root=tmp_path, time_steps=3, binning=sound)
    info = load(name, root=tmp_path, time_steps=3, binning=sound, on_error="skip").train.info
    assert [item["name"] for item in info["skipped"]] == [damaged] and damaged in info["skipped"][0]["reason"]


def test_gestures_are_those_that_tonic_reads(tmp_path: Path) -> None:
    import tonic

    layouts.dvsgesture(tmp_path)
    for user in range(5, 14):  # tonic wants a hundred files
        shutil.copytree(
            tmp_path / "DVSGesture/ibmGestureTrain/user01_fluorescent", tmp_path / f"DVSGesture/ibmGestureTrain/user{user:02d}_lab"
        )
    (tmp_path / "DVSGesture/ibmGestureTrain.tar.gz").write_bytes(b"x")
    theirs = tonic.datasets.DVSGesture(str(tmp_path), train=True)
    x_TNCHW, y_N = everything(load("dvsgesture", root=tmp_path, time_steps=1))
    ours = sorted((int(y), x.tobytes()) for y, x in zip(y_N, x_TNCHW[0], strict=True))
    frame = tonic.transforms.ToFrame(sensor_size=(128, 128, 2), n_event_bins=1)
    for i in range(0, len(theirs), 10):
        events, label = theirs[i]
        assert (label, frame(events)[0].astype(np.uint8).tobytes()) in ours


def test_spikes_are_those_that_tonic_reads(tmp_path: Path) -> None:
    import tonic

    layouts.shd(tmp_path)
    for part in ("train", "test"):
        (tmp_path / f"SHD/shd_{part}.h5.zip").write_bytes(b"x")
    x_TNCHW, y_N = everything(load("shd", root=tmp_path, time_steps=10, binning=Binning(size=100_000, columns=1)))
    frame = tonic.transforms.ToFrame(sensor_size=(700, 1, 2), time_window=100_000)  # whole windows only
    for start, theirs in ((0, tonic.datasets.SHD(str(tmp_path), train=True)), (60, tonic.datasets.SHD(str(tmp_path), train=False))):
        for i in range(0, len(theirs), 7):
            events, label = theirs[i]
            records = np.zeros(len(events), dtype=[("x", int), ("y", int), ("t", int), ("p", int)])
            records["x"], records["t"] = events["x"], events["t"]
            assert label == y_N[start + i]
            windows = frame(records)[:, 0, 0]
            assert len(windows) >= 7 and (windows == x_TNCHW[: len(windows), start + i, 0, :, 0]).all()


def test_the_official_validation_set_of_ssc_is_kept(tmp_path: Path) -> None:
    layouts.ssc(tmp_path)
    splits = load("ssc", root=tmp_path, time_steps=3, binning=Binning(pixels=100, columns=1))
    assert splits.val.index_N.tolist() == list(range(105, 140)) and splits.train.info["official_val"] is True


def test_a_sounds_slices_lie_side_by_side(tmp_path: Path) -> None:
    """Slice k of T columns is column k % columns of step k // columns."""
    layouts.shd(tmp_path)
    flat, _ = everything(load("shd", root=tmp_path, time_steps=12, binning=Binning(pixels=100, columns=1)))
    wide, _ = everything(load("shd", root=tmp_path, time_steps=3, binning=Binning(pixels=100, columns=4)))
    assert flat.shape[2:] == (1, 7, 1) and wide.shape[2:] == (1, 7, 7) and not wide[..., 4:].any()
    for k in range(12):
        assert (wide[k // 4, :, 0, :, k % 4] == flat[k, :, 0, :, 0]).all()


def test_caltech_recordings_move_to_the_corner(tmp_path: Path) -> None:
    layouts.ncaltech101(tmp_path)
    x_TNCHW, _ = everything(load("ncaltech101", root=tmp_path, time_steps=3))
    seen_NHW = x_TNCHW.sum(axis=(0, 2))
    assert seen_NHW[:, 0].any(axis=1).all() and seen_NHW[:, :, 0].any(axis=1).all()


@pytest.mark.parametrize(
    ("binary", "python", "name"), [("cifar10", "cifar10_python", "cifar10"), ("cifar100", "cifar100_python", "cifar100")]
)
def test_both_editions_of_cifar_hold_the_same(binary: str, python: str, name: str, tmp_path: Path) -> None:
    found = []
    for edition in (binary, python):
        getattr(layouts, edition)(tmp_path / edition)
        found.append(load(name, root=tmp_path / edition, time_steps=1))
    for side in ("train", "val", "test"):
        one, two = (getattr(splits, side) for splits in found)
        assert one.x_TNCHW.tobytes() == two.x_TNCHW.tobytes() and (one.y_N == two.y_N).all() and one.info == two.info


def test_mnist_by_hand(tmp_path: Path) -> None:
    layouts.mnist(tmp_path)
    splits = load("mnist", root=tmp_path, time_steps=1)
    x_TNCHW, y_N = everything(splits)
    rng = np.random.default_rng(0)
    assert (x_TNCHW[0, :40, 0] == rng.integers(0, 256, (40, 28, 28))).all() and (
        x_TNCHW[0, 40:, 0] == rng.integers(0, 256, (20, 28, 28))
    ).all()
    assert y_N.tolist() == [i % 10 for i in range(40)] + [i % 10 for i in range(20)]


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("train-labels-idx1-ubyte", np.full(40, 11), r"train has images \[40, 28, 28\] and 40 labels up to 11"),
        ("train-labels-idx1-ubyte", np.zeros(39), r"and 39 labels up to 0"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 28, 27)), r"t10k has images \[20, 28, 27\]"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 784)), "t10k-images-idx3-ubyte is truncated or no IDX file of 3 dimensions"),
    ],
)
def test_mnist_files_that_do_not_fit(file: str, values: np.ndarray, message: str, tmp_path: Path) -> None:
    layouts.fashion_mnist(tmp_path)
    (tmp_path / "FashionMNIST/raw" / file).write_bytes(layouts.idx(values))
    with pytest.raises(UserError, match=message):
        load("fashion_mnist", root=tmp_path, time_steps=1)


def test_labels_out_of_range_are_named(tmp_path: Path) -> None:
    layouts.cifar100(tmp_path)
    path = tmp_path / "cifar-100-binary/test.bin"
    path.write_bytes(bytes([20]) + path.read_bytes()[1:])
    with pytest.raises(UserError, match=r"test.bin has labels up to 20 and 99; CIFAR-100 has 0 to 19 and 0 to 99"):
        load("cifar100", root=tmp_path, time_steps=1)
    layouts.shd(tmp_path)
    with h5py.File(tmp_path / "SHD/shd_test.h5", "r+") as file:
        file["labels"][0] = 20
    with pytest.raises(UserError, match=r"shd_test.h5 is damaged: labels go from 1 to 20, it names 20 classes"):
        load("shd", root=tmp_path, time_steps=1)
    (tmp_path / "DVSGesture/ibmGestureTrain/user01").mkdir(parents=True)
    np.save(tmp_path / "DVSGesture/ibmGestureTrain/user01/11.npy", np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"11.npy is not named 0.npy to 10.npy, after its gesture"):
        load("dvsgesture", root=tmp_path, time_steps=1)


# --- pickles


class Trap:
    """What would run code if the pickle were loaded."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [(exec, "raise SystemExit"), (eval, "1"), (getattr, "x", "upper"), (np.lib.format.open_memmap, "x")])
def test_pickles_run_nothing(call: tuple[Any, ...], tmp_path: Path) -> None:
    for content in (Trap(*call), {b"data": Trap(*call), b"labels": [0]}, {b"data": layouts.images(1, 0), b"labels": [Trap(*call)]}):
        (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(
            UserError, match=r"batch is truncated or no CIFAR batch \(UnpicklingError: it asks for .*, which no CIFAR file does"
        ):
            read_pickle(tmp_path / "batch", ("labels",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds list, a CIFAR batch is a dictionary"),
        ({b"labels": [1]}, r"has no bytes \[N, 3072\] under 'data'"),
        ({b"labels": [1], b"data": layouts.images(1, 0).astype(np.uint16)}, "has no bytes"),
        ({b"labels": [1], b"data": np.asfortranarray(layouts.images(2, 0))}, "has no bytes"),
        ({b"labels": [1], b"data": layouts.images(2, 0)}, "has no 2 labels under 'labels'"),
        ({b"labels": [1, 256], b"data": layouts.images(2, 0)}, "has no 2 labels"),
        ({b"data": layouts.images(2, 0)}, "has no 2 labels"),
    ],
)
def test_pickles_of_other_things(content: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match=message):
        read_pickle(tmp_path / "batch", ("labels",))


def test_pickles_with_changed_bytes_end_in_no_traceback(tmp_path: Path) -> None:
    whole, draw = layouts.python2_pickle({b"labels": [1, 2]}, layouts.images(2, 0)), random.Random(0)
    right = read_pickle_of(whole, tmp_path)
    assert (right[:, 1:] == layouts.images(2, 0)).all() and right[:, 0].tolist() == [1, 2]
    places = [*range(200), *range(len(whole) - 60, len(whole))]  # all but the pixels
    for _ in range(300):
        data = bytearray(whole)
        data[draw.choice(places)] ^= draw.randrange(1, 256)
        try:
            assert read_pickle_of(bytes(data), tmp_path).shape[1] == 3073
        except UserError as error:
            assert "batch" in str(error)


def read_pickle_of(data: bytes, folder: Path) -> np.ndarray:
    (folder / "batch").write_bytes(data)
    return read_pickle(folder / "batch", ("labels",))


def test_events_off_the_official_sensor_are_named(tmp_path: Path) -> None:
    layouts.ncars(tmp_path)
    path = tmp_path / "NCARS/n-cars_test/cars/obj_000001_td.dat"
    one = np.array([5])
    path.write_bytes(event_files.dat_bytes((one, 120 * one // 5, one, one // 5)))
    with pytest.raises(UserError, match=r"obj_000001_td.dat is damaged: event 0 of 1 has x=24|needs 0 to"):
        path.write_bytes(event_files.dat_bytes((one, 24 * one, one, one // 5), header=b"% Version 2\n"))
        load("ncars", root=tmp_path, time_steps=1)
