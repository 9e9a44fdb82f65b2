"""Your own files by class: walked, divided, prepared and verified by settings alone; what is damaged is named, and stops or is skipped."""

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import event_files
import numpy as np
import pytest
import soundfile
from PIL import Image

from snn5.config import Binning, Cochlea, Data, Datasets, Folder
from snn5.datasets import Splits, describe, load, load_split, prepare, skipped, verify
from snn5.datasets._audio import read_audio
from snn5.datasets._image_folder import read_image
from snn5.errors import UserError

PER_CLASS = 6
CLASSES = ("cat", "dog", "owl")
SUFFIXES = {"event_folder": ".npz", "image_folder": ".png", "audio_folder": ".flac"}
EACH = pytest.mark.parametrize("dataset", sorted(SUFFIXES))
COCHLEA = Cochlea(channels=6, duration_ms=100.0, gain=900.0)


def make(path: Path, seed: int) -> None:
    """One file of the kind of its suffix; another seed gives another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    if path.suffix in event_files.WRITERS:
        event_files.write(path, event_files.some_events(30, seed))
    elif path.suffix in (".wav", ".flac"):
        loudness = np.repeat(rng.uniform(0.001, 0.2, 20), 80)  # so that no two give the same few spikes
        soundfile.write(path, loudness * rng.standard_normal(1600), 16000, subtype="PCM_16")
    else:
        Image.fromarray(rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save(path)


def fill(root: Path, dataset: str, sides: tuple[str, ...] = ("",), suffix: str = "") -> Path:
    seed = 0
    for side in sides:
        for name in CLASSES:
            for i in range(PER_CLASS):
                make(root / side / name / f"{i}{suffix or SUFFIXES[dataset]}", seed)
                seed += 1
    return root


def read(root: Path, dataset: str, **more: Any) -> Splits:
    more = {"folder": Folder(path=str(root), size=[40, 60] if dataset == "event_folder" else []), "cochlea": COCHLEA} | more
    return load(dataset, **{"time_steps": 2, **more})


@EACH
def test_an_undivided_folder_is_divided_by_content(dataset: str, tmp_path: Path) -> None:
    splits = read(fill(tmp_path / "a", dataset), dataset)
    shape = {"event_folder": (2, 2, 60, 60), "image_folder": (1, 3, 12, 12), "audio_folder": (2, 1, 6, 6)}[dataset]  # padded
    for side, count in (("train", 9), ("val", 3), ("test", 6)):  # of six: round(1.5) = 2 to test, round(0.9) = 1 to validation
        split = getattr(splits, side)
        assert len(split) == count and np.bincount(split.y_N).tolist() == [count // 3] * 3
        assert (split.x_TNCHW.shape[0], *split.x_TNCHW.shape[2:]) == shape
        assert (split.index_N // PER_CLASS == split.y_N).all() and split.x_TNCHW.any()
    info = splits.train.info
    assert (info["classes"], info["num_classes"], info["official_test"], info["skipped"]) == (list(CLASSES), 3, False, [])
    assert str(tmp_path) not in str(info)
    # other names in another order: the same samples on each side
    for path in (tmp_path / "a").rglob("*.*"):
        other = tmp_path / "b" / path.parent.name / f"{9 - int(path.stem)}x{path.suffix}"
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, other)
    renamed = read(tmp_path / "b", dataset)
    for side in ("train", "val", "test"):
        one, two = (sorted(getattr(s, side).x_TNCHW[:, i].tobytes() for i in range(len(getattr(s, side)))) for s in (splits, renamed))
        assert one == two
    assert read(tmp_path / "a", dataset, split_seed=6).test.info["split_sha256"] != splits.test.info["split_sha256"]


@EACH
@pytest.mark.parametrize("sides", [("train", "test"), ("Train", "validation", "Test")])
def test_a_divided_folder_stays_divided(dataset: str, sides: tuple[str, ...], tmp_path: Path) -> None:
    splits = read(fill(tmp_path, dataset, sides), dataset)
    order = sorted(sides)
    where = {side: {int(i) // 18 for i in getattr(splits, side).index_N} for side in ("train", "val", "test")}
    val = "validation" if len(sides) == 3 else sides[0]
    assert where == {"train": {order.index(sides[0])}, "val": {order.index(val)}, "test": {order.index(sides[-1])}}
    assert [len(s) for s in (splits.train, splits.val, splits.test)] == ([18, 18, 18] if len(sides) == 3 else [15, 3, 18])
    assert splits.val.info.get("official_val", False) == (len(sides) == 3)


@EACH
def test_copies_never_lie_on_two_sides(dataset: str, tmp_path: Path) -> None:
    root, suffix = fill(tmp_path, dataset, ("train", "val", "test")), SUFFIXES[dataset]
    shutil.copy(root / f"test/dog/1{suffix}", root / f"train/dog/2{suffix}")
    shutil.copy(root / f"test/dog/3{suffix}", root / f"val/dog/4{suffix}")
    shutil.copy(root / f"val/owl/3{suffix}", root / f"train/owl/4{suffix}")
    info = read(root, dataset).train.info
    assert info["counts"] == {"train": 16, "val": 17, "test": 18} and (info["dropped"], info["duplicates"]) == (3, 3)


def settings(root: Path, dataset: str, **more: Any) -> Any:
    slot = "frames" if dataset == "image_folder" else "events"
    own = Data(
        dataset=dataset,
        time_steps=2,
        folder=Folder(path=str(root), size=[40, 60] if dataset == "event_folder" else []),
        cochlea=COCHLEA,
        **more,
    )
    plain = {"frames": Data(dataset="digits", time_steps=2), "events": Data(dataset="digits_events", time_steps=2)}
    return SimpleNamespace(data=Datasets(**plain | {slot: own})), slot


@EACH
def test_prepared_verified_and_the_same_bytes_every_time(dataset: str, tmp_path: Path) -> None:
    config, slot = settings(fill(tmp_path / "set", dataset), dataset)
    for name in ("a", "b"):
        made = prepare(config, slot, folder=tmp_path / name, scratch=tmp_path / "scratch")
    assert verify(tmp_path / "a") == [] and not (tmp_path / "scratch" / slot).exists()
    in_memory = read(tmp_path / "set", dataset)
    for side in ("train", "val", "test"):
        path = tmp_path / "a" / f"{side}.safetensors"
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        stored = load_split(path)
        assert stored.info == getattr(in_memory, side).info == getattr(made, side).info
        assert stored.x_TNCHW.tobytes() == getattr(in_memory, side).x_TNCHW.tobytes()


@EACH
def test_what_is_damaged_stops_or_is_skipped_by_name(dataset: str, tmp_path: Path) -> None:
    root, suffix = fill(tmp_path / "set", dataset), SUFFIXES[dataset]
    (root / f"cat/2{suffix}").write_bytes(b"")
    whole = (root / f"owl/0{suffix}").read_bytes()
    (root / f"owl/0{suffix}").write_bytes(whole[: len(whole) // 2])
    (root / "dog" / "notes.txt").write_text("not a recording")
    with pytest.raises(UserError, match=rf"cat/2{suffix} .*0 bytes.* \(on_error: skip leaves such recordings out, named and counted\)"):
        read(root, dataset)
    config, slot = settings(root, dataset, on_error="skip")
    made = prepare(config, slot, folder=tmp_path / "out", scratch=tmp_path / "scratch")
    assert [line.split(": ")[0] for line in skipped(made.train)] == [
        f"skipped cat/2{suffix}",
        "skipped dog/notes.txt",
        f"skipped owl/0{suffix}",
    ]
    assert sum(made.train.info["counts"].values()) == 16 and str(tmp_path) not in str(made.train.info)
    assert verify(tmp_path / "out") == []
    index_N = np.sort(np.concatenate([s.index_N for s in (made.train, made.val, made.test)]))
    assert index_N.tolist() == [i for i in range(19) if i not in (2, 12, 13)]  # notes.txt is the thirteenth file


@EACH
def test_a_list_of_hashes_is_held(dataset: str, tmp_path: Path) -> None:
    """What no format can tell, such as a recording cut between two events, the list can."""
    root, suffix = fill(tmp_path, dataset), SUFFIXES[dataset]
    files = sorted(p for p in root.rglob("*") if p.is_file())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  ./{p.relative_to(root).as_posix()}\n" for p in files]
    (root / "SHA256SUMS").write_text("".join(lines))
    read(root, dataset)
    make(root / f"owl/0{suffix}", 99)
    with pytest.raises(UserError, match=rf"owl/0{suffix} has the sha256 [0-9a-f]+…, not [0-9a-f]+… of SHA256SUMS; copy the file again"):
        read(root, dataset)
    (root / "SHA256SUMS").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match=rf"cat/0{suffix} is not listed in SHA256SUMS"):
        read(root, dataset)
    (root / f"dog/3{suffix}").unlink()
    with pytest.raises(UserError, match=rf"dog/3{suffix} is listed in SHA256SUMS but is not there \(1 such files\)"):
        read(root, dataset)
    (root / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(UserError, match="SHA256SUMS line 1 is not"):
        read(root, dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: shutil.rmtree(r / "train"), r"holds test, val; need one train and one test folder|holds 2 class folders"),
        (lambda r: shutil.rmtree(r / "test"), r"need one train and one test folder \(val is optional\)"),
        (lambda r: (r / "horse").mkdir(), "holds train and 'horse'; beside train only val and test may lie"),
        (lambda r: (r / "test/cat").rename(r / "test/cow"), "the class 'cow' has no folder under train"),
        (lambda r: (r / "train/cow").mkdir(), "train/cow holds no files; fill it, or take this class out"),
        (lambda r: shutil.copy(r / "train/cat/0.png", r / "train/x.png"), "train/x.png lies outside of the class folders"),
        (lambda r: shutil.rmtree(r), "is no folder; set folder.path in params.yaml"),
    ],
)
def test_folders_of_another_shape(change: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    root = fill(tmp_path / "set", "image_folder", ("train", "val", "test"))
    change(root)
    if message.startswith("holds test"):
        splits = read(root, "image_folder")  # without a train folder these are three names like others: two classes
        assert splits.train.info["classes"] == ["test", "val"]
        return
    with pytest.raises(UserError, match=message):
        read(root, "image_folder")


def test_settings_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNN5_DATA_ROOT", raising=False)
    with pytest.raises(UserError, match=r"'image_folder' reads your own files; set folder.path in params.yaml"):
        load("image_folder", time_steps=2)
    with pytest.raises(UserError, match="set SNN5_DATA_ROOT to a folder that holds the folder mine"):
        load("image_folder", time_steps=2, folder=Folder(path="mine"))
    fill(tmp_path / "mine", "image_folder")
    assert len(load("image_folder", time_steps=2, root=tmp_path, folder=Folder(path="mine")).train) == 9
    fill(tmp_path / "events", "event_folder")
    with pytest.raises(UserError, match=r"cat/0.npz does not state its sensor's size; set folder.size: \[height, width\]"):
        load("event_folder", time_steps=2, folder=Folder(path=str(tmp_path / "events")))
    with pytest.raises(UserError, match=r"size=\[3\]; need \[height, width\]"):
        Folder(path="x", size=[3])
    assert {r["name"]: r["state"] for r in describe()}["audio_folder"] == "your own folder"


@pytest.mark.parametrize("suffix", sorted(event_files.WRITERS))
def test_every_event_format_by_folder(suffix: str, tmp_path: Path) -> None:
    """The same events in each of the formats give the same samples."""
    plain = read(fill(tmp_path / "npz", "event_folder"), "event_folder", split_seed=1)
    found = read(fill(tmp_path / suffix, "event_folder", suffix=suffix), "event_folder", split_seed=1)
    whole = [np.concatenate([s.x_TNCHW for s in (p.train, p.val, p.test)], axis=1) for p in (plain, found)]
    order = [np.argsort(np.concatenate([s.index_N for s in (p.train, p.val, p.test)])) for p in (plain, found)]
    assert (whole[0][:, order[0]] == whole[1][:, order[1]]).all()


def test_binning_of_events(tmp_path: Path) -> None:
    root = fill(tmp_path, "event_folder")
    coarse = read(root, "event_folder", binning=Binning(pixels=7))
    assert coarse.train.info["padded_from"] == [6, 9] and coarse.train.x_TNCHW.shape[2:] == (2, 9, 9)  # 40 / 7 and 60 / 7, rounded up
    assert (coarse.train.x_TNCHW.sum(axis=(0, 2, 3, 4)) == 30).all() and coarse.train.info["events_left_out"] == 0
    with pytest.raises(UserError, match=r"binning.columns=2; a camera's events fill their frames: set it to 0"):
        read(root, "event_folder", binning=Binning(columns=2))
    few = read(root, "event_folder", binning=Binning(by="count", size=10))
    assert (few.train.x_TNCHW.sum(axis=(2, 3, 4)) == 10).all() and few.train.info["events_left_out"] == 18 * 10


def test_events_off_the_sensor_name_the_file(tmp_path: Path) -> None:
    root = fill(tmp_path, "event_folder")
    with pytest.raises(UserError, match=r"cat/0.npz is damaged: events have x from \d+ to \d+; a sensor of 40x30 pixels needs 0 to 29"):
        read(root, "event_folder", folder=Folder(path=str(root), size=[40, 30]))


def test_images_by_hand(tmp_path: Path) -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", color=True, size=[]).tolist() == [[[255, 0]], [[0, 255]], [[0, 0]]]
    assert read_image(tmp_path / "a.png", color=False, size=[]).tolist() == [[[76, 150]]]  # 0.299 R + 0.587 G
    assert read_image(tmp_path / "a.png", color=True, size=[2, 4]).shape == (3, 2, 4)
    Image.fromarray(np.array([[[200, 100, 50, 0], [200, 100, 50, 255]]], np.uint8)).save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png", color=True, size=[]).tolist() == [[[0, 200]], [[0, 100]], [[0, 50]]]  # on black
    Image.fromarray(np.array([[70000 % 65536, 5]], np.uint16)).save(tmp_path / "c.png")
    with pytest.raises(UserError, match="pixels of more than 8 bits; convert it"):
        read_image(tmp_path / "c.png", color=False, size=[])


def test_images_of_two_sizes_are_scaled_or_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, "image_folder")
    Image.new("RGB", (5, 4)).save(root / "dog/3.png")
    with pytest.raises(UserError, match=r"dog/3.png has 4x5 pixels, the first image 9x12; set folder.size"):
        read(root, "image_folder")
    splits = read(root, "image_folder", folder=Folder(path=str(root), size=[8, 8], color=False))
    assert splits.train.x_TNCHW.shape[2:] == (1, 8, 8) and splits.train.info["channels"] == ["grey"]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".gif", ".tif"])
def test_images_cut_off_or_changed(suffix: str, tmp_path: Path) -> None:
    """An error that names the file, or every pixel as it was; changed bytes may change pixels, but end in no traceback."""
    path, draw = tmp_path / f"a{suffix}", random.Random(0)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    whole, right = path.read_bytes(), read_image(path, color=True, size=[])
    refused = 0
    for length in draw.sample(range(len(whole)), min(60, len(whole))):
        path.write_bytes(whole[:length])
        try:
            assert (read_image(path, color=True, size=[]) == right).all()
        except UserError as error:
            refused += 1
            assert f"a{suffix} is truncated or no image" in str(error)
    assert refused >= 50
    for _ in range(40):
        data = bytearray(whole)
        for place in draw.sample(range(len(data)), 4):
            data[place] ^= draw.randrange(1, 256)
        path.write_bytes(data)
        try:
            assert read_image(path, color=True, size=[12, 10]).shape == (3, 12, 10)
        except UserError as error:
            assert f"a{suffix}" in str(error)


def test_an_image_too_large_to_be_one(tmp_path: Path) -> None:
    Image.new("1", (20000, 10000)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="could be decompression bomb"):
        read_image(tmp_path / "a.png", color=False, size=[])


@pytest.mark.parametrize(
    ("suffix", "subtype"), [(".wav", "PCM_16"), (".wav", "FLOAT"), (".wav", "PCM_U8"), (".flac", "PCM_16"), (".flac", "PCM_24")]
)
def test_sounds_are_read_whole_or_not_at_all(suffix: str, subtype: str, tmp_path: Path) -> None:
    path, draw = tmp_path / f"a{suffix}", random.Random(0)
    wave_NC = 0.5 * np.sin(np.arange(1000)[:, None] * [0.1, 0.3])
    soundfile.write(path, wave_NC, 8000, subtype=subtype)
    samples, rate = read_audio(path)
    assert rate == 8000 and np.abs(samples - wave_NC.mean(axis=1)).max() < (0.01 if subtype == "PCM_U8" else 1e-4)
    whole = path.read_bytes()
    for length in [*range(60), *draw.sample(range(60, len(whole)), 100)]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=f"a{suffix}"):
            read_audio(path)
    for _ in range(60):
        data = bytearray(whole)
        for place in draw.sample(range(len(data)), 3):
            data[place] ^= draw.randrange(1, 256)
        path.write_bytes(data)
        try:
            assert np.isfinite(read_audio(path)[0]).all() and suffix == ".wav"
        except UserError as error:
            assert f"a{suffix}" in str(error)


def test_sounds_of_another_kind(tmp_path: Path) -> None:
    make(tmp_path / "a.flac", 0)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.flac").read_bytes())
    with pytest.raises(UserError, match=r"a.wav begins with b'fLaC', which is no .wav file"):
        read_audio(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.zeros(800), 8000)
    root = fill(tmp_path / "set", "audio_folder")
    shutil.copy(tmp_path / "b.wav", root / "dog" / "0.wav")
    with pytest.raises(UserError, match=r"dog/0.wav: 8000 samples per second hold nothing above 4000 Hz; lower high_hz=7000"):
        read(root, "audio_folder")
    with pytest.raises(UserError, match=r"dog/0.wav: it holds only silence"):
        read(root, "audio_folder", cochlea=Cochlea(channels=6, duration_ms=100.0, high_hz=3000.0))
