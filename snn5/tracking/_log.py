"""From a stage's files to its runs in MLflow: a parent for the stage, a child for every run of its record."""

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from snn5 import lockfile
from snn5.errors import UserError
from snn5.record import Run
from snn5.tracking._client import client, enabled, experiment, uri
from snn5.tracking._declared import declared
from snn5.tracking._ingredients import lineage
from snn5.tracking._plan import DATA, Plan, key, plan, text
from snn5.tracking._reach import told

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PER_BATCH = {"params": 100, "tags": 100, "metrics": 1000}  # MLflow's limits; entities together at most 1000


def log_stage(name: str, out: Path, *, root: Path, started: float | None = None, tags: dict[str, str] | None = None) -> str | None:
    """Log the stage `name`, whose record and outputs lie in `out`, as it is on disk.

    Args:
        started: when it began, seconds since the epoch. tags: `git_tags` as they were then; None: as they are now.

    Returns:
        The id of its parent run; None with SNN5_TRACKING=off.

    Raises:
        UserError: tracking does not work; says how to keep the results all the same.
    """
    if not enabled():
        return None
    try:
        with plan(declared(root, name, out), lockfile.read(root)) as content:
            if content is None:
                raise UserError(f"{out} holds no metrics.json and curves.csv")
            return write(client(root), root, content, git_tags(root) if tags is None else tags, started)
    except UserError as error:
        kept = f"the results in {out} are whole: `dvc commit -f {name}` keeps them, and `snn5 track backfill` logs them later"
        raise UserError(f"{error}; {kept}") from error


def write(client: "MlflowClient", root: Path, content: Plan, tags: dict[str, str], started: float | None = None) -> str:
    """Write all runs of `content`; the parent is finished last, so a finished parent is a complete one."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    begin = round((started or time.time()) * 1000)
    with told(uri(root)):
        home = str(experiment(client, root))
        _bury(client, home, content.stage.name)
        owner = {"snn5.process": f"{socket.gethostname()}/{os.getpid()}"}
        parent: str = client.create_run(home, start_time=begin, tags=owner, run_name=content.stage.name).info.run_id
        links = lineage(client, home, content.record.details.get("ingredients") or {})
        _batch(client, parent, params=content.params, tags=content.tags | tags | links)
        _metrics(client, parent, Run(metrics=content.record.summary))
        datasets = [
            DatasetInput(
                Dataset(name=path, digest=digest[:36], source_type="dvc", source=f"dvc://md5/{digest}"),
                [InputTag("mlflow.data.context", "input")],
            )
            for path, digest in content.inputs.items()
            if path.startswith(DATA)
        ]
        if datasets:
            client.log_inputs(parent, datasets)
        for file in sorted(content.folder.iterdir()):
            client.log_artifact(parent, str(file))
        for name, run in content.record.runs.items():
            own = {"mlflow.parentRunId": parent, "dvc.stage": content.stage.name, "snn5.phase": content.tags["snn5.phase"]}
            child: str = client.create_run(home, start_time=begin, tags=own, run_name=name).info.run_id
            _batch(client, child, params={key(k): text(v) for k, v in run.params.items()}, tags=_checkpoint(content, name))
            _metrics(client, child, run)
            client.set_terminated(child, "FINISHED")
        client.set_terminated(parent, "FINISHED")
    return parent


def git_tags(root: Path) -> dict[str, str]:
    """Which code made it, and who started it."""
    commit = _git(root, "rev-parse", "HEAD")
    tags = {
        "git.commit": commit or "none",
        "snn5.trigger": os.environ.get("SNN5_TRIGGER", "").strip() or "manual",
        "mlflow.source.type": "JOB",
    }
    if commit:
        changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock")  # dvc repro itself changes dvc.lock
        tags |= {"mlflow.source.git.commit": commit, "git.dirty": "false" if changes == "" else "true"}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags["dvc.exp"] = experiment
    return tags


def commit_of(root: Path, path: str) -> str:
    """The last commit that changed `path`; empty where it has changed since."""
    return "" if _git(root, "status", "--porcelain", "--", path) else _git(root, "log", "-1", "--format=%H", "--", path)


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _checkpoint(content: Plan, name: str) -> dict[str, str]:
    """Run seed0 made checkpoints/seed0.safetensors."""
    return {key(f"file.{path}"): md5 for path, md5 in content.files.items() if path.endswith(f"/{name}.safetensors")}


def _metrics(client: "MlflowClient", run_id: str, run: Run) -> None:
    from mlflow.entities import Metric

    now = round(time.time() * 1000)
    points = [Metric(key(name), value, now, step) for name, curve in run.curves.items() for step, value in curve]
    for name, value in run.metrics.items():
        step, last = run.curves.get(name, [(0, None)])[-1]
        if value != last:  # MLflow shows the newest value of the highest step: the final figure must win over its own curve
            points.append(Metric(key(name), value, now + 1, step))
    _batch(client, run_id, metrics=points)


def _batch(
    client: "MlflowClient", run_id: str, *, params: dict[str, str] | None = None, tags: dict[str, str] | None = None, metrics: Any = ()
) -> None:
    from mlflow.entities import Param, RunTag

    entities: dict[str, list[Any]] = {
        "params": [Param(k, v) for k, v in (params or {}).items()],
        "tags": [RunTag(k, v) for k, v in (tags or {}).items()],
        "metrics": list(metrics),
    }
    for kind, items in entities.items():
        for start in range(0, len(items), _PER_BATCH[kind]):
            client.log_batch(run_id, **{kind: items[start : start + _PER_BATCH[kind]]})


def _bury(client: "MlflowClient", home: str, stage: str) -> None:
    """A process that was killed while it logged left runs that seem to go on: mark them."""
    for run in client.search_runs([home], f"tags.`dvc.stage` = '{stage}' and attributes.status = 'RUNNING'"):
        host, _, pid = run.data.tags.get("snn5.process", "").rpartition("/")
        if host == socket.gethostname() and not psutil.pid_exists(int(pid)):
            for child in client.search_runs([home], f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and attributes.status = 'RUNNING'"):
                client.set_terminated(child.info.run_id, "KILLED")
            client.set_terminated(run.info.run_id, "KILLED")
