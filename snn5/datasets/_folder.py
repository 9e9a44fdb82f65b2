"""The user's own files: `root/[train|val|test/]<class>/<file>`, with a SHA256SUMS beside them if there is one."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snn5.errors import UserError

SIDES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a folder holds.

    Attributes:
        root: the folder. paths: its files in order of split, class and name. y_N: their class numbers.
        classes: names of the class folders, in alphabetical order.
        test_N, val_N: True for what lies in a test or validation folder; None where there is no such folder.
        suffixes: what a file must end in; files that do not are an error when they are read.
        sums: sha256 by relative name, from SHA256SUMS.
    """

    root: Path
    paths: list[Path]
    y_N: np.ndarray
    classes: tuple[str, ...]
    test_N: np.ndarray | None
    val_N: np.ndarray | None
    suffixes: tuple[str, ...]
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Relative to the folder, with `/`."""
        return [path.relative_to(self.root).as_posix() for path in self.paths]

    def digest(self, i: int) -> str:
        """sha256 of file `i`.

        Raises:
            UserError: its suffix is not among `suffixes`, it cannot be read, or it is not what SHA256SUMS says.
        """
        path = self.paths[i]
        if path.suffix.lower() not in self.suffixes:
            raise UserError(f"{path} is none of {', '.join(self.suffixes)}; take it out of the set, or convert it")
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror or error}); copy it again") from error
        name = path.relative_to(self.root).as_posix()
        if self.sums and self.sums.get(name, "") != found:
            what = "is not listed in" if name not in self.sums else f"has the sha256 {found[:12]}…, not {self.sums[name][:12]}… of"
            raise UserError(f"{path} {what} {SUMS}; copy the file again, or make {SUMS} new with `sha256sum`")
        return found


def walk(root: Path, suffixes: tuple[str, ...]) -> Files:
    """Find the files of a set; hidden ones (.DS_Store) are no part of it.

    Raises:
        UserError: no classes, fewer than two, an empty class folder, recordings outside of class folders, a split without its train or
            test folder, a class in test that train lacks, or a listed file that is not there.
    """
    top = _folders(root)
    sides = {folder.name: SIDES[folder.name.lower()] for folder in top if folder.name.lower() in SIDES}
    divided = "train" in sides.values()
    if divided:
        _check_sides(root, top, sides)
    found: list[tuple[str, str, Path]] = []
    for folder in top if divided else [root]:
        side = sides[folder.name] if divided else "train"
        _check_stray(folder, suffixes)
        for place in _folders(folder):
            files = sorted(p for p in place.rglob("*") if p.is_file() and not _hidden(p.relative_to(root)))
            if not files:
                raise UserError(f"{place} holds no files; fill it, or take this class out of the set")
            found += [(side, place.name, path) for path in files]
    classes = tuple(sorted({name for side, name, _ in found if side == "train"}))
    strange = sorted({name for _, name, _ in found} - set(classes))
    if strange:
        raise UserError(f"{root}: the class {strange[0]!r} has no folder under train; name the classes of every split alike")
    if len(classes) < 2:
        raise UserError(f"{root} holds {len(classes)} class folders; need at least two, as [train|val|test/]<class>/<file>")
    number = {name: i for i, name in enumerate(classes)}

    def marks(side: str) -> np.ndarray | None:
        return np.array([s == side for s, _, _ in found]) if side in sides.values() and divided else None

    sums = _sums(root)
    listed = {path.relative_to(root).as_posix() for _, _, path in found}
    missing = sorted(set(sums) - listed - {name for name in sums if "/" not in name})
    if missing:
        raise UserError(f"{root / missing[0]} is listed in {SUMS} but is not there ({len(missing)} such files); copy the set again")
    return Files(
        root=root,
        paths=[path for _, _, path in found],
        y_N=np.array([number[name] for _, name, _ in found], np.int64),
        classes=classes,
        test_N=marks("test"),
        val_N=marks("val"),
        suffixes=suffixes,
        sums=sums,
    )


def _check_sides(root: Path, top: list[Path], sides: dict[str, str]) -> None:
    strange = [folder.name for folder in top if folder.name not in sides]
    if strange:
        raise UserError(f"{root} holds train and {strange[0]!r}; beside train only val and test may lie, classes go into each of them")
    if "test" not in sides.values() or len(set(sides.values())) < len(sides):
        raise UserError(
            f"{root} holds {', '.join(sides)}; need one train and one test folder (val is optional), or the classes themselves: "
            "then SNN5 divides them"
        )


def _check_stray(folder: Path, suffixes: tuple[str, ...]) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in suffixes:
            raise UserError(f"{path} lies outside of the class folders; move it into its class")


def _folders(place: Path) -> list[Path]:
    return sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _sums(root: Path) -> dict[str, str]:
    """name -> sha256 of every line of SHA256SUMS, as `sha256sum` writes it."""
    path, sums = root / SUMS, {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else [], start=1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(.+)", line)
        if match is None:
            raise UserError(f"{path} line {number} is not `<sha256>  <name>`; make it new with `sha256sum`")
        sums[match[2]] = match[1]
    return sums
