"""The model registry holds pointers: a version is an md5 that DVC knows, an alias is a name that moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snn5 import lockfile
from snn5.errors import UserError, unknown
from snn5.files import find_root, md5, write_bytes
from snn5.tracking._client import client, enabled, uri
from snn5.tracking._ingredients import resolve
from snn5.tracking._log import git_tags
from snn5.tracking._reach import OFF, told

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One version, as `snn5 models list` shows it; `alias` joins several with commas, `accuracy` is test/acc (a fraction) or None."""

    name: str
    version: int
    alias: str
    path: str
    md5: str
    accuracy: float | None


def promote(path: str | Path, alias: str, name: str | None = None, *, root: Path | None = None) -> ModelRow:
    """Let `alias` point to the checkpoint `path`; a version for its bytes is made where there is none.

    Args:
        path: a checkpoint that dvc.lock knows and a run accounts for.
        alias: e.g. champion, p1-best, deployed-lava.
        name: the registered model; default: one for every path, data/p1_train/a-b/checkpoints/seed0.safetensors -> p1_train-a-b-seed0.

    Raises:
        UserError: see `resolve`; or tracking is off.
    """
    root = _on(root)
    item = resolve(path, root=root)
    if not (root / item.path).is_file():
        raise UserError(f"{item.path} is a folder; promote one checkpoint in it")
    name = name or f"{item.stage.replace('@', '-')}-{Path(item.path).stem}"
    with told(uri(root)):
        api = client(root)
        if not any(model.name == name for model in api.search_registered_models(f"name = '{name}'")):
            api.create_registered_model(name)
        version = next((v for v in _versions(api, name) if v.tags.get("dvc.md5") == item.md5 and v.tags.get("dvc.path") == item.path), None)
        if version is None:
            tags = {"dvc.path": item.path, "dvc.md5": item.md5, "dvc.stage": item.stage, "git.commit": git_tags(root)["git.commit"]}
            accuracy = _accuracy(api, item.run_id, Path(item.path).stem)
            if accuracy is not None:
                tags["test/acc"] = repr(accuracy)
            version = api.create_model_version(name, f"dvc://md5/{item.md5}", run_id=item.run_id, tags=tags)
        api.set_registered_model_alias(name, alias, version.version)
        return _row(api.get_model_version(name, version.version))


def list_models(*, root: Path | None = None) -> list[ModelRow]:
    """All versions that point to DVC's bytes, by name, newest first."""
    root = _on(root)
    with told(uri(root)):
        return [_row(v) for v in _versions(client(root))]


def pull(alias: str, to: str | Path, *, root: Path | None = None) -> Path:
    """Copy the bytes that `alias` (or `model@alias`) points to: to the file `to`, or under their own name into the folder `to`.

    Raises:
        UserError: no version has the alias, several have it, or this machine does not have its bytes.
    """
    root = _on(root)
    with told(uri(root)):
        tags = version_of(client(root), alias).tags
    file = bytes_of(root, tags["dvc.path"], tags["dvc.md5"], tags.get("git.commit", ""))
    target = Path(to) / Path(tags["dvc.path"]).name if Path(to).is_dir() else Path(to)
    write_bytes(target, (root / file).read_bytes())
    if md5(target) != tags["dvc.md5"]:
        target.unlink()
        raise UserError(f"{file} changed while it was copied; try again")
    return target


def version_of(client: "MlflowClient", alias: str, path: str | None = None) -> "ModelVersion":
    """The version that `alias` or `model@alias` points to."""
    model, _, short = alias.rpartition("@")
    every = [v for v in _versions(client, model or None) if path is None or v.tags["dvc.path"] == path]
    found = [v for v in every if short in v.aliases]
    if not found:
        known = {a for v in every for a in v.aliases}
        raise unknown("alias", alias, known, f"{f'of a version of {path} ' if path else ''}(set one with `snn5 models promote`)")
    if len(found) > 1:
        raise UserError(f"alias {short!r} is set on several models; pass one of {', '.join(sorted(f'{v.name}@{short}' for v in found))}")
    return found[0]


def bytes_of(root: Path, path: str, digest: str, commit: str = "") -> Path:
    """A file on this machine with the bytes `digest`, relative to `root` where it lies at its own place.

    Raises:
        UserError: there is none; says how to fetch it.
    """
    lock = lockfile.read(root)
    found = lock.find(path, digest)
    if found is None:
        made = lock.producer(path)
        here = made is not None and lock.md5_of(path) in (digest, None)
        how = (
            f"`dvc fetch {made[1]}`" if made and here else f"`dvc fetch --all-commits` (it was registered at commit {commit or 'unknown'})"
        )
        raise UserError(
            f"the bytes of {path} (md5 {digest}) are not on this machine; fetch them from the DVC remote with {how}, then run this again"
        )
    return Path(path) if found == root / path else found


def _on(root: Path | None) -> Path:
    if not enabled():
        raise UserError(f"SNN5_TRACKING=off: the registry is part of MLflow; unset it ({OFF.removeprefix('or ')} turns all of it off)")
    return root or find_root()


def _versions(client: "MlflowClient", name: str | None = None) -> Iterator["ModelVersion"]:
    for model in _pages(client.search_registered_models, f"name = '{name}'" if name else None):
        versions = list(_pages(client.search_model_versions, f"name = '{model.name}'"))
        for version in sorted(versions, key=lambda v: -int(v.version)):
            if "dvc.md5" in version.tags:
                # The search leaves the aliases out on some stores.
                version._aliases = [a for a, number in model.aliases.items() if str(number) == str(version.version)]
                yield version


def _pages(search: Any, query: str | None) -> Iterator[Any]:
    token = None
    while True:
        page = search(filter_string=query, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _accuracy(client: "MlflowClient", run_id: str, stem: str) -> float | None:
    """test/acc of the run that is named like the checkpoint (seed0), else of the whole stage."""
    parent = client.get_run(run_id)
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}' and attributes.run_name = '{stem}'")
    for run in (*children, parent):
        if "test/acc" in run.data.metrics:
            return float(run.data.metrics["test/acc"])
    return None


def _row(version: "ModelVersion") -> ModelRow:
    tags = version.tags
    return ModelRow(
        name=version.name,
        version=int(version.version),
        alias=", ".join(sorted(version.aliases)),
        path=tags["dvc.path"],
        md5=tags["dvc.md5"],
        accuracy=float(tags["test/acc"]) if "test/acc" in tags else None,
    )
