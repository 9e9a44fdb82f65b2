"""How this package's loops are compiled: at the first call, without the GIL, and kept on disk between processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from snn5._compiled import kept


def compiled(function: Callable[..., Any]) -> Any:
    """Every file whose name ends in `_kernel.py` may become part of the code."""
    here = Path(__file__)
    return kept(numba.njit(nogil=True)(function), function, [here, *here.parent.rglob("*_kernel.py")])
