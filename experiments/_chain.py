"""P6's chain and its rivals on an experiment's network: what experiments.nmnist_chain and experiments.cifar10_chain share."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from snn5 import config
from snn5._settings import parse
from snn5.benchmark import Measurement
from snn5.checkpoint import Checkpoint
from snn5.config import Cutoff, Effort, Integration, Train
from snn5.datasets import Splits
from snn5.inference import choose_cutoff
from snn5.parallel import Tick
from snn5.stages._chain import RIVALS, Choices, recipe_of, rivals, shrunk, sparse_of
from snn5.training import once

RAMP = 0.2  # share of the sparse step's batches over which its penalty rises
OWN = ("strength", "sparsity", "bits")

Networks = dict[str, Checkpoint]
Kept = Callable[[tuple[str, ...], Callable[[], Networks]], Networks]
"""Answers the networks of these names, made by the function or kept from before."""


@dataclass(frozen=True, kw_only=True)
class ChainPlan:
    """Settings of a chain.

    Attributes:
        train: the recipe that its trained steps follow. chain: P6's settings. cutoff: P5's.
        strength: of P4.1's penalty. sparsity, bits: of the chain.
        calibrated: the first so many training samples fit the cutoff; None: all.
    """

    train: Train
    chain: Integration
    cutoff: Cutoff
    strength: float
    sparsity: float
    bits: int
    calibrated: int | None = None


def settings_of(raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A ChainPlan's arguments from what the file at `path` says, P6's and P5's laid over those of params.yaml."""
    base = config.load(profile="default")
    return {
        "train": parse(Train, raw["train"], f"{path}: train"),
        "chain": parse(Integration, asdict(base.p6) | raw["chain"], f"{path}: chain"),
        "cutoff": parse(Cutoff, asdict(base.p5) | raw.get("cutoff", {}), f"{path}: cutoff"),
        **{key: raw[key] for key in OWN},
    }


def together(
    asked: ChainPlan,
    effort: Effort,
    start: Checkpoint,
    twin: Checkpoint,
    splits: Splits,
    seed: int,
    *,
    tick: Tick = lambda _text="": None,
    kept: Kept = lambda _names, make: make(),
) -> tuple[Networks, Networks]:
    """P6's chain step by step, and its four rivals."""
    variant = (asked.sparsity, asked.bits)
    choices = Choices(strength=asked.strength, ramp_fraction=RAMP, variants=[variant])
    epochs = (effort.epochs, effort.quantised_epochs, rival_epochs(effort))
    first, second, tuned = (recipe_of(asked.train, asked.chain, count) for count in epochs)
    how: dict[str, Any] = {"seed": seed, "tick": tick}
    steps = {"start": start}
    steps |= kept(("sparse",), lambda: {"sparse": sparse_of(start, twin, splits, first, asked.chain, choices, parents={}, **how)})
    steps |= kept(("pruned", "quantised"), lambda: shrunk(steps["sparse"], twin, splits, second, asked.chain, choices, variant, **how))
    steps |= kept(("cutoff",), lambda: {"cutoff": once(lambda: stopped(asked, steps["quantised"], splits, seed))})
    return steps, kept(RIVALS, lambda: rivals(twin, steps["cutoff"], splits, tuned, asked.chain, bits=asked.bits, **how))


def rival_epochs(effort: Effort) -> int:
    """Of each trained ANN: as many as the longer of the network's two trained steps."""
    return max(effort.epochs, effort.quantised_epochs)


def stopped(asked: ChainPlan, source: Checkpoint, splits: Splits, seed: int) -> Checkpoint:
    """With a cutoff fitted on training samples, its epsilon chosen on validation."""
    rules: dict[str, Any] = {"epsilons": asked.cutoff.epsilons, "rule": asked.cutoff.rule, "seed": seed, **asked.cutoff.limits()}
    first, count = splits.train, asked.calibrated
    first = replace(first, x_TNCHW=first.x_TNCHW[:, :count], y_N=first.y_N[:count], index_N=first.index_N[:count])
    return choose_cutoff(source, first, splits.val, keep_out=(splits.test,), **rules)


def row_of(found: Measurement) -> dict[str, Any]:
    """Its metrics, with the energy of those that have a twin with memory, too."""
    memory = {f"cost/memory_ratio_{rival}": ratio["memory"] for rival, ratio in found.ratios.items() if ratio is not None}
    return {"n_test": found.n, "metrics": found.metrics() | memory}
