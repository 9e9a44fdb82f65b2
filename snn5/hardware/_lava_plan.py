"""How a network lies in Lava's time: every synapse costs a step, so a population of depth l answers l steps late.

    depth(input) = 0        depth(p) = 1 + largest depth of its sources        extra delay of a synapse = depth(p) - 1 - depth(source)

Sources that are less deep than the others (skip connections) wait: their synapses have the extra delay, up to Loihi's 62 steps.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from snn5.errors import NotPortable
from snn5.hardware._integer_network import INPUT, IntegerNetwork, Population, Synapses
from snn5.hardware._matrix import Shape, matrix

LONGEST_DELAY = 62
LARGEST_WEIGHT = 127


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Synapses from one source: weights [neurons, source's neurons], delay: extra steps."""

    source: str
    weights: csr_matrix
    delay: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Depths by population, wirings by population ('' is the read-out), the depth at which the read-out's currents arrive."""

    depth: dict[str, int]
    wiring: dict[str, tuple[Wiring, ...]]
    readout_depth: int


def plan(network: IntegerNetwork, *, equalise: bool = True) -> Plan:
    """Depths and delays.

    Args:
        equalise: False leaves the extra delays out, which is wrong wherever paths differ in length (for tests of the comparison).

    Raises:
        NotPortable: a weight outside 8 bits or a delay beyond 62 steps; names the population.
    """
    depth, shape = {INPUT: 0}, {INPUT: network.input_shape} | {p.name: p.shape for p in network.populations}
    wiring: dict[str, tuple[Wiring, ...]] = {}

    def wire(name: str, synapses: tuple[Synapses, ...], behind: Shape) -> int:
        latest = max(depth[one.source] for one in synapses)
        made: dict[tuple[str, int], csr_matrix] = {}
        for one in synapses:
            delay = latest - depth[one.source] if equalise else 0
            _check(name, one, delay)
            weights, key = matrix(one, shape[one.source], behind), (one.source, delay)
            made[key] = made[key] + weights if key in made else weights
        wiring[name] = tuple(Wiring(source=source, weights=weights, delay=delay) for (source, delay), weights in made.items())
        return latest

    for p in network.populations:
        depth[p.name] = 1 + wire(p.name, p.synapses, p.shape)
    latest = wire("", network.readout.synapses, (len(network.readout.bias), 1, 1))
    return Plan(depth=depth, wiring=wiring, readout_depth=latest + 1)


def _check(name: str, synapses: Synapses, delay: int) -> None:
    largest = int(np.abs(synapses.weight).max(initial=0))
    where = f"population {name}" if name else "the read-out"
    if largest > LARGEST_WEIGHT:
        raise NotPortable(f"{where}: weight {largest}; Loihi's synapses have 8 bits, -127 to 127; port with bits=8 or fewer")
    if delay > LONGEST_DELAY:
        raise NotPortable(f"{where}: its source {synapses.source} must wait {delay} steps, Loihi delays by at most {LONGEST_DELAY}")


def per_neuron(values: np.ndarray, population: Population) -> np.ndarray:
    """Numbers per channel -> per neuron, flat."""
    _, height, width = population.shape
    return np.repeat(values, height * width).astype(np.int32)
