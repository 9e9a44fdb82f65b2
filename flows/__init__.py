"""The roadmap's phases as Prefect flows: they decide when, where and how often; DVC decides what."""

import os
from pathlib import Path

from snn5.errors import UserError, unknown
from snn5.files import find_root


def names() -> list[str]:
    """The flows in roadmap order: p1_architectures ... p8_bio."""
    return sorted(path.stem for path in Path(__file__).parent.glob("p[0-9]_*.py"))


def find(phase: str) -> str:
    """The flow of `phase`, given by its number (`p1`), its name (`p1_architectures`) or `roadmap`.

    Raises:
        UserError: names the closest known ones.
    """
    known = {name.partition("_")[0]: name for name in names()} | {name: name for name in [*names(), "roadmap"]}
    if phase not in known:
        raise unknown("phase", phase, known)
    return known[phase]


def _settle() -> None:
    """Keep Prefect's files in the checkout and give its temporary server the time that a first start takes; a value the user set stays."""
    try:
        os.environ.setdefault("PREFECT_HOME", str(find_root() / ".prefect"))
    except UserError:
        pass  # imported from elsewhere: Prefect's own default
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")


_settle()  # before any module here imports prefect, which reads these once
