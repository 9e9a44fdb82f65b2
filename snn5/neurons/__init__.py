"""Spiking neurons (P2.1, P2.2) on SpikingJelly's base classes."""

from snn5.neurons._adaptive_lif import AdaptiveLIF as AdaptiveLIF
from snn5.neurons._dynamic_glif import DynamicGLIF as DynamicGLIF
from snn5.neurons._glif import GLIF as GLIF
from snn5.neurons._latch import TTFSLatch as TTFSLatch
from snn5.neurons._latch import potential as potential
from snn5.neurons._lif import IF as IF
from snn5.neurons._lif import LIF as LIF
from snn5.neurons._lif import PLIF as PLIF
from snn5.neurons._lsq import SMALLEST_STEP as SMALLEST_STEP
from snn5.neurons._lsq import QuantisedReLU as QuantisedReLU
from snn5.neurons._lsq import lsq as lsq
from snn5.neurons._membrane import MembraneLIF as MembraneLIF
from snn5.neurons._membrane import integer_lif as integer_lif
from snn5.neurons._registry import NEURONS as NEURONS
from snn5.neurons._registry import create_neuron as create_neuron
from snn5.neurons._surrogate import SURROGATES as SURROGATES
from snn5.neurons._surrogate import create_surrogate as create_surrogate
from snn5.neurons._ttfs import TTFS as TTFS
