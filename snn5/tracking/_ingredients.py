"""Which run made these bytes: md5 on disk = md5 in dvc.lock = tag of a run."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snn5 import lockfile
from snn5.errors import UserError
from snn5.files import find_root, md5
from snn5.tracking._client import client, enabled, experiment, uri
from snn5.tracking._plan import key
from snn5.tracking._reach import told

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """An artefact and where it came from.

    Attributes:
        path: its place, relative to the project. md5: of its bytes, as in dvc.lock.
        run_id, run_name: the MLflow run that made it; empty with SNN5_TRACKING=off.
        stage: the DVC stage that made it.
        file: where its bytes are on this machine; `path`, or a place in DVC's cache.
    """

    path: str
    md5: str
    run_id: str
    run_name: str
    stage: str
    file: Path


def resolve(path: str | Path, *, root: Path | None = None) -> Ingredient:
    """The run that made `path`, an output in dvc.lock or a file inside one.

    Raises:
        UserError: it is missing, it is not what dvc.lock says, or no run accounts for it.
    """
    root = root or find_root()
    path = (root / path).relative_to(root).as_posix()
    lock = lockfile.read(root)
    if not (root / path).exists():
        raise UserError(f"{path} is missing; make it with `dvc repro`, or fetch it with `dvc pull`")
    found = lock.producer(path)
    if found is None:
        raise UserError(f"{path} is no output of a stage that DVC has run (dvc.lock); make it with `dvc repro`")
    stage, out = found
    digest, expected = md5(root / path), lock.md5_of(path)
    if digest != expected:
        raise UserError(
            f"{path} has md5 {digest}, dvc.lock says {expected or 'none'}; make it again with `dvc repro {stage.name}`, "
            f"or get the recorded bytes with `dvc checkout --force {out}`"
        )
    made: dict[str, str] = {"run_id": "", "run_name": ""}
    if enabled():
        from snn5.tracking._later import log_left

        log_left(root, only=stage.name)  # of a `make repro` that was killed in between
        with told(uri(root)):
            run = _run(client(root), root, path, digest, out, stage.outs[out])
        made = {"run_id": run.info.run_id, "run_name": run.info.run_name or ""}
    else:
        sys.stderr.write(f"SNN5_TRACKING=off: the lineage of {path} is checked against dvc.lock only and not recorded\n")
    return Ingredient(path=path, md5=digest, stage=stage.name, file=Path(path), **made)


def from_alias(alias: str, path: str | None = None, *, root: Path | None = None) -> Ingredient:
    """The artefact that `alias` (or `model@alias`) of the registry points to; its bytes come from DVC's cache.

    Args:
        path: take only a version of this path; needed where several models have the alias.

    Raises:
        UserError: no version has the alias, several have it, or this machine does not have its bytes.
    """
    from snn5.tracking._registry import bytes_of, version_of

    root = root or find_root()
    with told(uri(root)):
        version = version_of(client(root), alias, path)
        run = client(root).get_run(version.run_id)
    tags = version.tags
    file = bytes_of(root, tags["dvc.path"], tags["dvc.md5"], tags.get("git.commit", ""))
    return Ingredient(
        path=tags["dvc.path"],
        md5=tags["dvc.md5"],
        run_id=run.info.run_id,
        run_name=run.info.run_name or "",
        stage=tags.get("dvc.stage", ""),
        file=file,
    )


def log_lineage(run_id: str, ingredients: Iterable[Ingredient], *, root: Path | None = None) -> None:
    """Tag the run `run_id` with `ingredient.<path>` (the run that made it) and `ingredient_md5.<path>`."""
    root = root or find_root()
    with told(uri(root)):
        api = client(root)
        for item in ingredients:
            api.set_tag(run_id, key(f"ingredient.{item.path}"), item.run_id)
            api.set_tag(run_id, key(f"ingredient_md5.{item.path}"), item.md5)


def lineage(client: "MlflowClient", home: str, ingredients: Mapping[str, str]) -> dict[str, str]:
    """The tags of `log_lineage` for {path: md5}, where runs account for them."""
    tags = {key(f"ingredient_md5.{path}"): digest for path, digest in ingredients.items()}
    for path, digest in ingredients.items():
        if run := _newest(client, home, path, digest):
            tags[key(f"ingredient.{path}")] = run.info.run_id
    return tags


def _run(client: "MlflowClient", root: Path, path: str, digest: str, out: str, whole: str) -> "Run":
    home = experiment(client, root, create=False)
    run = home and (_newest(client, home, path, digest) or _newest(client, home, out, whole))
    if not run:
        raise UserError(
            f"no MLflow run accounts for {path} (md5 {digest}): it was made without tracking, or the tracking database is new; "
            "make the missing runs with `snn5 track backfill`, then run this again"
        )
    return run


def _newest(client: "MlflowClient", home: str, path: str, digest: str) -> "Run | None":
    """The newest complete parent run with these bytes; only parents carry `out.` tags, so a child never answers for its stage."""
    for kind in ("file", "out"):
        query = f"tags.`{key(f'{kind}.{path}')}` = '{digest}' and attributes.status = 'FINISHED'"
        for run in client.search_runs([home], query, order_by=["attributes.start_time DESC"]):
            if "mlflow.parentRunId" not in run.data.tags:
                return run
    return None
