"""Other hardware (P5.2, P5.3): networks in whole numbers, and the chips that run them."""

from typing import TYPE_CHECKING

from snn5._lazy import on_use

if TYPE_CHECKING:
    from snn5.hardware._integer_file import load_integer as load_integer
    from snn5.hardware._integer_file import save_integer as save_integer
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
else:
    __getattr__, __dir__ = on_use(__name__, __file__)  # the event engine runs where there is no torch
