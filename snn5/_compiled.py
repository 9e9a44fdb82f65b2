"""Compiled loops that are kept on disk between processes."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache


def kept(compiled: Any, function: Callable[..., Any], sources: Iterable[Path]) -> Any:
    """Keep `compiled` (numba's of `function`) in __pycache__ or the user's cache; where neither can be written, every process compiles.

    Args:
        sources: the files that become its code or say how, read now. Numba's own cache looks at the function's file only; a changed
            helper must count, too.
    """
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources))).hexdigest()

    class Cache(FunctionCache):
        def _index_key(self, sig: Any, codegen: Any) -> Any:
            return (*super()._index_key(sig, codegen), digest)

    try:
        compiled._cache = Cache(function)
    except RuntimeError:  # nowhere to write
        return compiled
    return compiled
