"""What the stages recorded, by stage name, with the one question the report asks everywhere: which figure, with which spread and n."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snn5 import record
from snn5.files import read_json
from snn5.record import Record, Run
from snn5.statistics import mean_sd

# Every stage whose record the report reads; dvc.yaml's stage `report` depends on the files of exactly these (tests/report holds it).
STAGES = (
    "p7_data@frames",
    "p7_data@events",
    "p1_train@sew_resnet-frames",
    "p1_train@ann_twin-frames",
    "p1_train@sew_resnet-events",
    "p1_train@ann_twin-events",
    "p1_depth",
    "p1_contrast@spikingformer",
    "p1_contrast@hsvt",
    "p1_contrast@dta",
    "p1_contrast@staa",
    "p2_neurons",
    "p2_coding",
    "p3_tune",
    "p4_sparsify",
    "p4_prune",
    "p4_quantize",
    "p5_cutoff@frames",
    "p5_cutoff@events",
    "p5_lava",
    "p5_engine@frames",
    "p5_engine@events",
    "p5_spinnaker@frames",
    "p5_spinnaker@events",
    "p6_integrate@frames",
    "p6_integrate@events",
    "p7_benchmark",
    "p7_suite",
    "p8_lsm",
    "p8_dale",
    "p8_homeostasis",
    "p8_reproducibility",
    "p8_local",
    "p8_ssm",
)


EXPERIMENTS = Path("experiments", "results")


def folder(stage: str) -> Path:
    """Where the stage `p1_train@a-b` writes, relative to the project: data/p1_train/a-b."""
    return Path("data", *stage.split("@"))


@dataclass(frozen=True, kw_only=True)
class Value:
    """A mean over seeds, its sample standard deviation, and the number of seeds."""

    mean: float
    sd: float
    seeds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Value":
        """The value of at least one figure per seed."""
        data = list(values)
        mean, sd = mean_sd(data)
        return cls(mean=mean, sd=sd, seeds=len(data))


@dataclass(frozen=True)
class Results:
    """Records by stage name; a stage that has not run is absent, and every question about it answers None or nothing.

    Attributes:
        records: by stage. recorded: what the experiments found that are too long for a stage, by name, as their files have it.
    """

    records: Mapping[str, Record]
    recorded: Mapping[str, Any] = field(default_factory=dict)

    def get(self, stage: str) -> Record | None:
        """The record of `stage`."""
        return self.records.get(stage)

    def number(self, stage: str, name: str) -> float | None:
        """A figure of the stage's summary."""
        found = self.records.get(stage)
        return None if found is None else found.summary.get(name)

    def value(self, stage: str, name: str, prefix: str = "") -> Value | None:
        """A figure of the summary with its spread: `<prefix><name>`, `<prefix><name>_sd`, `<prefix>n_seeds`."""
        mean, sd, seeds = (self.number(stage, prefix + key) for key in (name, f"{name}_sd", "n_seeds"))
        if mean is None or seeds is None:
            return None
        return Value(mean=mean, sd=sd or 0.0, seeds=int(seeds))

    def runs(self, stage: str, **params: Any) -> Iterator[tuple[str, Run]]:
        """The stage's runs whose parameters hold `params`, in the order of their names."""
        found = self.records.get(stage)
        for name, run in sorted(found.runs.items()) if found else ():
            if all(run.params.get(key) == value for key, value in params.items()):
                yield name, run

    def named(self, stage: str, start: str) -> list[Run]:
        """The stage's runs whose names begin with `start`."""
        return [run for name, run in self.runs(stage) if name.startswith(start)]

    def samples(self, stage: str, start: str = "") -> int | None:
        """How many test samples an accuracy of the stage is over; `start` picks the runs where a stage has several test sets."""
        found = self.records.get(stage)
        if found is None:
            return None
        own = [part for run in self.named(stage, start) for part in (run.params, run.details, measurement(run))]
        for source in (*own, found.details):
            for key in ("n_test", "n"):
                if isinstance(source.get(key), int):
                    return int(source[key])
        return None

    def dataset(self, slot: str) -> str:
        """The data set of a slot, `frames` or `events`."""
        found = self.records.get(f"p7_data@{slot}")
        return str(found.details.get("dataset", "")) if found else ""


def measurement(run: Run) -> dict[str, Any]:
    """The Measurement in a run's details, under `measurement` or, as P6 writes it, the details themselves; empty without one."""
    found = run.details.get("measurement", run.details)
    return found if "energy_pj" in found else {}


def read(root: Path) -> Results:
    """The records and recorded experiments that are there; what a stage that runs now needs is checked by its harness, not here.

    Raises:
        UserError: a file is no record.
    """
    there = [stage for stage in STAGES if (root / folder(stage) / "metrics.json").is_file()]
    recorded = {path.stem: read_json(path) for path in sorted((root / EXPERIMENTS).glob("*.json"))}
    return Results({stage: record.load(root / folder(stage)) for stage in there}, recorded)
