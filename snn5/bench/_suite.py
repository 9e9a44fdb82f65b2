"""`snn5 bench suite`: how long every network of the suite takes for a sample, alone and in a batch, on this machine."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.bench._measure import Side, in_turn
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference import Rule, rule_of, run_until_sure
from snn5.training import samples


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds per sample.

    Args:
        network, data: which, on what. batch: samples that run together.
        ms: median over the repeats; low, high: their range, wide on a busy machine. repeats: how many.
    """

    network: str
    data: str
    batch: int
    ms: float
    low: float
    high: float
    repeats: int


def suite(
    networks: Mapping[str, Checkpoint],
    tests: Mapping[str, Split],
    *,
    batches: Sequence[int] = (1, 64),
    repeats: int = 9,
    say: Callable[[str], None] | None = None,
) -> list[Latency]:
    """Time all networks, in turn, on the first samples of their own test set, with the early exit that they have.

    Args:
        networks: by name. tests: test sets by the name of their data set. batches: how many samples run together, each >= 1.

    Raises:
        UserError: no network, a network of other data, or more samples asked for than there are.
    """
    if not networks:
        raise UserError("no checkpoint to time; make them with `dvc repro`, or name files")
    found = []
    for batch in batches:
        (say or (lambda _: None))(f"{len(networks)} networks, {batch} at a time")
        sides = {name: _side(name, source, tests, batch) for name, source in networks.items()}
        for name, times in in_turn(sides, repeats).items():
            ms = [t / batch for t in times]
            figures: dict[str, float] = {"ms": statistics.median(ms), "low": min(ms), "high": max(ms)}
            found.append(Latency(network=name, data=networks[name].card.dataset, batch=batch, repeats=repeats, **figures))
    return found


def named(root: Path, seed: int) -> dict[str, Path]:
    """What the stages keep of one seed: `p1_contrast/dta/dta` -> its file."""
    paths = [path for depth in ("*", "*/*") for path in (root / "data").glob(f"{depth}/checkpoints/*seed{seed}.safetensors")]
    names = {path: path.parent.parent.relative_to(root / "data").as_posix() for path in sorted(paths)}
    variants = {path: path.stem.rpartition("seed")[0].rstrip("-") for path in names}
    return {name + (f"/{variants[path]}" if variants[path] else ""): path for path, name in names.items()}


def _side(name: str, source: Checkpoint, tests: Mapping[str, Split], batch: int) -> Side:
    if source.card.dataset not in tests:
        raise UserError(f"{name} was trained on {source.card.dataset!r}, there are {', '.join(tests)}; run `dvc repro`")
    data = samples(tests[source.card.dataset])
    if not 1 <= batch <= len(data):
        raise UserError(f"{batch} samples at a time; the test set of {name} has {len(data)}")
    x_TNCHW, _ = data.batch(torch.arange(batch))
    return partial(_once, source.build(), rule_of(source.card.cutoff), x_TNCHW)


@torch.no_grad()
def _once(model: Any, rule: Rule | None, x_TNCHW: Tensor) -> None:
    if rule is None:
        functional.reset_net(model)
        model(x_TNCHW)
    else:
        run_until_sure(model, x_TNCHW, rule)
