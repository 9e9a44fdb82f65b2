"""Compiled loops that are kept on disk between processes."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache


def digest_of(sources: Iterable[Path]) -> str:
    """A digest of the files as they are now: take it when they are imported, before anybody edits them."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources))).hexdigest()


def named(function: Callable[..., Any], variant: tuple[int, ...]) -> Callable[..., Any]:
    """Give a function that is made anew for every `variant` a name of its own, before numba sees it.

    A symbol is the function's name and a number that every process counts anew. Of two with one symbol, from two processes' files, a third
    process would run one in the place of the other; and they would share an index, which numba writes without a lock.
    """
    function.__qualname__ += "".join(f"_{int(part)}" for part in variant)
    return function


def kept(compiled: Any, function: Callable[..., Any], sources: Iterable[Path] | str) -> Any:
    """Keep `compiled` (numba's of `function`) in __pycache__ or the user's cache; where neither can be written, every process compiles.

    Args:
        sources: the files that become its code or say how, read now, or their digest. Numba's own cache looks at the function's file
            only; a changed helper must count, too.
    """
    digest = sources if isinstance(sources, str) else digest_of(sources)

    class Cache(FunctionCache):
        def _index_key(self, sig: Any, codegen: Any) -> Any:
            return sig, codegen.magic_tuple(), digest  # numba's own has the helpers of a nested function in it, new in every process

    try:
        compiled._cache = Cache(function)
    except RuntimeError:  # nowhere to write
        return compiled
    return compiled
