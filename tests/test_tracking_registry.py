"""Ingredients and the registry: from bytes on disk to the run that made them, and from an alias back to the bytes."""

from pathlib import Path

import pytest
import toy_project as toy

from snn5 import tracking
from snn5.errors import UserError
from snn5.files import md5

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::ResourceWarning")  # MLflow's own


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SNN5_TRACKING", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    toy.make(tmp_path)
    toy.database(tmp_path)
    return tmp_path


def test_resolve_finds_the_newest_run_that_made_the_bytes(root: Path) -> None:
    tracking.log_stage(toy.NAME, Path(toy.OUT), root=root, started=1000.0)
    newest = tracking.log_stage(toy.NAME, Path(toy.OUT), root=root, started=2000.0)
    expected = tracking.Ingredient(
        path=toy.SEED0, md5=md5(root / toy.SEED0), run_id=str(newest), run_name=toy.NAME, stage=toy.NAME, file=Path(toy.SEED0)
    )
    assert tracking.resolve(toy.SEED0, root=root) == expected
    whole = tracking.resolve(toy.OUTS[0], root=root)  # a folder is an artefact too
    assert (whole.md5, whole.run_id) == (md5(root / toy.OUTS[0]), newest)
    assert tracking.resolve(toy.OUTS[1], root=root).run_id == newest


def test_resolve_refuses_what_no_run_accounts_for(root: Path) -> None:
    with pytest.raises(UserError, match=rf"no MLflow run accounts for {toy.SEED0} \(md5 [0-9a-f]{{32}}\).*`snn5 track backfill`"):
        tracking.resolve(toy.SEED0, root=root)
    tracking.backfill(root)
    assert tracking.resolve(toy.SEED0, root=root).run_name == toy.NAME


def test_resolve_refuses_other_bytes_than_those_of_dvc_lock(root: Path) -> None:
    tracking.backfill(root)
    (root / toy.SEED0).write_bytes(b"changed by hand")
    with pytest.raises(UserError, match=rf"has md5 {md5(root / toy.SEED0)}, dvc.lock says .*`dvc repro {toy.NAME}`"):
        tracking.resolve(toy.SEED0, root=root)
    with pytest.raises(UserError, match=r"nowhere is missing; make it with `dvc repro`"):
        tracking.resolve("data/nowhere", root=root)
    (root / "data" / "own.txt").write_text("")
    with pytest.raises(UserError, match=r"data/own.txt is no output of a stage that DVC has run"):
        tracking.resolve("data/own.txt", root=root)


def test_resolve_without_tracking_checks_the_bytes_only(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNN5_TRACKING", "off")
    found = tracking.resolve(toy.SEED0, root=root)
    assert (found.run_id, found.stage) == ("", toy.NAME)
    assert "checked against dvc.lock only and not recorded" in capsys.readouterr().err
    (root / toy.SEED0).write_bytes(b"")
    with pytest.raises(UserError, match=r"dvc\.lock says"):
        tracking.resolve(toy.SEED0, root=root)


def test_lineage_is_tagged_on_the_run(root: Path) -> None:
    run = tracking.log_stage(toy.NAME, Path(toy.OUT), root=root)
    item = tracking.resolve(toy.SEED0, root=root)
    tracking.log_lineage(str(run), [item], root=root)
    tags = tracking.client(root).get_run(run).data.tags
    assert tags[f"ingredient.{toy.SEED0}"] == run and tags[f"ingredient_md5.{toy.SEED0}"] == item.md5


def test_promote_list_pull(root: Path, tmp_path: Path) -> None:
    tracking.backfill(root)
    row = tracking.promote(toy.SEED0, "champion", root=root)
    assert row == tracking.ModelRow(
        name="p1_toy-a-b-seed0", version=1, alias="champion", path=toy.SEED0, md5=md5(root / toy.SEED0), accuracy=0.5
    )  # seed0's own accuracy, not the stage's mean
    assert tracking.promote(toy.SEED0, "p1-best", root=root).alias == "champion, p1-best"  # the same bytes are the same version

    first = (root / toy.SEED0).read_bytes()
    toy.cache(root, toy.SEED0)
    (root / toy.SEED0).write_bytes(b"better")
    toy.lock(root)
    tracking.backfill(root)
    tracking.promote(toy.SEED0, "champion", root=root)
    assert [(r.version, r.alias) for r in tracking.list_models(root=root)] == [(2, "champion"), (1, "p1-best")]

    target = tracking.pull("champion", tmp_path / "a.safetensors", root=root)
    assert target.read_bytes() == b"better"
    (tmp_path / "folder").mkdir()
    assert tracking.pull("p1-best", tmp_path / "folder", root=root) == tmp_path / "folder" / "seed0.safetensors"
    assert (tmp_path / "folder" / "seed0.safetensors").read_bytes() == first  # older bytes come from the cache


def test_the_registry_holds_pointers_only(root: Path) -> None:
    tracking.backfill(root)
    row = tracking.promote(toy.SEED0, "champion", root=root)
    version = tracking.client(root).get_model_version_by_alias(row.name, "champion")
    assert version.source == f"dvc://md5/{row.md5}"
    assert version.tags["dvc.path"] == toy.SEED0 and version.tags["dvc.md5"] == row.md5 and "git.commit" in version.tags


def test_from_alias_finds_the_bytes_in_the_cache_or_says_how_to_get_them(root: Path) -> None:
    tracking.backfill(root)
    tracking.promote(toy.SEED0, "champion", root=root)
    assert tracking.from_alias("champion", root=root) == tracking.resolve(toy.SEED0, root=root)
    place = toy.cache(root, toy.SEED0)
    (root / toy.SEED0).unlink()
    assert tracking.from_alias("champion", toy.SEED0, root=root).file == place
    place.unlink()
    with pytest.raises(UserError, match=rf"bytes of {toy.SEED0} .* are not on this machine; .* `dvc fetch {toy.OUTS[0]}`"):
        tracking.from_alias("champion", root=root)


def test_aliases_that_do_not_name_one_version(root: Path) -> None:
    tracking.backfill(root)
    other = toy.SEED0.replace("seed0", "seed1")
    tracking.promote(toy.SEED0, "champion", root=root)
    tracking.promote(other, "champion", root=root)
    with pytest.raises(UserError, match="unknown alias 'champoin'; did you mean champion"):
        tracking.pull("champoin", root, root=root)
    with pytest.raises(UserError, match="set on several models; pass one of p1_toy-a-b-seed0@champion, p1_toy-a-b-seed1@champion"):
        tracking.pull("champion", root, root=root)
    assert tracking.from_alias("p1_toy-a-b-seed1@champion", root=root).path == other
    assert tracking.from_alias("champion", other, root=root).path == other


def test_promote_takes_one_file(root: Path) -> None:
    tracking.backfill(root)
    with pytest.raises(UserError, match="is a folder; promote one checkpoint in it"):
        tracking.promote(toy.OUTS[0], "champion", root=root)
    with pytest.raises(UserError, match="MLflow at sqlite"):
        tracking.promote(toy.SEED0, "not an alias", root=root)
