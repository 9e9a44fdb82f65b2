"""Every reader with a small whole file, and that file damaged: what no reader may take, and none may fall over."""

import gzip
import io
import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import event_files
import numpy as np
import official_layouts as layouts
import soundfile
import torch
from PIL import Image
from safetensors.torch import load as tensors_of
from safetensors.torch import save as to_bytes

from snn5 import checkpoint
from snn5.config import Binning, Cochlea
from snn5.datasets import Split, cochlea, load, load_split, read_recording, save_split
from snn5.datasets._audio import read_audio
from snn5.datasets._cifar10 import read_mosaic
from snn5.datasets._event_frames import Frames
from snn5.datasets._image_folder import read_image
from snn5.models import create_model

CUTS = 6
Make = Callable[[Path], Path]  # a folder -> the file in it that is damaged; what else the reader needs lies around it


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One reader.

    Attributes:
        make: writes a whole file. read: reads it, or raises UserError.
        named: whether every error names the file; a checkpoint's card and weights are judged when the network is built, far from the file.
        start, record: bytes of header and of a record, where nothing in the format tells how many records there are: a file cut between two
            of them is a shorter one. 0: every cut shows.
        wrong: by what is wrong, a whole file with a value out of range or of another type, from the bytes of the right one.
    """

    make: Make
    read: Callable[[Path], object]
    named: bool = True
    start: int = 0
    record: int = 0
    wrong: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)


def _as_frames(path: Path) -> object:
    return Frames(sensor=event_files.SENSOR, time_steps=2, binning=Binning()).of(path, read_recording(path))


def _event_reader(suffix: str, **more: Any) -> Reader:
    return Reader(make=lambda folder: event_files.write(folder / f"a{suffix}", event_files.some_events(12)), read=_as_frames, **more)


def _events(suffix: str, **changes: Any) -> Callable[[bytes], bytes]:
    """The same events with some arrays replaced."""
    own = dict(zip("txyp", event_files.some_events(12), strict=True))
    return lambda _data: event_files.WRITERS[suffix](tuple((own | changes).values()))  # type: ignore[arg-type]


def _arrays(suffix: str) -> dict[str, Callable[[bytes], bytes]]:
    t, x, _, p = event_files.some_events(12)
    changes = {"x off the sensor": {"x": x + 60}, "negative y": {"y": x - 100}}
    if suffix != ".npy":
        changes |= {"times in seconds": {"t": t / 1e6}, "another length": {"t": t[:-1]}, "polarity 7": {"p": 7 * p}}  # .npy: p is a bool
    return {name: _events(suffix, **change) for name, change in changes.items()}


def _mat(value: float) -> Callable[[bytes], bytes]:
    """One value of an event or, where it is no number, one of its times replaced."""

    def change(data: bytes) -> bytes:
        from scipy.io import loadmat, savemat

        matrix = loadmat(io.BytesIO(data))["spiketrain"]
        matrix[-1 if np.isnan(value) else 0, 3] = value
        file = io.BytesIO()
        savemat(file, {"spiketrain": matrix})
        return file.getvalue()

    return change


def _image(suffix: str) -> Reader:
    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype(np.uint8)).save(folder / f"a{suffix}")
        return folder / f"a{suffix}"

    def deep(_data: bytes) -> bytes:
        file = io.BytesIO()
        Image.fromarray(np.full((3, 4), 70, np.uint16)).save(file, "PNG")
        return file.getvalue()

    wrong = {"16 bits a pixel": deep} if suffix == ".png" else {}
    return Reader(make=make, read=lambda path: read_image(path, color=True, size=[]), wrong=wrong)


def _sound(suffix: str) -> Reader:
    def written(values: np.ndarray, rate: int, subtype: str = "PCM_16") -> Callable[[bytes], bytes]:
        def write(_data: bytes) -> bytes:
            file = io.BytesIO()
            soundfile.write(file, values, rate, subtype=subtype, format=suffix[1:].upper())
            return file.getvalue()

        return write

    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / f"a{suffix}").write_bytes(written(0.3 * np.sin(np.arange(3200.0)), 16000)(b""))
        return folder / f"a{suffix}"

    def read(path: Path) -> object:
        return cochlea(*read_audio(path), Cochlea(channels=4, duration_ms=100.0))

    wrong = {"no samples": written(np.zeros(0), 16000)}
    if suffix == ".wav":
        wrong["not a number"] = written(np.full(3200, np.nan), 16000, "FLOAT")
    return Reader(make=make, read=read, wrong=wrong)


def _whole_set(name: str, file: str, build: layouts.Build, **more: Any) -> Reader:
    """A file of an official set, read with all others of the set."""

    def make(folder: Path) -> Path:
        build(folder)
        return folder / file

    def read(path: Path) -> object:
        root = path.parents[len(Path(file).parts) - 1]
        return load(name, root=root, time_steps=2, binning=Binning(columns=1) if name == "shd" else None)

    return Reader(make=make, read=read, **more)


def _byte(place: int, value: int, *, packed: bool = False) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        data = gzip.decompress(data) if packed else data
        data = data[:place] + bytes([value]) + data[place + 1 :]
        return gzip.compress(data, mtime=0) if packed else data

    return change


def _h5(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        import h5py

        file = io.BytesIO(data)
        with h5py.File(file, "r+") as h5:
            change(h5)
        return file.getvalue()

    return changed


def _other_units(h5: Any) -> None:
    h5["spikes/units"][3] = np.full(len(h5["spikes/times"][3]), 700, np.uint16)


def _no_time(h5: Any) -> None:
    h5["spikes/times"][3] = np.full(len(h5["spikes/times"][3]), np.nan, np.float16)


def _mosaic() -> Reader:
    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)).save(folder / "a.webp", lossless=True)
        (folder / "a.labels.u8").write_bytes(bytes(6))
        return folder / "a.webp"

    return Reader(make=make, read=read_mosaic)


def _split() -> Reader:
    def make(folder: Path) -> Path:
        x_TNCHW = np.random.default_rng(0).integers(0, 9, (2, 6, 1, 4, 4)).astype(np.uint8)
        save_split(Split(x_TNCHW=x_TNCHW, y_N=np.arange(6), index_N=np.arange(6), info={"dataset": "digits"}), folder / "a.safetensors")
        return folder / "a.safetensors"

    def with_x(x: torch.Tensor) -> Callable[[bytes], bytes]:
        labels = {"y": torch.arange(6), "index": torch.arange(6)}
        return lambda _data: to_bytes({"x": x, **labels}, metadata={"snn5_split": "{}"})

    wrong = {"floats": with_x(torch.zeros(2, 6, 1, 4, 4)), "fewer samples": with_x(torch.zeros(2, 5, 1, 4, 4, dtype=torch.uint8))}
    return Reader(make=make, read=load_split, wrong=wrong)


def _checkpoint() -> Reader:
    def make(folder: Path) -> Path:
        model = create_model("sew_resnet8", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=2)
        card = checkpoint.Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=2, neuron="plif")
        checkpoint.save(checkpoint.of(model, card), folder / "a.safetensors")
        return folder / "a.safetensors"

    def card(**changes: Any) -> Callable[[bytes], bytes]:
        """With card entries replaced; one that is given as a dictionary is laid over the old one."""

        def change(data: bytes) -> bytes:
            size = struct.unpack_from("<Q", data)[0]
            raw = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["snn5"])
            for key, value in changes.items():
                raw[key] = raw[key] | value if isinstance(value, dict) and isinstance(raw[key], dict) else value
            return to_bytes(tensors_of(data), metadata={"snn5": json.dumps(raw)})

        return change

    def weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[bytes], bytes]:
        def changed(data: bytes) -> bytes:
            size = struct.unpack_from("<Q", data)[0]
            state = tensors_of(data)
            return to_bytes(state | {"head.weight": change(state["head.weight"])}, metadata=json.loads(data[8 : 8 + size])["__metadata__"])

        return changed

    wrong = {
        "a model of no name": card(model=5),
        "an unknown model": card(model="sew_resnet9"),
        "arguments that are no mapping": card(model_args=[1]),
        "no size": card(model_args={"image_size": None}),
        "a size in words": card(model_args={"num_classes": "three"}),
        "no classes": card(model_args={"num_classes": 0}),
        "a negative width": card(model_args={"width": -2}),
        "an unknown neuron": card(model_args={"neuron": 7}),
        "T in words": card(time_steps="two"),
        "T of 0": card(time_steps=0),
        "norms that are no list": card(folded=3),
        "an unknown norm": card(folded=["head"]),
        "quantisation that is no mapping": card(quantisation=[4]),
        "history that is no list": card(transforms=7),
        "history of numbers": card(transforms=[1]),
        "a cutoff that is no mapping": card(cutoff=0.5),
        "masks that are no list": card(masks=1),
        "a twin in words": card(twin="no"),
        "weights that are no numbers": weights(lambda w: torch.full_like(w, torch.nan)),
        "infinite weights": weights(lambda w: w / 0),
        "whole numbers for weights": weights(lambda w: w.to(torch.int64)),
        "weights of another shape": weights(lambda w: w[:2].clone()),
    }
    return Reader(make=make, read=lambda path: checkpoint.load(path).build(), named=False, wrong=wrong)


READERS: dict[str, Reader] = {
    "events .bin": _event_reader(".bin", record=5, wrong={"x off the sensor": lambda d: bytes([60]) + d[1:]}),
    "events .dat": _event_reader(
        ".dat", start=37, record=8, wrong={"another kind of event": lambda d: d.replace(bytes([12, 8]), b"\x0e\x08")}
    ),
    "events .aedat": _event_reader(".aedat", start=58, record=8, wrong={"another version": lambda d: d.replace(b"DAT2", b"DAT3")}),
    "events .aedat4": _event_reader(".aedat4", wrong={"a smaller sensor": lambda d: d.replace(b">60<", b">10<")}),
    **{f"events {suffix}": _event_reader(suffix, wrong=_arrays(suffix)) for suffix in (".npy", ".npz", ".h5")},
    "events .mat": _event_reader(".mat", wrong={"half a spike": _mat(0.5), "times that are no numbers": _mat(np.nan)}),
    **{f"image {suffix}": _image(suffix) for suffix in (".png", ".jpg", ".bmp", ".webp", ".gif", ".tif")},
    **{f"sound {suffix}": _sound(suffix) for suffix in (".wav", ".flac")},
    "cifar10 binary": _whole_set(
        "cifar10", "cifar-10-batches-bin/data_batch_2.bin", layouts.cifar10, record=3073, wrong={"label 10": _byte(0, 10)}
    ),
    "cifar10 pickle": _whole_set(
        "cifar10",
        "cifar-10-batches-py/data_batch_2",
        layouts.cifar10_python,
        wrong={"label 77": lambda d: d.replace(b"J\x09\0\0\0", b"J\x4d\0\0\0")},
    ),
    "cifar10 mosaic": _mosaic(),
    "cifar100 binary": _whole_set(
        "cifar100",
        "cifar-100-binary/test.bin",
        layouts.cifar100,
        record=3074,
        wrong={"coarse label 20": _byte(0, 20), "label 100": _byte(1, 100)},
    ),
    "mnist images": _whole_set("mnist", "MNIST/t10k-images-idx3-ubyte.gz", layouts.mnist, wrong={"another type": _byte(2, 9, packed=True)}),
    "mnist labels": _whole_set("mnist", "MNIST/t10k-labels-idx1-ubyte.gz", layouts.mnist, wrong={"label 10": _byte(8, 10, packed=True)}),
    "fashion_mnist images": _whole_set(
        "fashion_mnist", "FashionMNIST/raw/t10k-images-idx3-ubyte", layouts.fashion_mnist, wrong={"21 images": _byte(7, 21)}
    ),
    "spikes of sound": _whole_set(
        "shd", "SHD/shd_train.h5", layouts.shd, wrong={"channel 700": _h5(_other_units), "no time": _h5(_no_time)}
    ),
    "split": _split(),
    "checkpoint": _checkpoint(),
}


@cache
def whole(name: str) -> bytes:
    """The right bytes of a reader's file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return READERS[name].make(Path(folder) / "in").read_bytes()


def damaged(name: str) -> Iterator[tuple[str, bytes]]:
    """What is wrong, and the file: empty, cut off, of another kind, with a value out of range."""
    reader, data, draw = READERS[name], whole(name), random.Random(name)
    yield "empty", b""
    for length in sorted(draw.sample(range(1, len(data)), CUTS)):
        if reader.record and length > reader.start and (length - reader.start) % reader.record == 0:
            length -= 1  # between two records no format without a length can tell
        yield f"cut to {length} bytes", data[:length]
    yield "a page of a failed download", b"<!DOCTYPE html><html>404 not found</html>\n"
    yield "text", b"just some text, no data at all"[: 29 if reader.record == 5 else None]
    yield "zeros", bytes(61)
    for what, change in reader.wrong.items():
        changed = change(data)
        assert changed != data, f"{name}: {what} changes nothing"
        yield what, changed
