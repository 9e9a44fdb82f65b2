"""Copies the report to where git keeps it: reports/ -> docs/results/.

    python -m snn5.report.publish          (make publish)

Only what `dvc repro` made is published: the bytes of reports/ must be those that dvc.lock names.
"""

import sys
from pathlib import Path

from snn5 import lockfile
from snn5.errors import UserError
from snn5.files import find_root, md5
from snn5.report._build import write

STAGE, SOURCE, TARGET = "report", "reports", "docs/results"


def publish(root: Path) -> list[Path]:
    """Copy the report; returns the files of docs/results.

    Raises:
        UserError: the report was never made, is missing, or is not what dvc.lock names.
    """
    wanted, source = _locked(root), root / SOURCE
    if wanted is None:
        raise UserError(f"dvc.lock names no {SOURCE}: the report was never made; make it with `dvc repro {STAGE}`")
    if not source.is_dir():
        raise UserError(f"{SOURCE}/ is missing; make it with `dvc repro {STAGE}`, or fetch it with `dvc checkout {SOURCE}`")
    found = md5(source)
    if found != wanted:
        raise UserError(f"{SOURCE}/ has md5 {found}, dvc.lock says {wanted}; run `dvc repro {STAGE}`, then publish again")
    write({file.name: file.read_bytes() for file in sorted(source.iterdir())}, root / TARGET)
    return sorted((root / TARGET).iterdir())


def stale(root: Path) -> str | None:
    """Why docs/results is not the report that dvc.lock names; None where it is, or where nothing was published yet."""
    target = root / TARGET
    if not target.is_dir():
        return None
    found, wanted = md5(target), _locked(root)
    return None if found == wanted else f"{TARGET} has md5 {found}, dvc.lock says {wanted} for {SOURCE}; run `make publish`"


def _locked(root: Path) -> str | None:
    stage = lockfile.read(root).stages.get(STAGE)
    return stage.outs.get(SOURCE) if stage else None


def main() -> None:
    """Publish, and say what; one line and exit code 1 on a user's mistake."""
    try:
        root = find_root()
        files = publish(root)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    sys.stdout.write(f"{len(files)} files in {TARGET}, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
