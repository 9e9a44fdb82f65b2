"""Faults on purpose: the proof that a gate fires, each time for the reason that it should."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.gates import _networks
from snn5.gates._baseline import compare
from snn5.gates._gate import GATES
from snn5.gates._kinds import Metric
from snn5.reproducible import one_thread

Figures = Mapping[str, Metric]
CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One fault.

    Attributes:
        gate, fault: what was done to which. expected: part of the name of a metric that must fail ("" : none may).
        failed: the metrics that did.
    """

    gate: str
    fault: str
    expected: str
    failed: tuple[str, ...]

    @property
    def caught(self) -> bool:
        """Whether the expected metric failed; without a fault, whether nothing did."""
        return any(self.expected in name for name in self.failed) if self.expected else not self.failed


def selftest(root: Path) -> list[Outcome]:
    """Every fault on every gate, and no fault, which must pass. The roadmap's gate is tried on its own baseline's figures."""
    return [*_on_networks(root), *_on_roadmap(root)]


# --- on frozen networks: the fault is in the network or the labels, and the counters run


def louder(source: Checkpoint) -> Checkpoint:
    """Weights times 1.2."""
    return _weights(source, lambda w: 1.2 * w)


def unmasked(source: Checkpoint) -> Checkpoint:
    """The pruned weights come back, as small as the grid allows."""
    return _weights(source, lambda w: torch.where(w == 0, torch.full_like(w, 2.0**-6), w))


def silenced(source: Checkpoint) -> Checkpoint:
    """The first layer's neurons get no current."""
    stem = [name for name in source.state if name.startswith("stem_conv")]
    return replace(source, state=source.state | {name: torch.zeros_like(source.state[name]) for name in stem})


def shuffled(split: Split) -> Split:
    """Every label belongs to another sample."""
    return replace(split, y_N=np.random.default_rng(0).permutation(split.y_N))


def _on_networks(root: Path) -> list[Outcome]:
    frozen, split = _networks.networks(root), _networks.test_split()
    baseline = GATES["networks"].baseline(root).metrics

    def outcome(fault: str, expected: str, found: Figures) -> Outcome:
        return _outcome("networks", fault, expected, baseline, found)

    with one_thread():
        clean = _networks.figures(frozen, split)
        made = [outcome("none", "", clean)]
        for change, expected in ((louder, "/rate/"), (unmasked, "/params_nnz"), (silenced, "/rate/")):
            broken = {name: change(source) for name, source in frozen.items()}
            made.append(outcome((change.__doc__ or "").rstrip("."), expected, _networks.figures(broken, split)))
        made.append(outcome("labels shuffled", "/accuracy", _networks.figures(frozen, shuffled(split))))
    return [*made, *(outcome(fault, name, found) for fault, name, found in _absent(clean))]


# --- on the published figures: the fault is in them


def _on_roadmap(root: Path) -> list[Outcome]:
    baseline = GATES["roadmap"].baseline(root).metrics

    def times(factor: float, part: str) -> Figures:
        return {n: replace(m, values=tuple(factor * v for v in m.values)) if part in n else m for n, m in baseline.items()}

    guessing = {n: replace(m, values=(m.n / CLASSES,) * len(m.values)) if m.kind == "accuracy" else m for n, m in baseline.items()}
    made = [
        ("none", "", baseline),
        ("rates times 1.2", "/rate/", times(1.2, "/rate/")),
        ("rates 0", "/rate/", times(0.0, "/rate/")),
        ("labels shuffled: as many right as by guessing", "/accuracy", guessing),
        ("mask dropped: twice the weights", "/model/params_nnz", times(2.0, "/model/params_nnz")),
        ("operations times 1.5", "/cost/synops", times(1.5, "/cost/synops")),
        *_absent(baseline),
    ]
    return [_outcome("roadmap", fault, expected, baseline, found) for fault, expected, found in made]


def _absent(found: Figures) -> list[tuple[str, str, Figures]]:
    """One figure of each kind is missing, or is no number."""
    first = {metric.kind: name for name, metric in sorted(found.items(), reverse=True)}
    made: list[tuple[str, str, Figures]] = []
    for kind, name in sorted(first.items()):
        made.append((f"{kind} metric missing", name, {n: m for n, m in found.items() if n != name}))
        nan = replace(found[name], values=(float("nan"), *found[name].values[1:]))
        made.append((f"{kind} metric NaN", name, {**found, name: nan}))
    return made


def _outcome(gate: str, fault: str, expected: str, baseline: Figures, found: Figures) -> Outcome:
    failed = tuple(f.metric for f in compare(baseline, found) if f.fails)
    return Outcome(gate=gate, fault=fault, expected=expected, failed=failed)


def _weights(source: Checkpoint, change: Callable[[Tensor], Tensor]) -> Checkpoint:
    changed = {n: change(w) if n.endswith(".weight") else w for n, w in source.state.items()}
    return replace(source, state=changed)
