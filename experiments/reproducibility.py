"""P8.4, target 3: as many seeds as prove a success rate of 95 %, for a liquid (bio) and for a network trained by gradients (sg).

    python -m experiments.reproducibility

The stage p8_reproducibility with the profile `reproducibility`: 59 seeds of each track at the accuracies declared in params.yaml, 12 runs
in each cell of the design that finds the sources of the spread, and R0. The accuracies were chosen from validation accuracies of pilot
seeds that are not among the 59. Digits frames (the default profile's split, 450 test samples).
Interrupt it at will: the same command goes on; trainings of other settings or of other code are made anew.
Out: experiments/results/reproducibility.json.
"""

import platform
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments._frames import frames_of
from experiments._start import start
from snn5 import config
from snn5.bio.reproducibility import TRACKS, Job, Outcome, learners, studies
from snn5.datasets import Splits
from snn5.files import md5, read_json, write_json
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import one_thread

NAME = "reproducibility"
RESULT, KEPT = Path("experiments/results/reproducibility.json"), Path(".cache/experiments/reproducibility")
CODE = (  # what a training runs
    "bio/_*.py",
    "bio/reproducibility/_trial.py",
    "bio/reproducibility/_encode.py",
    "bio/reproducibility/_*_learner.py",
    "coding/*.py",
    "models/_base.py",
    "neurons/*.py",
    "training/*.py",
)
HOW_MANY = ("seeds", "runs", "sources", "bio_target", "sg_target")  # settings that change no training


def main(settings: config.Config, splits: Splits, *, result: Path = RESULT, kept: Path = KEPT) -> None:
    """Train what is missing, then write the verdicts.

    Args:
        result: the file to write. kept: the folder of finished trainings.
    """
    own = settings.p8_reproducibility
    learner, study = learners(own, settings.p8, splits), studies(own)
    state = {
        "p8": asdict(settings.p8),
        "code": {path.as_posix(): md5(path) for pattern in CODE for path in sorted(Path("snn5").glob(pattern))},
    }
    made_by = {"p8_reproducibility": {name: value for name, value in asdict(own).items() if name not in HOW_MANY}, **state}

    def train(what: Job) -> Outcome:
        return replace(learner[what.track], code=what.code)(what.draws, what.manner)

    def work(what: Job, tick: Tick) -> None:
        write_json(_file(kept, what), {"made_by": made_by, **_plain(train(what))})
        tick()

    jobs = [one for track in TRACKS for one in study[track].jobs(track, NAME, track)]
    missing = [what for what in jobs if not _is_kept(_file(kept, what), made_by)]
    if missing:
        run_jobs(work, missing, label=NAME, total=1)
    made: dict[str, dict[str, dict[str, Outcome]]] = {track: defaultdict(dict) for track in TRACKS}
    for what in jobs:
        made[what.track][what.group][what.name] = _outcome(read_json(_file(kept, what)))
    tracks: dict[str, Any] = {}
    for track in TRACKS:
        made[track]["bits"]["other process"] = train(next(what for what in jobs if what.track == track))
        figures, claims, details = study[track].judge(made[track], track)
        accuracies = {group: [outcome.accuracy for outcome in group_made.values()] for group, group_made in made[track].items()}
        tracks[track] = {"figures": figures, "claims": claims, "differs": details["differs"], "accuracies": accuracies}
    environment = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__, "machine": platform.machine()}
    write_json(
        result,
        {
            "command": "python -m experiments.reproducibility",
            "settings": {"p8_reproducibility": asdict(own), "p8": asdict(settings.p8)},
            "environment": environment,
            "n_test": len(splits.test),
            "tracks": tracks,
        },
    )


def _file(kept: Path, what: Job) -> Path:
    return kept / what.track / what.group.replace("/", "-") / f"{what.name.replace(' ', '_')}.json"


def _is_kept(path: Path, made_by: dict[str, Any]) -> bool:
    return path.is_file() and read_json(path)["made_by"] == made_by


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {**outcome._asdict(), "prediction_N": outcome.prediction_N.tolist(), "label_N": outcome.label_N.tolist()}


def _outcome(kept: dict[str, Any]) -> Outcome:
    labels = {name: torch.tensor(kept[name]) for name in ("prediction_N", "label_N")}
    return Outcome(**labels, val=kept["val"], sha256=kept["sha256"])


def declared() -> None:
    """`main` on the profile of this name and the data that it shows."""
    chosen = config.load(profile=NAME)
    with one_thread():
        main(chosen, frames_of(chosen))


if __name__ == "__main__":
    start(declared)
