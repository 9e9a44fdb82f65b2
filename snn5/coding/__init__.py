"""Codes that turn intensities into spikes, and P2.3: time to first spike against rate, at equal T.

An encoder is a function `code(x_N, time_steps, ...) -> s_TN`: intensities [0, 1] of any shape to spikes 0 or 1, time first.
"""

from ._latency import burst as burst
from ._latency import decode_ttfs as decode_ttfs
from ._latency import ttfs as ttfs
from ._rate import rate as rate
