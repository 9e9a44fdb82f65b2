"""Make the runs that MLflow lacks, from dvc.lock and the bytes it names."""

from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from snn5 import lockfile
from snn5.errors import UserError
from snn5.files import find_root
from snn5.lockfile import LockedStage
from snn5.tracking._client import client, enabled, experiment, home, uri
from snn5.tracking._later import log_left
from snn5.tracking._log import commit_of, git_tags, write
from snn5.tracking._plan import outs, plan
from snn5.tracking._reach import OFF, told

BACKFILLED = "snn5.backfill"


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What became of the stages in dvc.lock: runs `made`, `present` before, `missing` their files on this machine."""

    made: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def backfill(root: Path | None = None) -> Backfill:
    """A run for every stage in dvc.lock that has none with its present output hashes; twice is the same as once.

    Raises:
        UserError: tracking is off or does not work, or dvc.lock is broken.
    """
    root = root or find_root()
    if not enabled():
        raise UserError(f"SNN5_TRACKING=off: nothing can be backfilled; unset it ({OFF.removeprefix('or ')} is what it does)")
    lock = lockfile.read(root)
    done = Backfill()
    log_left(root)
    home(root).mkdir(parents=True, exist_ok=True)
    with FileLock(home(root) / "backfill.lock"), told(uri(root)):
        api = client(root)
        place = str(experiment(api, root))
        tags = git_tags(root) | {BACKFILLED: "true"}
        if commit := commit_of(root, "dvc.lock"):  # the code that made the bytes is at most as new
            tags |= {"git.commit": commit, "mlflow.source.git.commit": commit}
        for stage in _in_order(lock.stages):
            wanted = outs(stage).items()
            query = f"tags.`dvc.stage` = '{stage.name}' and attributes.status = 'FINISHED'"
            if any(wanted <= run.data.tags.items() for run in api.search_runs([place], query)):
                done.present.append(stage.name)
                continue
            with plan(stage, lock) as content:
                if content is None:
                    done.missing.append(stage.name)
                    continue
                write(api, root, content, tags)
                done.made.append(stage.name)
    return done


def _in_order(stages: dict[str, LockedStage]) -> list[LockedStage]:
    """Makers before users, so that the lineage of a run finds its ingredients' runs."""
    order: dict[str, LockedStage] = {}

    def visit(stage: LockedStage) -> None:
        if stage.name in order or stage.name in open_:
            return
        open_.add(stage.name)
        for other in stages.values():
            if any(d == o or d.startswith(o + "/") or o.startswith(d + "/") for d in stage.deps for o in other.outs):
                visit(other)
        order[stage.name] = stage

    open_: set[str] = set()
    for stage in stages.values():
        visit(stage)
    return list(order.values())
