"""An event-driven engine for whole-number networks on a CPU: work in proportion to spikes, exact, without torch (P5.2).

`compile(network)` gives a callable: a batch in, classes and exits out; `start()` and `push(...)` take one frame or event packet at a time.
"""

from typing import TYPE_CHECKING

from snn5.inference.engine._engine import Answer as Answer
from snn5.inference.engine._engine import Decision as Decision
from snn5.inference.engine._engine import Engine as Engine

if TYPE_CHECKING:
    from snn5.hardware import IntegerNetwork


def compile(network: "IntegerNetwork", *, threads: int = 1) -> Engine:
    """The network, ready to run.

    Args:
        network: of `snn5.hardware.to_integer` or `load_integer`. threads: samples of a batch are shared among so many.

    Raises:
        UserError: the network does not hang together, or its sums could leave 32 bits.
    """
    return Engine(network, threads=threads)
