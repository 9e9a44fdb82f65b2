"""N-MNIST's and N-Caltech101's `.bin`: five bytes an event, nothing else."""

from pathlib import Path

import numpy as np

from snn5.datasets._recording import Recording, content, recording, records

_EVENT = np.dtype([("x", "u1"), ("y", "u1"), ("high", "u1"), ("middle", "u1"), ("low", "u1")])
_OVERFLOW_ROW = 240  # a row that no sensor of these sets has: such an event only says that the clock ran over
_OVERFLOW_US = 1 << 13


def read_bin(path: Path) -> Recording:
    """The events of one recording.

        bytes of an event:  x, y, p << 7 | t[22:16], t[15:8], t[7:0]
        t_e += 2^13 * (number of events up to e with y = 240),   and those events are left out

    The format has no header and no length: a file that was cut between two events is a shorter recording and cannot be told from one;
    a SHA256SUMS beside the set can (see `event_folder`).

    Args:
        path: the file.

    Raises:
        UserError: missing, empty, or it ends within an event.

    Source: Orchard et al. 2015, and their eventvision.py, which tonic's `read_mnist_file` follows, too; this gives the same numbers.
    """
    events = records(path, content(path), 0, _EVENT)
    high, middle, low = (events[name].astype(np.int64) for name in ("high", "middle", "low"))
    overflow = events["y"] == _OVERFLOW_ROW
    t = ((high & 0x7F) << 16 | middle << 8 | low) + _OVERFLOW_US * np.cumsum(overflow)
    kept = ~overflow
    return recording(path, t[kept], events["x"][kept], events["y"][kept], high[kept] >> 7)
