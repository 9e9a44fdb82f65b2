"""How the engine's loops are compiled: without the GIL, and kept on disk between processes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

COMPILED = ("compiled", "kernel", "rows", "table", "vectors")


class _Cache(FunctionCache):
    """Numba's cache, which looks at a function's own file only: a changed helper in another file must count, too."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _sources())


def _sources() -> str:
    """Of the files that become compiled code."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / f"_{name}.py").read_bytes() for name in COMPILED)).hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call; the code is kept in __pycache__ or the user's cache, if one can be written."""
    made = numba.njit(nogil=True, error_model="numpy", _nrt=False)(function)
    try:
        made._cache = _Cache(function)
    except RuntimeError:  # nowhere to write: every process compiles for itself
        return made
    return made


def helper(function: Callable[..., Any]) -> Any:
    """Becomes part of the compiled loop that calls it."""
    return numba.njit(nogil=True, error_model="numpy", _nrt=False, forceinline=True)(function)
