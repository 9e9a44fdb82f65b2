"""The roadmap's phases as Prefect flows: they decide when, where and how often; DVC decides what."""

import os
from contextlib import suppress
from pathlib import Path

from snn5._servers import prefect_environment
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
    with suppress(UserError):  # imported outside of a checkout: Prefect's own default
        os.environ.update(prefect_environment(find_root()))


_settle()  # before any module here imports prefect, which reads its settings then
