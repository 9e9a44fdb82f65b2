"""One sound from a WAV or FLAC file, whole or not at all."""

import hashlib
import struct
from pathlib import Path

import numpy as np

from snn5.errors import UserError

SUFFIXES = (".wav", ".flac")
_REMEDY = "copy it again, or take it out of the set"
_FORMATS = {b"RIFF": ".wav", b"RF64": ".wav", b"fLaC": ".flac"}


def read_audio(path: Path) -> tuple[np.ndarray, int]:
    """Samples float64 in [-1, 1], the mean over channels, and how many there are per second.

    The decoder (libsndfile) takes a WAV that was cut off for a shorter one, so the lengths in the file are compared with the file; of a
    FLAC, the md5 of the sound that its header holds is compared with what was decoded.

    Raises:
        UserError: missing, empty, cut off, damaged, or another format.
    """
    import soundfile

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); {_REMEDY}") from error
    if _FORMATS.get(data[:4]) != path.suffix.lower():
        what = "is truncated: 0 bytes" if not data else f"begins with {data[:4]!r}, which is no {path.suffix} file"
        raise UserError(f"{path} {what}; {_REMEDY}")
    if data[:4] == b"RIFF":
        _check_chunks(path, data)
    try:
        with soundfile.SoundFile(path) as file:
            rate, told, kind = file.samplerate, file.frames, file.subtype
            samples_NC = file.read(dtype="int32", always_2d=True) if kind.startswith("PCM_") else file.read(dtype="float64", always_2d=True)
    except (RuntimeError, OSError, ValueError, TypeError, MemoryError) as error:
        raise UserError(f"{path} is damaged ({error}); {_REMEDY}") from error
    if len(samples_NC) != told or told == 0:
        raise UserError(f"{path} is truncated: {len(samples_NC)} of {told} samples; {_REMEDY}")
    if data[:4] == b"fLaC":
        _check_md5(path, data, samples_NC, int(kind.removeprefix("PCM_").replace("S8", "8")))
    values_NC = samples_NC / 2.0**31 if samples_NC.dtype == np.int32 else samples_NC
    if not np.isfinite(values_NC).all():
        raise UserError(f"{path} is damaged: it holds samples that are no numbers; {_REMEDY}")
    return values_NC.mean(axis=1), rate


def _check_chunks(path: Path, data: bytes) -> None:
    """A WAV's chunks lie within the file, and one of them holds the sound."""
    place, found = 12, False
    while place + 8 <= len(data):
        name, (size,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        if place + 8 + size > len(data):
            text = name.decode("ascii", "replace")
            raise UserError(
                f"{path} is truncated: the part {text!r} at byte {place} has {size} bytes, {len(data) - place - 8} are left; {_REMEDY}"
            )
        found |= name == b"data"
        place += 8 + size + size % 2
    if not found:
        raise UserError(f"{path} is truncated: it ends at byte {len(data)}, before its sound; {_REMEDY}")


def _check_md5(path: Path, data: bytes, samples_NC: np.ndarray, bits: int) -> None:
    """The md5 in a FLAC's first block is of its samples, each in as few whole bytes as hold it, little endian; all zero: not known."""
    told = data[26:42]
    if len(told) < 16 or told == bytes(16):
        return
    width = -(-bits // 8)
    values = (samples_NC.reshape(-1) >> (32 - bits)).astype("<i4")
    found = hashlib.md5(values.view(np.uint8).reshape(-1, 4)[:, :width].tobytes(), usedforsecurity=False).digest()
    if found != told:
        raise UserError(f"{path} is damaged: its sound has not the md5 that its header states; {_REMEDY}")
