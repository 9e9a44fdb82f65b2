"""Are the official files the official ones? Their md5, as their authors or tonic and torchvision state it."""

from pathlib import Path

from snn5.datasets._registry import find
from snn5.datasets._root import data_root
from snn5.errors import UserError
from snn5.files import md5


def verify_official(name: str, root: str | Path | None = None) -> list[str]:
    """One line for each official file of `name` whose md5 is known: as it should be, or not here.

    Args:
        name: a data set. root: folder of the real data sets; None takes SNN5_DATA_ROOT.

    Raises:
        UserError: unknown name, no md5 is known, no folder, or a file is not the official one; names it.
    """
    entry = find(name)
    if not entry.md5:
        raise UserError(f"data set {name!r}: no md5 of official files is known; of your own folder a SHA256SUMS is checked as it is read")
    place, lines, wrong = data_root(root, name, entry.files), [], []
    for file, expected in entry.md5.items():
        path = next((p for p in _places(place, entry.paths, file) if p.is_file()), None)
        if path is None:
            lines.append(f"{file}: not here (only the unpacked files are read)")
        elif (found := md5(path)) != expected:
            wrong.append(f"{path} has the md5 {found}, the official file has {expected}; download it again")
        else:
            lines.append(f"{path}: the official file")
    if wrong:
        raise UserError("\n".join(wrong))
    return lines


def _places(root: Path, folders: tuple[str, ...], file: str) -> list[Path]:
    return [root / file, *(root / folder / below / file for folder in folders for below in ("", "raw"))]
