"""AEDAT 4 (`.aedat4`), as iniVation's DV writes it: packets of FlatBuffers, each compressed by itself."""

import re
import struct
from pathlib import Path

import numpy as np

from snn5.datasets._flatbuffer import BadBuffer, Table
from snn5.datasets._recording import Recording, content, damaged, recording

_MAGIC = b"#!AER-DAT4.0\r\n"
_EVENT = np.dtype({"names": ["t", "x", "y", "p"], "formats": ["<i8", "<i2", "<i2", "u1"], "offsets": [0, 8, 10, 12], "itemsize": 16})
_CODECS = {0: None, 1: "lz4", 2: "lz4", 3: "zstd", 4: "zstd"}  # by the header's number; 2 and 4 only took more pains to compress
_LARGEST = 1 << 28  # bytes of one unpacked packet; DV writes far less


def read_aedat4(path: Path) -> Recording:
    """The events of the first event stream.

        file:    "#!AER-DAT4.0", header, packets, table of the packets
        packet:  stream (32 bits), size (32 bits), then a compressed buffer; an event has 16 bytes: t, x, y, p, padding

    The header says where the table begins and the table how many events each packet has; both are compared with what was found, so a file
    that was cut off anywhere, or whose packets were exchanged for others, is not taken for a shorter recording.

    Raises:
        UserError: missing, empty, cut off, no event stream, an unknown compression, or events outside the sensor; names the byte.

    Source: iniVation, AEDAT 4 (docs.inivation.com, software, file format). tonic reads it with the package aedat, which gives the same
    numbers.
    """
    data = content(path)
    if not data.startswith(_MAGIC):
        raise damaged(path, "it does not begin with #!AER-DAT4.0, so it is no AEDAT 4")
    try:
        return _read(path, data)
    except BadBuffer as error:
        raise damaged(path, f"the header at byte {len(_MAGIC)} is cut off or broken ({error})") from error


def _read(path: Path, data: bytes) -> Recording:
    header = Table.root(data[len(_MAGIC) :], b"IOHE")
    start = len(_MAGIC) + 4 + struct.unpack_from("<I", data, len(_MAGIC))[0]
    method, end, info = header.number(0, "<i", 0), header.number(1, "<q", -1), header.text(2)
    if method not in _CODECS:
        raise damaged(path, f"its header names the compression {method}, known are 0 to 4")
    if end > len(data) or (end != -1 and end < start):
        raise damaged(path, f"truncated: its table of packets begins at byte {end}, the file ends at {len(data)}")
    stream, sensor = _stream(path, info)
    parts: list[np.ndarray] = []
    place, packets, stop = start, [], len(data) if end == -1 else end
    while place < stop:
        if place + 8 > stop:
            raise damaged(path, f"truncated: the packet at byte {place} is cut off")
        number, size = struct.unpack_from("<ii", data, place)
        if size < 0 or place + 8 + size > stop:
            raise damaged(path, f"truncated: the packet at byte {place} has {size} bytes, {stop - place - 8} are left")
        events = None
        if number == stream:
            events = _events(path, place, data[place + 8 : place + 8 + size], _CODECS[method])
            parts.append(events)
        packets.append((place, number, size, None if events is None else len(events)))
        place += 8 + size
    if end != -1:
        _compare(path, end, data[end:], _CODECS[method], packets)
    if not parts:
        raise damaged(path, f"its event stream {stream} has no packets")
    events = np.concatenate(parts)
    return recording(path, events["t"], events["x"], events["y"], events["p"], sensor)


def _stream(path: Path, info: str) -> tuple[int, tuple[int, int] | None]:
    """Number and sensor (H, W) of the first event stream in the header's description, which is XML of a fixed kind."""
    for number, text in re.findall(r'<node name="(\d+)"[^>]*>(.*?)(?=<node name="\d+"|\Z)', info, re.DOTALL):
        if re.search(r'key="typeIdentifier"[^>]*>EVTS<', text):
            sides = [re.search(rf'key="{key}"[^>]*>(\d+)<', text) for key in ("sizeY", "sizeX")]
            height, width = (int(m[1]) if m else 0 for m in sides)
            return int(number), (height, width) if height and width else None
    raise damaged(path, "its header describes no event stream")


def _unpacked(data: bytes, codec: str | None) -> bytes:
    if codec is None:
        return data
    import pyarrow

    try:
        with pyarrow.input_stream(pyarrow.py_buffer(data), compression=codec) as stream:
            unpacked: bytes = stream.read(_LARGEST)
    except (OSError, ValueError) as error:
        raise BadBuffer(f"{codec} cannot unpack it: {error}") from error
    if len(unpacked) >= _LARGEST:
        raise BadBuffer(f"it unpacks to {_LARGEST} bytes or more")
    return unpacked


def _events(path: Path, place: int, data: bytes, codec: str | None) -> np.ndarray:
    try:
        buffer = _unpacked(data, codec)
        start, count = Table.root(buffer, b"EVTS").vector(0, _EVENT.itemsize)
    except BadBuffer as error:
        raise damaged(path, f"the packet at byte {place} is broken ({error})") from error
    return np.frombuffer(buffer, _EVENT, count, start)


def _compare(path: Path, end: int, data: bytes, codec: str | None, packets: list[tuple[int, int, int, int | None]]) -> None:
    """Hold the packets found (first byte, stream, size, events) against the table at the end of the file."""
    try:
        entries = Table.root(_unpacked(data, codec), b"FTAB").tables(0)
        listed = []
        for entry in entries:
            place = entry.field_place(1)
            number, size = struct.unpack_from("<ii", entry.buffer, place) if place is not None else (-1, -1)
            listed.append((entry.number(0, "<q", 0), number, size, entry.number(2, "<q", 0)))
    except (BadBuffer, struct.error) as error:
        raise damaged(path, f"the table of packets at byte {end} is cut off or broken ({error})") from error
    if len(listed) != len(packets):
        raise damaged(path, f"it holds {len(packets)} packets, its table lists {len(listed)}")
    for found, told in zip(packets, listed, strict=True):
        if found[1:3] != told[1:3] or (found[3] is not None and found[3] != told[3]):
            raise damaged(path, f"the packet at byte {found[0]} (stream, bytes, events: {found[1:]}) is listed as {told[1:]}")
