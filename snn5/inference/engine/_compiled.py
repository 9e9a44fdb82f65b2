"""How the engine's loops are compiled: without the GIL, and kept on disk between processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

from snn5._compiled import kept

SOURCES = [
    Path(__file__).parent / f"_{name}.py" for name in ("compiled", "kernel", "masks", "rows", "scatter", "sweep", "table", "vectors")
]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call."""
    return kept(numba.njit(nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True)(function), function, SOURCES)


def helper(function: Callable[..., Any]) -> Any:
    """Becomes part of the compiled loop that calls it."""
    return numba.njit(nogil=True, error_model="numpy", _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )


def apart(function: Callable[..., Any]) -> Any:
    """Is compiled by itself, with `stay_apart`: its loops then find more registers. For what runs once a step and population."""
    return numba.njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


@intrinsic
def stay_apart(_context):  # type: ignore[no-untyped-def]
    """The function that says this first is not inlined."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.discard("alwaysinline")
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), make
