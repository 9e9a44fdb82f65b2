"""P8.2, balance of excitation and inhibition: a network that obeys Dale's law, and what makes it stable."""

from snn5.bio.simple_network._layer import KINDS as KINDS
from snn5.bio.simple_network._layer import Layer as Layer
from snn5.bio.simple_network._layer import Neurons as Neurons
from snn5.bio.simple_network._layer import Wiring as Wiring
from snn5.bio.simple_network._network import BioSNN as BioSNN
from snn5.bio.simple_network._network import Trace as Trace
