"""Prophesee's `.dat`, version 2: N-Cars and Prophesee's own recordings."""

import re
from pathlib import Path

import numpy as np

from snn5.datasets._recording import Recording, content, damaged, recording, records, unrolled

_EVENT = np.dtype([("t", "<u4"), ("address", "<u4")])
_TYPES = (0x00, 0x0C)  # two-dimensional events, and contrast detection events: the same fields


def read_dat(path: Path) -> Recording:
    """The events of one recording.

        header:  lines that begin with "%", then one byte of event type and one of event size (8)
        event:   t (32 bits, microseconds);  x = a[13:0],  y = a[27:14],  p = a[31:28]     (little endian)

    The clock begins again after 2^32 us (71 minutes); it is unrolled.

    Raises:
        UserError: missing, empty, no or another header, an event cut off, or events outside the size that the header states.

    Source: Prophesee, DAT format (docs.prophesee.ai, file formats); expelliarmus reads the same numbers.
    """
    data = content(path)
    header, start = _header(path, data)
    if len(data) < start + 2:
        raise damaged(path, f"the header is cut off at byte {len(data)}")
    if b"Version 1" in header:
        raise damaged(path, "it has version 1 of the format, which packs its coordinates otherwise", "convert it to version 2")
    kind, size = data[start], data[start + 1]
    if kind not in _TYPES or size != _EVENT.itemsize:
        raise damaged(path, f"byte {start} says events of type {kind} with {size} bytes; contrast events have type 0 or 12 and 8 bytes")
    events = records(path, data, start + 2, _EVENT)
    address = events["address"].astype(np.int64)
    return recording(path, unrolled(events["t"], 32), address & 0x3FFF, address >> 14 & 0x3FFF, address >> 28, _sensor(header))


def _header(path: Path, data: bytes) -> tuple[bytes, int]:
    """The lines that begin with % and the byte behind them."""
    start = 0
    while data[start : start + 1] == b"%":
        end = data.find(b"\n", start, start + 1000)
        if end < 0:
            raise damaged(path, f"the header line at byte {start} does not end")
        start = end + 1
    if start == 0:
        raise damaged(path, "it does not begin with a header of lines with %, so it is no Prophesee .dat")
    return data[:start], start


def _sensor(header: bytes) -> tuple[int, int] | None:
    found = [re.search(rb"% " + name + rb" (\d+)", header) for name in (b"Height", b"Width")]
    height, width = (int(m[1]) if m else 0 for m in found)
    return (height, width) if height and width else None
