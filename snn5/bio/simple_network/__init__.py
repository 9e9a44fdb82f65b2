"""P8.2, balance of excitation and inhibition: a network that obeys Dale's law, and what makes it stable."""

from snn5.bio.simple_network._layer import KINDS as KINDS
from snn5.bio.simple_network._layer import Layer as Layer
from snn5.bio.simple_network._layer import Neurons as Neurons
from snn5.bio.simple_network._layer import Wiring as Wiring
from snn5.bio.simple_network._network import BioSNN as BioSNN
from snn5.bio.simple_network._network import Trace as Trace
from snn5.bio.simple_network._stability import check_alive as check_alive
from snn5.bio.simple_network._stability import correlation as correlation
from snn5.bio.simple_network._stability import dale_violations as dale_violations
from snn5.bio.simple_network._stability import highest_rate as highest_rate
from snn5.bio.simple_network._stability import stability as stability
from snn5.bio.simple_network._trial import VARIANTS as VARIANTS
from snn5.bio.simple_network._trial import Variant as Variant
from snn5.bio.simple_network._trial import digits_trial as digits_trial
from snn5.bio.simple_network._trial import steady_trial as steady_trial
from snn5.bio.simple_network._verdict import verdict as verdict
