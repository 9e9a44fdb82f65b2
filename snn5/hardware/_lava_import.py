"""Lava on Python 3.11: the one thing that keeps lava-nc 0.10 from importing, and its cure."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch


@contextmanager
def lava_importable() -> Iterator[None]:
    """Import Lava inside this block: `with lava_importable(): from lava.proc.lif.process import LIF`.

    Python 3.11 takes only hashable defaults for the fields of a dataclass; before, everything but list, dict and set would do. Lava has
    a field whose default is an instance of one of its own dataclasses, which is not hashable because it is not frozen. So Lava's
    dataclasses, and nobody else's, are made hashable while it is imported.
    """
    original = dataclasses.dataclass

    @wraps(original)
    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        def decorate(cls: type) -> type:
            if cls.__module__.partition(".")[0] == "lava" and "__hash__" not in vars(cls) and not options.get("frozen"):
                return original(cls, **{"unsafe_hash": True, **options})
            return original(cls, **options)

        return decorate if cls is None else decorate(cls)

    with patch.object(dataclasses, "dataclass", dataclass):
        yield
