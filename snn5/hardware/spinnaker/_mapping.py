"""sPyNNaker's mapping of a network onto a board (P5.3): which cores, keys, routes and memory; read from the files that it leaves.

A virtual board proves that the network has a place, not that it works: for that there are NEST (`run_nest`) and the emulator.
"""

import math
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, IntegerNetwork, Population, Trace
from snn5.hardware.spinnaker._cells import Cell, fit_cell, magnitude, readout_population, signed
from snn5.hardware.spinnaker._connections import expand, shapes
from snn5.hardware.spinnaker._pynn import CLOCK, CORE, Board, ran

CORES_PER_CHIP = 16  # for applications: two of the 18 watch over the rest


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What a board would hold.

    Attributes:
        neurons, synapses: of the program, sources not counted among the neurons.
        cores: used by populations and sources, of them source_cores by sources; chips: that hold such a core.
        cores_by_population: name to cores.
        keys: ranges of routing keys, one for each core that sends spikes. routing_entries: of all chips after compression;
            routing_entries_max: of the fullest chip, which may hold 1023.
        sdram_bytes: planned for the cores counted above; sdram_bytes_max: of the fullest chip, which has 123 MB.
    """

    neurons: int
    synapses: int
    cores: int
    source_cores: int
    chips: int
    cores_by_population: dict[str, int]
    keys: int
    routing_entries: int
    routing_entries_max: int
    sdram_bytes: int
    sdram_bytes_max: int

    def metrics(self) -> dict[str, float]:
        """The numbers by name."""
        return {key: float(value) for key, value in asdict(self).items() if isinstance(value, int)}


def map_virtual(
    network: IntegerNetwork,
    *,
    width: int = 8,
    height: int = 8,
    cells: dict[str, Cell] | None = None,
    neurons_per_core: int = CORE,
    largest_input: int = 1,
) -> Mapping:
    """Map the network onto a virtual machine of width x height chips; 8 x 8 is one 48-chip board.

    Args:
        cells: from `calibrate`; None: for the largest sums that there could be. neurons_per_core: at most 256.
        largest_input: sets how many binary digits, and so sources, a pixel has.

    Raises:
        UserError: sPyNNaker finds no place; with the numbers.
    """
    if not 1 <= neurons_per_core <= CORE:
        raise UserError(f"neurons_per_core={neurons_per_core}; need 1 to {CORE}")
    chips = 48 if (width, height) == (8, 8) else width * height
    size = shapes(network)
    populations = (*network.populations, readout_population(network))
    neurons = sum(math.prod(p.shape) for p in populations)
    synapses = sum(len(expand(one, size[one.source], p.shape).pre) for p in populations for one in p.synapses)
    least = sum(math.ceil(math.prod(p.shape) / neurons_per_core) for p in populations) + 1  # and the input
    need = (
        f"{neurons} neurons and {synapses} synapses need at least {least} cores of {neurons_per_core} neurons; "
        f"{chips} chips have {chips * CORES_PER_CHIP}"
    )
    if least > chips * CORES_PER_CHIP:
        raise UserError(f"the network is too large: {need}; take more boards, or a smaller or narrower model")
    full = np.full((1, 1, *network.input_shape), 2 ** max(1, largest_input.bit_length()) - 1)
    board = Board(width=width, height=height, version=3 if (width, height) == (2, 2) else 5)
    try:
        with ran("spiNNaker", network, full, cells or _widest(network), board, neurons_per_core=neurons_per_core) as folder:
            return Mapping(neurons=neurons, synapses=synapses, **read_proof(folder))
    except UserError as error:
        raise UserError(f"sPyNNaker could not map the network ({need}): {error}") from error


def _widest(network: IntegerNetwork) -> dict[str, Cell]:
    """Cells for all spikes at once."""
    return {p.name: _bound(p, network.time_steps) for p in (*network.populations, readout_population(network))}


def _bound(p: Population, steps: int) -> Cell:
    exc, inh = 0, 0
    for one in p.synapses:
        per_channel = [signed(one, excitatory=kind).weight.reshape(len(p.bias), -1).sum(1) for kind in (True, False)]
        exc, inh = exc + int(per_channel[0].max()), inh + int(per_channel[1].max())
    exc, inh = exc + int(magnitude(p.bias, excitatory=True).max()), inh + int(magnitude(p.bias, excitatory=False).max())
    return fit_cell(p, peak=max(exc, inh), exc=exc, inh=inh, steps=steps)


def read_proof(folder: Path) -> dict[str, Any]:
    """The numbers of a `Mapping` in the reports under `folder`.

    Raises:
        UserError: sPyNNaker did not finish, or left no report of a kind, or a core without a place.
    """
    runs = sorted((folder / "reports").glob("*/finished"))
    if not runs:
        raise UserError("sPyNNaker did not finish: it left no reports/*/finished")
    run = runs[-1].parent / "run_1"
    cores, chips = _placements(_read(run / "placement_by_vertex_using_graph.rpt"))
    keys = re.findall(r"Machine Vertex: (.+), Slice", _read(run / "virtual_key_space_information_report.rpt"))
    tables = [
        int(found[1])
        for path in sorted((run / "compressed_routing_tables_generated").glob("routing_table_*.rpt"))
        if (found := re.search(r"Router contains (\d+) entries", _read(path)))
    ]
    memory: Counter[str] = Counter()
    planned = _read(run / "chip_sdram_usage_by_core.rpt")
    for chip, size, vertex in re.findall(
        r"SDRAM reqs for core \((\d+,\d+),\d+\) is .*?\((\d+) bytes\) for Placement\(vertex=(\S+)", planned
    ):
        if not vertex.startswith("SYSTEM:"):
            memory[chip] += int(size)
    if not (cores and keys and memory):
        raise UserError(f"sPyNNaker's reports name {len(cores)} populations, {len(keys)} keys and {len(memory)} chips with memory in use")
    return {
        "cores": sum(cores.values()),
        "source_cores": sum(count for name, count in cores.items() if name in (INPUT, CLOCK)),
        "chips": len(chips),
        "cores_by_population": dict(cores),
        "keys": len(keys),
        "routing_entries": sum(tables),
        "routing_entries_max": max(tables, default=0),
        "sdram_bytes": sum(memory.values()),
        "sdram_bytes_max": max(memory.values()),
    }


def _placements(text: str) -> tuple[Counter[str], set[tuple[str, str]]]:
    """Cores by population, and the chips of all of them."""
    cores: Counter[str] = Counter()
    chips: set[tuple[str, str]] = set()
    for part in text.split("**** Vertex: ")[1:]:
        name = part.split("'")[1]
        places = re.findall(r"on core \((\d+), (\d+), \d+\)", part)
        slices = len(re.findall(r"Slice ", part))
        if name.startswith("SYSTEM"):
            continue
        if len(places) != slices or not places:
            raise UserError(f"sPyNNaker placed {len(places)} of the {slices} parts of {name}")
        cores[name] = len(places)
        chips |= {(x, y) for x, y in places}
    return cores, chips


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"sPyNNaker left no {path.name}; was its mapping cut short?") from error


def events_per_step(network: IntegerNetwork, trace: Trace) -> dict[str, float]:
    """Synaptic events that reach a population in a step, mean over samples and steps; of spikes between populations, not of the input's.

    A core is built for 10 000 a millisecond (Rhodes et al. 2018).
    """
    size, found = shapes(network), {}
    runs = math.prod(trace.logits_TNK.shape[:2])
    for p in (*network.populations, readout_population(network)):
        events = 0  # whole numbers, divided once: each CPU sums floats in an order of its own
        for one in p.synapses:
            if one.source != INPUT:
                listed = expand(one, size[one.source], p.shape)
                fan_out = np.bincount(listed.pre, minlength=math.prod(size[one.source]))
                events += int(fan_out @ trace.spikes[one.source].reshape(runs, -1).sum(0, dtype=np.int64))
        found[p.name] = events / runs
    return found
