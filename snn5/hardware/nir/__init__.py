"""NIR, the exchange format of spiking networks (P5.2): integer networks out and back in."""

from snn5.hardware.nir._export import export as export
from snn5.hardware.nir._export import to_graph as to_graph
from snn5.hardware.nir._load import from_graph as from_graph
from snn5.hardware.nir._load import load as load
from snn5.hardware.nir._spikingjelly import run_spikingjelly as run_spikingjelly
