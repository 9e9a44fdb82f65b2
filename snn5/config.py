"""params.yaml <-> keyword-only dataclasses: an unknown key, a wrong type or an impossible value is an error that says what to do."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from snn5._bio_sections import Dale, Homeostasis, Liquid, Local, Plasticity
from snn5._fast_section import Fast, Pace
from snn5._sections import (
    Augment,
    Binning,
    Camera,
    Cochlea,
    Coding,
    Cutoff,
    Data,
    Datasets,
    Effort,
    Folder,
    Integration,
    Lava,
    Pruning,
    Quantisation,
    Sparsity,
    Spinnaker,
    Tuning,
    repeated,
)
from snn5._settings import parse, read_yaml, setting
from snn5._train_section import Train
from snn5.errors import UserError, unknown

__all__ = [
    "Augment",
    "Binning",
    "Camera",
    "Cochlea",
    "Coding",
    "Config",
    "Contrast",
    "Cutoff",
    "Dale",
    "Data",
    "Datasets",
    "Effort",
    "Fast",
    "Folder",
    "Homeostasis",
    "Integration",
    "Lava",
    "Liquid",
    "Pace",
    "Pruning",
    "Quantisation",
    "Reproducibility",
    "Rival",
    "Local",
    "Plasticity",
    "Sparsity",
    "Spinnaker",
    "Train",
    "Tuning",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Architectures:
    """P1: each architecture on each data set."""

    frames: Train
    events: Train


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """P1: networks that differ in one thing, trained on one slot's data by its recipe (p1.frames or p1.events) and with the same seeds.

    `train` changes that recipe for all of them, a variant for itself; `model_args` of the three are laid over each other, unless `train`
    names another model: its arguments start from nothing.
    """

    data: str = setting("frames", among=("frames", "events"))
    train: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, Any]  # name -> changes; the first is what the others are compared with
    may_collapse: bool = False  # whether a silent or saturated layer is a finding here, not an error

    def __post_init__(self) -> None:
        if not self.variants or not all(isinstance(change, dict) for change in self.variants.values()):
            raise UserError(f"variants={self.variants}; need a mapping from each variant's name to what it changes ({{}}: nothing)")

    def variants_of(self, base: Train) -> dict[str, Train]:
        """The recipe of each variant.

        Raises:
            UserError: a change has an unknown key or an impossible value; names it.
        """
        made = {}
        for name, change in self.variants.items():
            own = base.model_args if "model" not in self.train else {}
            arguments = {**own, **self.train.get("model_args", {}), **change.get("model_args", {})}
            raw = {f.name: getattr(base, f.name) for f in fields(base)} | self.train | change | {"model_args": arguments}
            made[name] = parse(Train, raw, f"variants.{name}")
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrasts:
    """P1.2 to P1.4: what makes each architecture special, with it and without."""

    spikingformer: Contrast
    hsvt: Contrast
    dta: Contrast
    staa: Contrast


@dataclass(frozen=True, kw_only=True, slots=True)
class Neurons:
    """P2.1, P2.2: PLIF against LIF from a good and from a bad initial time constant, and other neurons from their own start."""

    taus: list[float] = field(default_factory=lambda: [2.0, 16.0])  # initial time constants, in steps
    others: list[str] = field(default_factory=list)  # neurons by name
    train: Train

    def __post_init__(self) -> None:
        if not self.taus or not all(1 < tau < math.inf for tau in self.taus) or repeated(self.taus):
            raise UserError(
                f"taus={self.taus}; need at least one value, each above 1 (1/tau is the share that leaks in a step), all different"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproducibility:
    """P8.4: what spreads, how far, and what does not change a bit, for a liquid (bio) and for a network trained by gradients (sg)."""

    code: str = setting("poisson", among=("poisson", "regular", "ttfs"))  # of the images, for both
    seeds: list[int] = field(default_factory=lambda: list(range(6)))
    runs: int = setting(6, low=2, high=10000)  # trainings per cell of the design that finds the sources of the spread, and per other code
    sources: list[str] = field(default_factory=lambda: ["bio"])  # tracks that the design is run for
    bio_target: float = setting(0.9, low=0.0, high=1.0)  # accuracies, declared before the run
    sg_target: float = setting(0.95, low=0.0, high=1.0)
    neurons: int = setting(300, low=10, high=100000)  # of the liquid; what is not set here is that of p8
    drive: float = setting(4.0, low=0.0, high=1000.0)
    input_synapses: float = setting(3.0, low=0.1, high=1e6)
    bins: int = setting(5, low=1, high=100)
    liquid_steps: int = setting(40, low=2, high=100000)  # T
    readout_epochs: int = setting(3, low=1, high=5000)  # passes of the read-out's local rule
    train_steps: int = setting(16, low=1, high=1000)  # T of the network trained by gradients
    train: Train  # model_args: {hidden: [...]}

    def __post_init__(self) -> None:
        if len(self.seeds) < 2 or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least two seeds (a spread is reported), all different, none negative")
        if self.runs > len(self.seeds):
            raise UserError(f"runs={self.runs} with {len(self.seeds)} seeds; need at most as many runs as seeds")
        if not set(self.sources) <= {"bio", "sg"}:
            raise UserError(f"sources={self.sources}; need a list of bio and sg, or none of them")
        hidden = self.train.model_args.get("hidden")
        if not isinstance(hidden, list) or not hidden or not all(isinstance(size, int) and size > 0 for size in hidden):
            raise UserError(f"train.model_args={self.train.model_args}; need {{hidden: [...]}}, the sizes of the hidden layers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rival:
    """P8.1: the spiking state space model beside the liquid."""

    dt_ms: float = setting(5.0, low=0.01, high=1000.0)  # length of a slice of the recordings; the order task has the liquid's steps
    order_epochs: int = setting(24, low=1, high=5000)  # on the order task, in place of train's
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    target: float = setting(0.95, low=0.0, high=1.0)  # least accuracy on the recordings, for the verdict
    train: Train

    def __post_init__(self) -> None:
        if len(self.seeds) < 2 or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least two seeds (a spread is reported), all different, none negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All of params.yaml with the chosen profile laid over it."""

    profile: str
    seeds: list[int]
    data: Datasets
    p1: Architectures
    p1_depth: Contrast
    p1_contrast: Contrasts
    p1_fast: Fast
    p2_neurons: Neurons
    p2_coding: Coding
    p3: Tuning
    p4: Sparsity
    p4_prune: Pruning
    p4_quantize: Quantisation
    p5: Cutoff
    p5_lava: Lava
    p5_spinnaker: Spinnaker
    p6: Integration
    p8: Liquid
    p8_dale: Dale
    p8_homeostasis: Homeostasis
    p8_reproducibility: Reproducibility
    p8_local: Local
    p8_ssm: Rival

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"seeds={self.seeds}; need at least one seed, all different, none negative")
        if self.p3.data != self.p6.data:
            raise UserError(
                f"p3.data={self.p3.data} but p6.data={self.p6.data}; P6 builds on the network that P3 tunes: set both to one of them"
            )
        for contrast in (self.p1_depth, *(getattr(self.p1_contrast, f.name) for f in fields(self.p1_contrast))):
            contrast.variants_of(getattr(self.p1, contrast.data))  # a mistake shows now, not after hours
        warmup = getattr(self.p1, self.p3.data).warmup_epochs
        for name in ("max_epochs", "tradeoff_epochs"):
            if (epochs := getattr(self.p3, name)) <= warmup:
                raise UserError(
                    f"p3.{name}={epochs} leaves a trial no epoch after p1.{self.p3.data}.warmup_epochs={warmup}; "
                    f"raise {name} or lower warmup_epochs"
                )


def load(path: str | Path = "params.yaml", profile: str | None = None) -> Config:
    """Read and check `path`; `profile` (default: the file's own `profile`) is laid over the common settings.

    Raises:
        UserError: names the key, the value and the remedy.
    """
    common, tops = _read(Path(path))
    name = profile or common.get("profile", "default")
    if not isinstance(name, str):
        raise UserError(f"{path}: profile={name!r}: need the name of one profile, such as default")
    if name not in tops:
        raise unknown("profile", name, tops, f"(set `profile` in {path})")
    return parse(Config, _overlay(common, tops[name]) | {"profile": name}, str(path))


def profiles(path: str | Path = "params.yaml") -> list[str]:
    """The names of the profiles in `path`.

    Raises:
        UserError: the file is missing or malformed.
    """
    return sorted(_read(Path(path))[1])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Mapping[str, Any]]]:
    """The common settings and, by name, what each profile lays over them."""
    common = read_yaml(path)
    found = common.pop("profiles", None) or {}
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: profiles={found!r}: need a mapping from each profile's name to its settings")
    for name, top in found.items():
        if not isinstance(name, str):
            raise UserError(f"{path}: profiles: the name {name!r} is no text; put it in quotes")
        if top is not None and not isinstance(top, Mapping):
            raise UserError(f"{path}: profiles.{name}={top!r}: need a mapping of settings")
    return common, {name: top or {} for name, top in found.items()}


def _overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "model_args" else value
    return merged
