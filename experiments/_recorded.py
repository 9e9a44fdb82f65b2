"""Trainings that are kept one by one: an experiment that is interrupted goes on where it was, in the middle of a training if need be."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snn5.config import Train
from snn5.datasets import Splits
from snn5.files import read_json, write_json
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import seed_of
from snn5.stages._suite import figures
from snn5.training import train_one


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: its settings, its data, T, what its seed is made of, and whether the suite's figures of its network are wanted, too."""

    settings: Train
    splits: Callable[[], Splits]
    time_steps: int
    seed: tuple[object, ...]
    guard: bool = True
    suite: bool = False


def results(experiment: str, jobs: Mapping[str, Job]) -> dict[str, dict[str, Any]]:
    """Parameters, metrics and spike rates of every job by name; those that are kept with the same settings are not run again."""
    folder = Path(".cache", "experiments", experiment)

    def kept(name: str) -> dict[str, Any] | None:
        path = folder / f"{name}.json"
        found: dict[str, Any] | None = read_json(path) if path.is_file() else None
        if found is None or found["settings"] != asdict(jobs[name].settings):
            return None
        complete = not jobs[name].suite or "cost/synops" in found["metrics"]
        return found if complete else None

    def work(name: str, tick: Tick) -> None:
        job = jobs[name]
        seed = seed_of(experiment, *job.seed)
        resume = folder / f"{name}.pt"
        kept_until_written: dict[str, Any] = {"resume": resume, "keep_finished": True}
        splits = job.splits()
        made, run = train_one(job.settings, splits, time_steps=job.time_steps, seed=seed, tick=tick, guard=job.guard, **kept_until_written)
        if job.suite:
            run.metrics = figures(made, splits.test, seed, name).metrics | run.metrics
        write_json(
            folder / f"{name}.json",
            {"settings": asdict(job.settings), "params": run.params, "metrics": run.metrics, "rates": run.details["rates"]},
        )
        resume.unlink(missing_ok=True)

    missing = [name for name in jobs if kept(name) is None]
    if missing:
        run_jobs(work, missing, label=experiment, total=max(jobs[name].settings.epochs for name in missing))
    return {name: found for name in jobs if (found := kept(name)) is not None}


def recorded(path: Path, key: str, settings: Mapping[str, Any], **same: Any) -> dict[str, dict[str, Any]]:
    """The entries under `key` of a result file that were made with these settings, by name, if `same` stands in the file, too."""
    if not path.is_file():
        return {}
    old = read_json(path)
    if any(old.get(name) != value for name, value in same.items()):
        return {}
    return {name: entry for name, entry in old[key].items() if entry["settings"] == settings.get(name)}
