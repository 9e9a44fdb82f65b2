"""AEDAT 2 (`.aedat`), as jAER writes it for the DVS128 and the DAVIS cameras."""

import re
from pathlib import Path

import numpy as np

from snn5.datasets._recording import Recording, content, damaged, recording, records, unrolled

_EVENT = np.dtype([("address", ">u4"), ("t", ">u4")])
_DAVIS = {"240": (180, 240), "346": (260, 346), "128": (128, 128), "640": (480, 640)}  # model -> H, W


def read_aedat2(path: Path) -> Recording:
    """The events of one recording; whatever else the camera wrote (frames, motion, triggers) is left out.

        header:  lines that begin with "#", the first "#!AER-DAT2.0";   event: address, then microseconds, 32 bits each, big endian
        DVS128:  x = 127 - a[7:1],       y = 127 - a[14:8],      p = 1 - a[0];      bit 15 marks what is no event of a pixel
        DAVIS:   x = W - 1 - a[21:12],   y = H - 1 - a[30:22],   p = a[11];         bits 31 and 10 likewise

    The header's AEChip names the camera; without one, addresses below 2^16 are a DVS128's. Times that fall by more than 2^31 are a clock
    that ran over.

    Raises:
        UserError: missing, empty, another version or camera, an event cut off, or events outside the sensor.

    Source: jAER's event extractors (DVS128.java, DavisBaseCamera.java), with rows counted from the top. tonic's `read_dvs_128` means the
    same bits without the two mirrors, with x and y exchanged and the polarity as it is stored; in 1.7 it fails on every file.
    """
    data = content(path)
    header, start = _header(path, data)
    events = records(path, data, start, _EVENT)
    address, t = events["address"].astype(np.int64), unrolled(events["t"], 32)
    sensor = _sensor(path, header, int(address.max()))
    if sensor is None:  # a DVS128
        kept = address >> 15 & 1 == 0
        a = address[kept]
        return recording(path, t[kept], 127 - (a >> 1 & 0x7F), 127 - (a >> 8 & 0x7F), 1 - (a & 1), (128, 128))
    kept = (address >> 31 & 1 == 0) & (address >> 10 & 1 == 0)
    a, (height, width) = address[kept], sensor
    return recording(path, t[kept], width - 1 - (a >> 12 & 0x3FF), height - 1 - (a >> 22 & 0x1FF), a >> 11 & 1, sensor)


def _header(path: Path, data: bytes) -> tuple[bytes, int]:
    """The lines of text that begin with # and the byte behind them; an address may begin with the same byte, but is no line of text."""
    start = 0
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start, start + 1000)
        line = data[start : end if end >= 0 else start + 1000]
        if end < 0 or not all(32 <= byte < 127 or byte in b"\r\t" for byte in line):
            break
        start = end + 1
    version = re.match(rb"#!AER-DAT(\d)", data)
    if version is None or start == 0:
        raise damaged(path, "it does not begin with #!AER-DAT2.0, so it is no AEDAT 2")
    if version[1] != b"2":
        raise damaged(path, f"it is AEDAT {version[1].decode()}", "convert it to AEDAT 2 or 4 (jAER and DV both do)")
    return data[:start], start


def _sensor(path: Path, header: bytes, highest: int) -> tuple[int, int] | None:
    """(H, W) of a DAVIS; None for a DVS128."""
    chip = re.search(rb"AEChip: *([\w.]+)", header)
    name = chip[1].decode() if chip else ""
    if "DVS128" in name or (not name and highest < 1 << 16):
        return None
    model = re.search(r"davis\w*?(\d{3})", name.rpartition(".")[2], re.IGNORECASE)
    if model is None or model[1] not in _DAVIS:
        what = f"the camera {name!r} is not known here" if name else f"its header names no AEChip and its addresses go up to {highest:#x}"
        raise damaged(path, what, "only those of a DVS128 or a DAVIS 128, 240, 346 or 640 are read: convert it to .npz with t, x, y, p")
    return _DAVIS[model[1]]
