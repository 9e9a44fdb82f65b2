"""Event files of every format, written byte by byte from their descriptions: what the readers are tested with."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow

Events = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # t, x, y, p
SENSOR = (40, 60)  # H, W


def some_events(count: int = 12, seed: int = 0, *, start_us: int = 100) -> Events:
    """Events in order of time on a sensor of 40 x 60 pixels."""
    rng = np.random.default_rng(seed)
    height, width = SENSOR
    t = start_us + np.cumsum(rng.integers(1, 500, count))
    return t, rng.integers(0, width, count), rng.integers(0, height, count), rng.integers(0, 2, count)


def bin_bytes(events: Events) -> bytes:
    return b"".join(
        bytes([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255]) for t, x, y, p in zip(*map(np.ndarray.tolist, events), strict=True)
    )


def dat_bytes(events: Events, header: bytes = b"% Version 2\n% Height 40\n% Width 60\n") -> bytes:
    body = b"".join(struct.pack("<II", t, x | y << 14 | p << 28) for t, x, y, p in zip(*map(np.ndarray.tolist, events), strict=True))
    return header + bytes([12, 8]) + body


def aedat2_bytes(events: Events, chip: str = "") -> bytes:
    """A DVS128's or, with `chip`, a DAVIS240's file."""
    lines = ["#!AER-DAT2.0", "# This is a raw AE data file - do not edit", *([f"# AEChip: {chip}"] if chip else [])]
    body = b""
    for t, x, y, p in zip(*map(np.ndarray.tolist, events), strict=True):
        davis = (179 - y) << 22 | (239 - x) << 12 | p << 11
        body += struct.pack(">II", davis if chip else (127 - y) << 8 | (127 - x) << 1 | 1 - p, t)
    return "".join(line + "\r\n" for line in lines).encode() + body


def npy_bytes(events: Events) -> bytes:
    array = np.empty(len(events[0]), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "?")])
    for name, values in zip("txyp", events, strict=True):
        array[name] = values
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz_bytes(events: Events) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **dict(zip("txyp", events, strict=True)))
    return file.getvalue()


def h5_bytes(events: Events) -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        group = h5.create_group("events")
        for name, values in zip("txyp", events, strict=True):
            group[name] = values
    return file.getvalue()


def _table(fields: list[bytes]) -> tuple[bytes, int]:
    """A FlatBuffers table with these fields behind its list of field places, and where in these bytes it begins."""
    places = np.cumsum([4, *map(len, fields)]).tolist()
    listing = struct.pack(f"<HH{len(fields)}H", 4 + 2 * len(fields), places[-1], *places[:-1])
    return listing + struct.pack("<i", len(listing)) + b"".join(fields), len(listing)


def _buffer(identifier: bytes, fields: list[bytes], count: int, items: bytes) -> bytes:
    """A buffer with its length in front: a root table with `fields` and, as the last field, a vector, which follows at once."""
    body, place = _table([*fields, struct.pack("<I", 4)])
    whole = struct.pack("<I", 8 + place) + identifier + body + struct.pack("<I", count) + items
    return struct.pack("<I", len(whole)) + whole


def _packed(data: bytes, method: int) -> bytes:
    if method == 0:
        return data
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "lz4" if method < 3 else "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _packet_table(packets: list[tuple[int, int, int]]) -> bytes:
    """The table at the end, from (stream, bytes, events) of each packet."""
    tables = [_table([struct.pack("<q", 0), struct.pack("<ii", number, size), struct.pack("<q", n)]) for number, size, n in packets]
    items, blobs = b"", b"".join(body for body, _ in tables)
    start = 4 * len(tables)  # of the tables, from the first item
    for i, (body, place) in enumerate(tables):
        items += struct.pack("<I", start + place - 4 * i)
        start += len(body)
    return _buffer(b"FTAB", [], len(tables), items + blobs)


def aedat4_bytes(events: Events, *, packets: int = 3, method: int = 1, closed: bool = True) -> bytes:
    """A file of `packets` event packets and one of another stream; `method` 0 leaves them as they are, 1 and 2 are LZ4, 3 and 4 Zstandard.

    One that was not `closed` lacks the table at the end.
    """
    info = (
        b'<dv version="2.0"><node name="outInfo" path="/mainLoop/outInfo/">'
        b'<node name="1" path="/1/"><attr key="typeIdentifier" type="string">IMUS</attr></node>'
        b'<node name="2" path="/2/"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info" path="/2/info/">'
        b'<attr key="sizeX" type="int">60</attr><attr key="sizeY" type="int">40</attr></node></node></node></dv>'
    )
    body, listed = b"", []
    for part in np.array_split(np.arange(len(events[0])), packets):
        rows = zip(*(values[part].tolist() for values in events), strict=True)
        items = b"".join(struct.pack("<qhhB3x", t, x, y, p) for t, x, y, p in rows)
        data = _packed(_buffer(b"EVTS", [], len(part), items), method)
        body += struct.pack("<ii", 2, len(data)) + data
        listed.append((2, len(data), len(part)))
    other = _packed(b"something else", method)
    body += struct.pack("<ii", 1, len(other)) + other
    listed.append((1, len(other), 1))

    def header(end: int) -> bytes:
        return b"#!AER-DAT4.0\r\n" + _buffer(b"IOHE", [struct.pack("<i", method), struct.pack("<q", end)], len(info), info)

    if not closed:
        return header(-1) + body
    return header(len(header(0)) + len(body)) + body + _packed(_packet_table(listed), method)


def mat_bytes(events: Events, side: int = 60) -> bytes:
    """As ST-MNIST's: taxels in rows, an event in each column, the last row seconds."""
    from scipy.io import savemat

    t, x, y, p = events
    matrix = np.zeros((side * side + 1, len(t)))
    matrix[y * side + x, np.arange(len(t))] = 2 * p - 1
    matrix[-1] = t / 1e6
    file = io.BytesIO()
    savemat(file, {"spiketrain": matrix}, do_compression=True)
    return file.getvalue()


WRITERS: dict[str, Callable[[Events], bytes]] = {
    ".bin": bin_bytes,
    ".aedat": aedat2_bytes,
    ".aedat4": aedat4_bytes,
    ".dat": dat_bytes,
    ".npy": npy_bytes,
    ".npz": npz_bytes,
    ".h5": h5_bytes,
    ".mat": mat_bytes,
}


def write(path: Path, events: Events) -> Path:
    """`events` in the format of the suffix of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WRITERS[path.suffix](events))
    return path
