"""An integer network as a PyNN program (`_program.py`), in a process, a home and a working directory of its own."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snn5.errors import UserError
from snn5.hardware._integer_network import INPUT, Int, IntegerNetwork, Trace
from snn5.hardware.spinnaker._cells import Cell, readout_population
from snn5.hardware.spinnaker._connections import READOUT, expand, levels, shapes

FIRST_MS = 3.0  # of the input: PyNN loses what a source should send earlier, on NEST in every run but the first
HOP_MS = {"nest": 0, "spiNNaker": 1}  # from a source to what it feeds, beyond the delay
CLOCK = "clock"
CORE = 256  # neurons: a row of sPyNNaker's population table holds no more
REPORTS = ("application_graph_placer_report", "router_info_report", "compressed", "sdram_usage_report_per_chip")


@dataclass(frozen=True, kw_only=True)
class Board:
    """The machine: a virtual one of `width` x `height` chips (8 x 8 is one 48-chip board), or a real one by its address.

    Attributes:
        machine_name: host name or address of a board. spalloc_server: URL of a server that lends boards. Empty: virtual.
        version: of the hardware; 5 is the 48-chip board.
    """

    width: int = 8
    height: int = 8
    machine_name: str = ""
    spalloc_server: str = ""
    version: int = 5

    @property
    def virtual(self) -> bool:
        """Whether nothing is there that could run."""
        return not (self.machine_name or self.spalloc_server)

    def settings(self) -> str:
        """spynnaker.cfg."""
        if self.virtual:
            machine = f"virtual_board = True\nversion = {self.version}\nwidth = {self.width}\nheight = {self.height}\n"
        elif self.spalloc_server:
            machine = f"spalloc_server = {self.spalloc_server}\nversion = {self.version}\n"
        else:
            machine = f"machine_name = {self.machine_name}\nversion = {self.version}\n"
        return f"[Machine]\n{machine}[Reports]\n" + "".join(f"write_{name} = True\n" for name in REPORTS)


def write_program(network: IntegerNetwork, x_TNCHW: Int, cells: dict[str, Cell], folder: Path, *, neurons_per_core: int) -> None:
    """network.json and arrays.npz, what the program reads.

    An input up to 2^n - 1 becomes n sources for each pixel, one for each binary digit of its value. The clock has a source for each
    population, which ticks through its T steps and brings the bias.
    """
    lag, size, steps, samples = levels(network), shapes(network), network.time_steps, x_TNCHW.shape[1]
    x = np.broadcast_to(x_TNCHW, (steps, *x_TNCHW.shape[1:])).reshape(steps, samples, -1)
    digits, pixels = max(1, int(x.max(initial=0)).bit_length()), x.shape[2]
    everyone = (*network.populations, readout_population(network))
    bits = np.concatenate([x >> digit & 1 for digit in range(digits)], axis=2)
    ticks = np.stack([np.arange(steps) + FIRST_MS + lag[p.name] - 1 for p in everyone], axis=1)
    arrays: dict[str, Any] = {}
    for n in range(samples):
        time, neuron = np.nonzero(bits[:, n])
        arrays |= {f"time:{INPUT}:{n}": time + FIRST_MS, f"neuron:{INPUT}:{n}": neuron}
        arrays |= {f"time:{CLOCK}:{n}": ticks.ravel(), f"neuron:{CLOCK}:{n}": np.tile(np.arange(len(everyone)), steps)}
    sources = [{"name": INPUT, "size": digits * pixels}, {"name": CLOCK, "size": len(everyone)}]
    populations: list[dict[str, Any]] = []
    projections: list[dict[str, str]] = []
    for number, p in enumerate(everyone):
        cell = cells[p.name]
        populations.append(
            {"name": p.name, "size": math.prod(p.shape), "record": "v" if p.name == READOUT else "spikes", "expected": list(cell.expected)}
            | {key: getattr(cell, key) for key in ("tau_m", "cm", "tau_refrac")}
        )
        arrays["v_thresh:" + p.name] = np.repeat(cell.v_thresh, math.prod(p.shape[1:]))
        bias = np.repeat(p.bias, math.prod(p.shape[1:]))
        flat = [(CLOCK, np.full(np.count_nonzero(bias), number), np.flatnonzero(bias), bias[bias != 0], 1)]
        for one in p.synapses:
            listed, delay = expand(one, size[one.source], p.shape), lag[p.name] - lag[one.source]
            for digit in range(digits if one.source == INPUT else 1):
                flat.append((one.source, listed.pre + digit * pixels, listed.post, listed.weight << digit, delay))
        for source, pre, post, weight, delay in flat:
            for receptor, mine in (("excitatory", weight > 0), ("inhibitory", weight < 0)):
                if mine.any():
                    k = len(projections)
                    projections.append({"source": source, "target": p.name, "receptor": receptor})
                    arrays |= {f"pre{k}": pre[mine], f"post{k}": post[mine], f"weight{k}": np.abs(weight[mine]) * cell.unit}
                    arrays[f"delay{k}"] = np.full(int(mine.sum()), float(delay))
    plan = {"populations": populations, "sources": sources, "projections": projections, "samples": samples}
    plan |= {"neurons_per_core": neurons_per_core, "run_ms": FIRST_MS + steps + lag[READOUT] + max(HOP_MS.values()) + 1}
    (folder / "network.json").write_text(json.dumps(plan), encoding="utf-8")
    np.savez(folder / "arrays.npz", **arrays)


@contextmanager
def ran(
    backend: str, network: IntegerNetwork, x_TNCHW: Int, cells: dict[str, Cell], board: Board, *, neurons_per_core: int = CORE
) -> Iterator[Path]:
    """The folder in which the program has run, with what it left; it is removed afterwards.

    Raises:
        UserError: the program failed; with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="snn5-pynn-") as name:
        folder = Path(name)
        write_program(network, x_TNCHW, cells, folder, neurons_per_core=neurons_per_core)
        (folder / "spynnaker.cfg").write_text(board.settings(), encoding="utf-8")
        (folder / ".spynnaker.cfg").write_text("", encoding="utf-8")  # the user's own, which must exist and must not interfere
        program = Path(__file__).with_name("_program.py")
        environment = {**os.environ, "HOME": name, "MPLBACKEND": "Agg", "PYNEST_QUIET": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONWARNINGS", None)
        done = subprocess.run(
            [sys.executable, "-P", str(program), backend], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UserError(f"the PyNN program failed on {backend}: {_last_words(done.stderr) or f'exit code {done.returncode}'}")
        yield folder


def _last_words(errors: str) -> str:
    """The last exception of a traceback; sPyNNaker goes on talking after it."""
    lines = errors.splitlines()
    ends = [k for k, line in enumerate(lines) if line.startswith("Traceback")]
    said = [line for line in lines[ends[-1] :] if line.strip() and not line.startswith((" ", "Traceback"))] if ends else lines[-1:]
    return said[0] if said else ""


def run_pynn(network: IntegerNetwork, x_TNCHW: Int, cells: dict[str, Cell], *, backend: str = "nest", board: Board | None = None) -> Trace:
    """Run the PyNN program that a board gets, sample by sample: on NEST, or on the real board.

    Args:
        x_TNCHW: whole numbers from 0. cells: from `calibrate`. board: its address, for the backend `spiNNaker`.

    Returns:
        Spikes, delays taken out; the host adds up the read-out from them. `peak` is empty.

    Raises:
        UserError: a virtual board, which runs nothing; a failure of the program; a spike before its population's turn.
    """
    if backend == "spiNNaker" and (board is None or board.virtual):
        raise UserError("a virtual board runs nothing; set machine_name or spalloc_server, or take backend='nest'")
    lag, steps, samples = levels(network), network.time_steps, x_TNCHW.shape[1]
    spikes = {}
    with ran(backend, network, x_TNCHW, cells, board or Board()) as folder, np.load(folder / "spikes.npz") as found:
        for p in network.populations:
            out = np.zeros((steps, samples, math.prod(p.shape)), np.uint8)
            for n in range(samples):
                step = np.rint(found[f"time:{p.name}:{n}"] - FIRST_MS).astype(np.int64) - lag[p.name] - HOP_MS[backend]
                if ((step < 0) | (step >= steps)).any():
                    raise UserError(f"population {p.name} fired {int(step.min())} to {int(step.max())} steps into its turn of {steps}")
                out[step, n, found[f"neuron:{p.name}:{n}"]] = 1
            spikes[p.name] = out.reshape(steps, samples, *p.shape)
    logits = np.zeros((steps, samples, len(network.readout.bias)), np.int64) + network.readout.bias
    out_of: dict[str, Any] = {INPUT: np.broadcast_to(x_TNCHW, (steps, *x_TNCHW.shape[1:])), **spikes}
    for one in network.readout.synapses:
        for t in range(steps):
            logits[t] += one.current(out_of[one.source][t].astype(np.int64)).reshape(samples, -1)
    return Trace(spikes=spikes, logits_TNK=logits, peak={})
