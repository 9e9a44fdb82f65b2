"""Spiking neurons (P2.1, P2.2) on SpikingJelly's base classes."""

from snn5.neurons._lif import LIF as LIF
from snn5.neurons._lif import PLIF as PLIF
from snn5.neurons._registry import NEURONS as NEURONS
from snn5.neurons._registry import create_neuron as create_neuron
from snn5.neurons._ttfs import TTFS as TTFS
