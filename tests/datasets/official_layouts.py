"""Small sets made in the exact layouts of the official ones, by name: what their loaders are tested with where the real ones are not."""

import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import event_files
import h5py
import numpy as np

Build = Callable[[Path], None]


def _events(path: Path, seed: int, height: int, width: int) -> None:
    t, x, y, p = event_files.some_events(30, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    events = (t, x % width, y % height, p)
    path.write_bytes(
        event_files.dat_bytes(events, header=b"% Version 2\n") if path.suffix == ".dat" else event_files.WRITERS[path.suffix](events)
    )


def ncaltech101(root: Path) -> None:
    for c, name in enumerate(("BACKGROUND_Google", "accordion", "yin_yang")):
        for i in range(6):
            _events(root / f"NCALTECH101/Caltech101/{name}/image_{i:04d}.bin", 10 * c + i, 180, 240)


def cifar10dvs(root: Path) -> None:
    for c, name in enumerate(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")):
        for i in range(4):
            _events(root / f"CIFAR10DVS/{name}/cifar10_{name}_{i}.aedat4", 10 * c + i, 40, 60)


def nmnist(root: Path) -> None:
    for part, count in (("Train", 4), ("Test", 1)):
        for digit in range(10):
            for i in range(count):
                _events(root / f"NMNIST/{part}/{digit}/{10 * i + digit:05d}.bin", 100 * (part == "Test") + 10 * digit + i, 34, 34)


def ncars(root: Path) -> None:
    for part, count in (("train", 5), ("test", 2)):
        for c, name in enumerate(("background", "cars")):
            for i in range(count):
                _events(root / f"NCARS/n-cars_{part}/{name}/obj_{i:06d}_td.dat", 100 * (part == "test") + 10 * c + i, 100, 120)


def dvsgesture(root: Path) -> None:
    for part, users in (("Train", (1, 2, 3, 4)), ("Test", (24,))):
        for user in users:
            for gesture in range(11):
                t, x, y, p = event_files.some_events(30, 11 * user + gesture)
                path = root / f"DVSGesture/ibmGesture{part}/user{user:02d}_fluorescent/{gesture}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, np.stack([x, y, p, t // 100], axis=1).astype(np.float64))


def _spikes(path: Path, labels: list[int], keys: list[str], seed: int) -> None:
    """As the official files: lists of different lengths, times in seconds."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (len(labels),), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (len(labels),), h5py.vlen_dtype(np.uint16))
        for i in range(len(labels)):
            count = int(rng.integers(20, 60))
            times[i] = np.sort(rng.uniform(0, 1, count)).astype(np.float16)
            units[i] = rng.integers(0, 700, count).astype(np.uint16)
        file["labels"] = np.array(labels, np.uint16)
        file["extra/keys"] = np.array([key.encode() for key in keys])
        file["extra/speaker"] = np.zeros(len(labels), np.uint16)


def shd(root: Path) -> None:
    keys = [f"{language}_{digit}" for language in ("english", "german") for digit in range(10)]
    _spikes(root / "SHD/shd_train.h5", list(range(20)) * 3, keys, 0)
    _spikes(root / "SHD/shd_test.h5", list(range(20)), keys, 1)


def ssc(root: Path) -> None:
    keys = [f"word{i}" for i in range(35)]
    for seed, (part, count) in enumerate((("train", 3), ("valid", 1), ("test", 1))):
        _spikes(root / f"SSC/ssc_{part}.h5", list(range(35)) * count, keys, seed)


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.astype(np.uint8).tobytes()


def _mnist(root: Path, folder: str, seed: int, pack: bool) -> None:
    rng = np.random.default_rng(seed)
    for prefix, count in (("train", 40), ("t10k", 20)):
        for kind, values in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            path = root / folder / ("" if pack else "raw") / f"{prefix}-{kind}-ubyte{'.gz' if pack else ''}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(idx(values)) if pack else idx(values))


def mnist(root: Path) -> None:
    _mnist(root, "MNIST", 0, pack=True)


def fashion_mnist(root: Path) -> None:
    _mnist(root, "FashionMNIST", 1, pack=False)


def images(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072)).astype(np.uint8)


def cifar10(root: Path) -> None:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        batch = np.concatenate([(np.arange(20) % 10)[:, None], images(20, seed)], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(batch.tobytes())


def cifar10_python(root: Path) -> None:
    """The same images as Python 2 wrote them."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        (folder / name).write_bytes(python2_pickle({b"labels": (np.arange(20) % 10).tolist()}, images(20, seed)))


def cifar100(root: Path) -> None:
    folder = root / "cifar-100-binary"
    folder.mkdir(parents=True)
    for seed, (name, count) in enumerate((("train", 400), ("test", 100))):
        fine = np.arange(count) % 100
        batch = np.concatenate([(fine // 5)[:, None], fine[:, None], images(count, seed)], axis=1).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(batch.tobytes())


def cifar100_python(root: Path) -> None:
    """The same images, as Python 3 writes them."""
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    for seed, (name, count) in enumerate((("train", 400), ("test", 100))):
        fine = np.arange(count) % 100
        content = {
            b"coarse_labels": (fine // 5).tolist(),
            b"fine_labels": fine.tolist(),
            b"data": images(count, seed),
            b"filenames": [b"x.png"],
        }
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))


def python2_pickle(lists: dict[bytes, list[int]], data: np.ndarray) -> bytes:
    """A dictionary with `data`, opcode by opcode as cPickle writes numpy's arrays: text is bytes, names are of the old numpy."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    raw = data.tobytes()
    kind = (
        b"cnumpy\ndtype\n("
        + text(b"u1")
        + number(0)
        + number(1)
        + b"tR("
        + number(3)
        + text(b"|")
        + b"NNN"
        + 2 * number(-1)
        + number(0)
        + b"tb"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + number(0) + b"t" + text(b"b") + b"tR("
    array += (
        number(1)
        + b"("
        + number(data.shape[0])
        + number(data.shape[1])
        + b"t"
        + kind
        + b"\x89T"
        + struct.pack("<i", len(raw))
        + raw
        + b"tb"
    )
    out = b"\x80\x02}(" + text(b"data") + array
    for name, values in lists.items():
        out += text(name) + b"](" + b"".join(map(number, values)) + b"e"
    return out + b"u."


LAYOUTS: dict[str, Build] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "cifar10dvs": cifar10dvs,
    "dvsgesture": dvsgesture,
    "fashion_mnist": fashion_mnist,
    "mnist": mnist,
    "ncaltech101": ncaltech101,
    "ncars": ncars,
    "nmnist": nmnist,
    "shd": shd,
    "ssc": ssc,
}
