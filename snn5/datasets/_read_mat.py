"""ST-MNIST's `.mat`: a tactile sensor's spikes as one matrix."""

import io
import warnings
import zlib
from pathlib import Path

import numpy as np

from snn5.datasets._recording import Recording, content, damaged, recording
from snn5.errors import UserError

_BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, NotImplementedError),
    *(OverflowError, MemoryError, UnicodeDecodeError, AssertionError, zlib.error),
)
_NAME = "spiketrain"


def read_mat(path: Path) -> Recording:
    """The events of the matrix `spiketrain` [side^2 + 1, E] of a MATLAB 5 file: 1 or -1 where a taxel fired, the last row the times.

        x = a mod side,   y = floor(a / side),   p = 1 where the value is 1, else 0,   t = floor(10^6 s + 10^-3)

    for each value of row a and a time s in seconds that is not 0; the summand keeps whole microseconds what they are.

    Raises:
        UserError: missing, empty, cut off, no such matrix, no square of taxels, values but -1, 0 and 1, or times that are no numbers.

    Source: See et al., ST-MNIST, 2020, arXiv 2005.04319 (there side = 10).
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    data = content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = loadmat(io.BytesIO(data), variable_names=[_NAME])
    except (*_BROKEN, MatReadError, Warning) as error:
        raise damaged(path, f"truncated or no MATLAB 5 file ({type(error).__name__}: {error})") from error
    if _NAME not in found:
        raise damaged(path, f"it has no matrix {_NAME!r}")
    matrix = found[_NAME]
    side = round((len(matrix) - 1) ** 0.5) if isinstance(matrix, np.ndarray) and matrix.ndim == 2 and len(matrix) > 1 else 0
    if side < 1 or side**2 != len(matrix) - 1 or matrix.dtype.kind not in "fiu":
        raise damaged(path, f"{_NAME} is {matrix.dtype}{list(matrix.shape)}, not numbers [side^2 + 1, events]")
    values_EA, seconds_E = matrix[:-1].T, matrix[-1].astype(np.float64)
    if not np.isin(values_EA, (-1, 0, 1)).all():
        raise damaged(path, f"{_NAME} has values from {values_EA.min()} to {values_EA.max()}; a taxel has -1, 0 or 1")
    if not (np.isfinite(seconds_E).all() and (np.abs(seconds_E) < 1e12).all()):
        raise damaged(path, "its times are no numbers of seconds")
    event, address = values_EA.nonzero()
    if not len(event):
        raise UserError(f"{path} holds no events; copy this recording again, or take it out of the set")
    t = np.floor(seconds_E * 1e6 + 1e-3).astype(np.int64)[event]
    return recording(path, t, address % side, address // side, (values_EA[event, address] > 0).astype(np.int64), (side, side))
