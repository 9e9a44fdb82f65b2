"""Other hardware (P5.2, P5.3): networks in whole numbers, and the chips that run them."""

from snn5.hardware import lava as lava
from snn5.hardware._integer_network import IntegerNetwork as IntegerNetwork
from snn5.hardware._integer_network import Population as Population
from snn5.hardware._integer_network import Readout as Readout
from snn5.hardware._integer_network import Synapses as Synapses
from snn5.hardware._integer_network import Trace as Trace
from snn5.hardware._integer_network import loihi_step as loihi_step
from snn5.hardware._lava_import import lava_importable as lava_importable
from snn5.hardware._parity import Parity as Parity
from snn5.hardware._parity import compare as compare
from snn5.hardware._to_integer import port as port
from snn5.hardware._to_integer import to_integer as to_integer
