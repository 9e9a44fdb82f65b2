"""`snn5 bench infer`: one sample at a time, one thread: the event engine next to dense networks and to SpikingJelly.

Every side works in the calling thread, so its own processor time is counted (`time.thread_time`): a busy machine changes little.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from snn5.bench._infer_network import as_torch, images, six
from snn5.bench._infer_rivals import dense, folded, ort_int8, ort_missing, spiking, with_stock_neurons
from snn5.bench._measure import Row, Side, in_turn, row
from snn5.bench._network import WIDTHS
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import NotPortable
from snn5.hardware import to_integer
from snn5.inference import engine
from snn5.models import SpikingModel, ann_twin

RATES = (0.02, 0.05, 0.1, 0.2)
TORCH, ORT, SJ = 5.0, 2.0, 20.0
FEW = 64  # samples, one a call, in a side's turn

Tell = Callable[[str], None]


def infer(
    models: Sequence[tuple[Checkpoint, Split]] = (),
    *,
    quick: bool = False,
    repeats: int | None = None,
    bits: int = 8,
    widths: Sequence[int] = WIDTHS,
    side: int = 32,
    say: Tell | None = None,
) -> list[Row]:
    """Processor time of one answer, sides in turn; medians and their ratios.

    Args:
        models: (checkpoint, samples): its own twin and itself in SpikingJelly are the other sides, and its early exit is used.
        quick: fewer repeats, and two rates. repeats: turns of each side, of FEW answers each, else 15.
        bits: of a weight in whole numbers, at most.
        widths, side: of the network that is made for this; without widths, none is.
        say: is told what is measured now, and what is missing.
    """
    tell, count = say or (lambda _: None), repeats or (5 if quick else 15)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if missing := ort_missing():
            tell(f"no side in ONNX Runtime: the package {missing} is not installed (pip install 'snn5[bench]')")
        rows: list[Row] = []
        for checkpoint, split in models:
            name = f"{checkpoint.card.model} on {split.info.get('dataset', checkpoint.card.dataset)}"
            tell(name)
            try:
                rows += _checkpoint(name, checkpoint, split, count, bits)
            except NotPortable as error:
                tell(str(error))
        return rows + (_rates(RATES[:: len(RATES) - 1] if quick else RATES, count, widths, side, tell) if widths else [])
    finally:
        torch.set_num_threads(threads)


def _compare(name: str, ours: Side, net: nn.Module, x: torch.Tensor, some: torch.Tensor, snn: Side, count: int) -> list[Row]:
    """Rows against each rival."""
    sides = {"ours": ours, **dense(net, x), "sj": snn}
    eager = [key for key in sides if key not in ("ours", "sj")]
    if ort_missing() is None:
        sides["ort"] = ort_int8(net, x, some)
    times = {key: [t / FEW for t in found] for key, found in in_turn(_often(sides), count, time.thread_time).items()}
    best = min(eager, key=lambda key: statistics.median(times[key]))
    found = [row(name, f"dense twin in PyTorch ({best})", times[best], times["ours"], TORCH)]
    if "ort" in times:
        found.append(row(name, "int8 twin in ONNX Runtime", times["ort"], times["ours"], ORT))
    found.append(row(name, "the same network in SpikingJelly", times["sj"], times["ours"], SJ))
    return found


def _checkpoint(name: str, checkpoint: Checkpoint, split: Split, count: int, bits: int) -> list[Row]:
    network = to_integer(checkpoint, bits=bits)
    ready, samples = engine.compile(network), [one.astype(np.int32) for one in _first(split)]
    model = checkpoint.build()
    if not isinstance(model, SpikingModel):  # to_integer has refused it
        return []
    scale = float(checkpoint.card.preprocessing.get("scale", 1.0))
    x_TNCHW = torch.from_numpy(split.x_TNCHW[:, :FEW]).float() / scale
    answer = ready(split.x_TNCHW[:, :200].astype(np.int32))
    twin = folded(_OneStep(ann_twin(model)))
    right = float((answer.prediction_N == split.y_N[:200]).mean())
    label = f"{name}: {100 * right:.1f} % right of {len(answer.step_N)}, {answer.step_N.mean():.2f} of {network.time_steps} steps"
    some = x_TNCHW.mean(0, keepdim=True).transpose(0, 1)
    snn = spiking(with_stock_neurons(model), x_TNCHW[:, :1].contiguous())
    return _compare(label, _each(ready, samples), twin, some[0], some, snn, count)


def _first(split: Split) -> list[np.ndarray]:
    """Its first FEW samples, or all; one a batch."""
    return [np.ascontiguousarray(split.x_TNCHW[:, i : i + 1]) for i in range(min(FEW, len(split)))]


class _OneStep(nn.Module):
    """A twin as a plain function [N, C, H, W] -> [N, K]; a recording is shown as one frame, so that the twin does one step's work."""

    def __init__(self, twin: SpikingModel) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """One step."""
        return self.twin.run(self.twin.encode(x_NCHW[None]))[0]


def _rates(rates: Sequence[float], count: int, widths: Sequence[int], side: int, tell: Tell) -> list[Row]:
    rows, work, engines = [], {}, {}
    for rate in rates:
        tell(f"{len(widths)} convolutions, {100 * rate:g} % of the neurons fire in a step")
        network, x = six(rate, widths=widths, side=side), images(FEW, side, seed=1)
        ready, samples = engine.compile(network), [x[:, i : i + 1].astype(np.int32) for i in range(FEW)]
        some = torch.from_numpy(x).float().transpose(0, 1)
        snn = spiking(as_torch(network, spiking=True), some[:1].transpose(0, 1).contiguous())
        name = f"{len(widths)} convolutions, rate {100 * rate:g} %, T = {network.time_steps}"
        rows += _compare(name, _each(ready, samples), as_torch(network, spiking=False), some[0], some, snn, count)
        engines[name], work[name] = _each(ready, samples), float(ready(x.astype(np.int32)).synops_N.mean()) / 1e6
    tell("all rates in turn: does the time grow with the work?")
    return rows + _slopes(work, in_turn(_often(engines), count, time.thread_time))


def _slopes(work: Mapping[str, float], times: Mapping[str, list[float]]) -> list[Row]:
    """Between neighbours: time over work, against the same from the first to the last, turn by turn, as a clock drifts between turns.

    Args:
        work: million synaptic operations of a sample, by network, rising. times: milliseconds of FEW samples, by network, in turn.
    """

    def slope(a: str, b: str) -> list[float]:
        return [(u - t) / FEW / (work[b] - work[a]) for t, u in zip(times[a], times[b], strict=True)]

    first, *_, last = work
    rows = []
    for a, b in pairwise(work):
        name = f"time for a million more synaptic operations, from {work[a]:.1f} to {work[b]:.1f} million"
        rows.append(row(name, "the same over all rates", slope(first, last), slope(a, b), 1 / 1.2, most=1.2))
    return rows


def _often(sides: Mapping[str, Side]) -> dict[str, Side]:
    """Each side FEW times a turn: as a stream of samples comes, and not from caches that the other side has just filled. At 8 answers of
    20 us these were half of the time."""

    def repeated(side: Side) -> Side:
        def once() -> None:
            for _ in range(FEW):
                side()

        return once

    return {name: repeated(side) for name, side in sides.items()}


def _each(ready: engine.Engine, samples: list[np.ndarray]) -> Side:
    """Samples in turn, one a call."""
    turn = 0

    def once() -> None:
        nonlocal turn
        ready(samples[turn % len(samples)])
        turn += 1

    return once
