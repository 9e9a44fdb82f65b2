"""What a network takes of a Loihi 2: an estimate from published limits, since no chip and no compiler for one is at hand.

A chip has 128 neuron cores of at most 8192 neurons, and about 120 million synapses in all, so 937 500 a core. A population is spread over
as many cores as the tighter of both limits asks for; cores are not shared by populations. Synapses are counted one by one (non-zero ones):
the chip's compression of convolutions, which keeps a kernel once, would take less.
Source: Intel, Taking Neuromorphic Computing to the Next Level with Loihi 2, technology brief, 2021.
"""

from dataclasses import dataclass

import numpy as np

from snn5.hardware._integer_network import IntegerNetwork
from snn5.hardware._lava_plan import plan

CORES, NEURONS_A_CORE, SYNAPSES_A_CORE = 128, 8192, 120_000_000 // 128


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Of a network, or of one population.

    Attributes:
        neurons, synapses: how many. kernels: weights as they are stored once for a whole convolution. cores: of a chip.
        delay: longest extra delay, in steps.
    """

    neurons: int
    synapses: int
    kernels: int
    cores: int
    delay: int

    @property
    def chips(self) -> int:
        """Chips that these cores are."""
        return -(-self.cores // CORES)


def resources(network: IntegerNetwork) -> dict[str, Resources]:
    """By population, `readout`, and `total`."""
    how, found = plan(network), {}
    parts = {p.name: (int(np.prod(p.shape)), p.synapses) for p in network.populations}
    parts["readout"] = (len(network.readout.bias), network.readout.synapses)
    for name, (neurons, made) in parts.items():
        wirings = how.wiring["" if name == "readout" else name]
        synapses = sum(int(np.count_nonzero(wiring.weights.data)) for wiring in wirings)
        kernels = sum(int(np.count_nonzero(one.weight)) for one in made)
        cores = max(-(-neurons // NEURONS_A_CORE), -(-synapses // SYNAPSES_A_CORE))
        found[name] = Resources(
            neurons=neurons, synapses=synapses, kernels=kernels, cores=cores, delay=max(wiring.delay for wiring in wirings)
        )
    every = found.values()
    found["total"] = Resources(
        neurons=sum(r.neurons for r in every),
        synapses=sum(r.synapses for r in every),
        kernels=sum(r.kernels for r in every),
        cores=sum(r.cores for r in every),
        delay=max(r.delay for r in every),
    )
    return found
