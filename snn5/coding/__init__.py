"""Codes that turn intensities into spikes, and P2.3: time to first spike against rate, at equal T.

An encoder is a function `code(x_N, time_steps, ...) -> s_TN`: intensities [0, 1] of any shape to spikes 0 or 1, time first.
"""

from snn5.coding._compare import compare as compare
from snn5.coding._fit import Samples as Samples
from snn5.coding._latch_net import LatchNet as LatchNet
from snn5.coding._latency import burst as burst
from snn5.coding._latency import decode_ttfs as decode_ttfs
from snn5.coding._latency import first_spike as first_spike
from snn5.coding._latency import ttfs as ttfs
from snn5.coding._rate import rate as rate
from snn5.coding._rate_net import RateNet as RateNet
from snn5.coding._verdict import verdict as verdict
