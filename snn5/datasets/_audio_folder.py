"""Sounds by class, through the cochlea: `audio_folder`, your own, and the Heidelberg Digits."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from snn5.datasets._audio import SUFFIXES, read_audio
from snn5.datasets._cochlea import cochlea, spike_frames
from snn5.datasets._folder import walk
from snn5.datasets._registry import Entry, Request, register
from snn5.datasets._root import need
from snn5.datasets._source import Source, stamp
from snn5.errors import UserError

HEIDELBERG = "heidelberg_cochlea"
_FILES = (
    "HeidelbergDigits/audio/lang-<language>_speaker-<nn>_trial-<n>_digit-<d>.flac with HeidelbergDigits/train_filenames.txt and "
    "HeidelbergDigits/test_filenames.txt (the official set's hd_audio.tar.gz; any number of samples per second from 14000)"
)


def read_audio_folder(request: Request) -> Source:
    """Spike counts uint8 [T, 1, C, W] of each sound (see `cochlea`).

    Raises:
        UserError: see `walk`. Reading a sample: see `read_audio` and `cochlea`; the message names the file.
    """
    files = walk(request.root, SUFFIXES)
    more: dict[str, Any] = {"val_N": files.val_N, "digest": files.digest, "classes": files.classes}
    return _source(request, files.paths, files.names, files.y_N, files.test_N, (files.sums,), **more)


def read_heidelberg(request: Request) -> Source:
    """The Heidelberg Digits' sound through our own encoder; class 10 * (german) + digit, as in SHD; the official split by speaker.

    Raises:
        UserError: a list or a listed file is missing, or a name is not of the official kind.
    """
    root = need(request.root / "HeidelbergDigits", HEIDELBERG, _FILES)
    paths: list[Path] = []
    labels: list[int] = []
    test: list[bool] = []
    for part in ("train", "test"):
        listing = need(root / f"{part}_filenames.txt", HEIDELBERG, _FILES)
        for name in listing.read_text(encoding="utf-8").split():
            match = re.fullmatch(r"lang-(english|german)_speaker-\d+_trial-\d+_digit-(\d)\.flac", name)
            if match is None:
                raise UserError(f"{listing} lists {name!r}, which is not named as the official files are; restore it from {_FILES}")
            paths.append(need(root / "audio" / name, HEIDELBERG, _FILES))
            labels.append(10 * (match[1] == "german") + int(match[2]))
            test.append(part == "test")
    names = [path.relative_to(request.root).as_posix() for path in paths]
    return _source(request, paths, names, np.array(labels, np.int64), np.array(test), ())


def _source(
    request: Request, paths: list[Path], names: Sequence[str], y_N: np.ndarray, test_N: np.ndarray | None, state: object, **more: Any
) -> Source:
    settings, columns = request.cochlea, request.binning.columns or request.cochlea.channels
    return Source(
        names=names,
        y_N=y_N,
        test_N=test_N,
        shape=(request.time_steps, 1, settings.channels, columns),
        read=_reader(paths, request, columns),
        stamp=stamp(paths, (request.time_steps, request.binning, settings, state)),
        info={"cochlea": asdict(settings), "frames": "time", "columns": columns, "channels": ["spikes"]},
        root=request.root,
        square=columns > 1,
        **more,
    )


def _reader(paths: list[Path], request: Request, columns: int) -> Callable[[int], tuple[np.ndarray, int]]:
    def read(i: int) -> tuple[np.ndarray, int]:
        samples, rate_hz = read_audio(paths[i])
        try:
            return spike_frames(cochlea(samples, rate_hz, request.cochlea), request.time_steps, columns), 0
        except UserError as error:
            raise UserError(f"{paths[i]}: {error}") from error

    return read


register(
    Entry(
        name="audio_folder",
        kind="events",
        classes=(),
        source="your own sounds (data.events.folder.path), made spikes by snn5.datasets.cochlea",
        licence="your own",
        citation="your own",
        files=f"[train|val|test/]<class>/*{{{','.join(SUFFIXES)}}}",
        loader=read_audio_folder,
        own=True,
    )
)
register(
    Entry(
        name=HEIDELBERG,
        kind="events",
        classes=tuple(f"{language}_{digit}" for language in ("english", "german") for digit in range(10)),
        source="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/ (the sound), made spikes by snn5.datasets.cochlea; no SHD, "
        "whose spikes come from its authors' own model",
        licence="CC BY 4.0",
        citation="B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, The Heidelberg Spiking Data Sets for the Systematic Evaluation of "
        "Spiking Neural Networks, IEEE Trans. Neural Netw. Learn. Syst. 33(7), 2022, doi:10.1109/TNNLS.2020.3044364",
        files=_FILES,
        paths=("HeidelbergDigits",),
        loader=read_heidelberg,
    )
)
