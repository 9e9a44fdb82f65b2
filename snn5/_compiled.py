"""Compiled loops that are kept on disk between processes."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache


def kept(compiled: Any, function: Callable[..., Any], sources: Iterable[Path], variant: tuple[Any, ...] = ()) -> Any:
    """Keep `compiled` (numba's of `function`) in __pycache__ or the user's cache; where neither can be written, every process compiles.

    Args:
        sources: the files that become its code or say how, read now. Numba's own cache looks at the function's file only; a changed
            helper must count, too.
        variant: what a function defined in another one takes from there, beside helpers.
    """
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources))).hexdigest()

    class Cache(FunctionCache):
        def _index_key(self, sig: Any, codegen: Any) -> Any:
            return sig, codegen.magic_tuple(), digest, variant  # numba's own has helpers in it, which are new in every process

    try:
        compiled._cache = Cache(function)
    except RuntimeError:  # nowhere to write
        return compiled
    return compiled
