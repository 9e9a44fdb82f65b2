"""The file in git: comparing, moving with provenance, and what is refused."""

import json
from pathlib import Path

import pytest

from snn5.errors import UserError
from snn5.gates import Baseline, Metric, compare
from snn5.gates._baseline import load, move, provenance, save
from snn5.gates._gate import GATES

ROOT = Path(__file__).parents[2]
FROM = {"sources": {"a.json": "0" * 32}, "git": "1234", "versions": {"torch": "2"}}


def exact(value: float) -> Metric:
    return Metric(kind="exact", values=(value,))


FOUND = {"net/macs": exact(5.0), "net/acs": exact(7.0), "net/accuracy": Metric(kind="accuracy", values=(440.0,), n=450)}


@pytest.fixture
def baseline() -> Baseline:
    return move(Baseline(), FOUND, pattern="*", reason="the first figures ever", provenance=FROM)


def test_what_was_moved_is_what_is_found(baseline: Baseline, tmp_path: Path) -> None:
    assert compare(baseline.metrics, FOUND) == []
    save(baseline, tmp_path / "b.json")
    assert load(tmp_path / "b.json") == baseline
    assert json.loads((tmp_path / "b.json").read_text())["moves"] == [
        {"reason": "the first figures ever", **FROM, "added": 3, "changed": {}, "removed": {}}
    ]


def test_findings_name_what_is_worse_missing_unknown_or_better(baseline: Baseline) -> None:
    found = {"net/macs": exact(6.0), "net/accuracy": Metric(kind="accuracy", values=(450.0,), n=450), "net/new": exact(1.0)}
    said = {f.metric: (f.fails, f.text) for f in compare(baseline.metrics, found)}
    assert said == {
        "net/acs": (True, "is missing; the baseline has 7"),
        "net/macs": (True, "is 6: must stay 5"),
        "net/new": (True, "is 1 and has no baseline; take it in with `snn5 gate move`"),
        "net/accuracy": (
            False,
            "is 100.00 % (450 of 450 each), better than 97.78 % (440 of 450 each); keep it with `snn5 gate move`",
        ),
    }


def test_a_move_keeps_old_and_new_and_touches_only_what_it_names(baseline: Baseline) -> None:
    found = {"net/macs": exact(6.0), "net/acs": exact(8.0), "net/new": exact(1.0)}
    after = move(baseline, found, pattern="net/[mn]*", reason="the stem is wider now", provenance=FROM)
    assert after.metrics["net/macs"] == exact(6.0) and after.metrics["net/acs"] == exact(7.0) and after.metrics["net/new"] == exact(1.0)
    last = after.moves[-1]
    assert last["changed"] == {"net/macs": {"old": [5.0], "new": [6.0]}} and (last["added"], last["removed"]) == (1, {})
    assert after.moved_by == {"net/macs": 1, "net/acs": 0, "net/new": 1, "net/accuracy": 0}
    assert baseline.metrics["net/macs"] == exact(5.0)


def test_a_metric_that_is_gone_is_removed_by_a_move_only(baseline: Baseline) -> None:
    after = move(baseline, {}, pattern="net/acs", reason="no spikes any more", provenance=FROM)
    assert set(after.metrics) == {"net/macs", "net/accuracy"} and after.moves[-1]["removed"] == {"net/acs": [7.0]}


@pytest.mark.parametrize(
    ("pattern", "reason", "found", "match"),
    [
        ("*", "", {"net/macs": exact(6.0)}, "say in a few words why"),
        ("*", "because", {"net/macs": exact(6.0)}, "reason='because': say in a few words why"),
        ("other/*", "the stem is wider", {"net/macs": exact(6.0)}, r"no metric like 'other/\*' differs"),
        ("*", "the stem is wider", FOUND, r"no metric like '\*' differs"),
        ("*", "the stem is wider", {**FOUND, "net/macs": exact(float("nan"))}, "net/macs cannot be a baseline: .* no finite number"),
    ],
)
def test_moves_that_are_refused(baseline: Baseline, pattern: str, reason: str, found: dict[str, Metric], match: str) -> None:
    with pytest.raises(UserError, match=match):
        move(baseline, found, pattern=pattern, reason=reason, provenance=FROM)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda raw: raw | {"format": 2}, "is of format 2, not 1"),
        (lambda raw: {"format": 1}, "is no baseline"),
        (lambda raw: [], "is no baseline"),
        (lambda raw: raw | {"moves": []}, "net/[a-z]+ is not whole"),
        (lambda raw: raw | {"metrics": {"x": {"kind": "size", "values": [1], "n": 0, "move": 0}}}, "x is not whole"),
        (lambda raw: raw | {"metrics": {"x": {"kind": "exact", "values": [], "n": 0, "move": 0}}}, "x is not whole"),
    ],
)
def test_damaged_files_name_themselves(baseline: Baseline, tmp_path: Path, change: object, match: str) -> None:
    path = tmp_path / "b.json"
    save(baseline, path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))  # type: ignore[operator]
    with pytest.raises(UserError, match=rf"b\.json.*{match}|b\.json: {match}"):
        load(path)


def test_a_missing_file_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"b\.json is missing; make it with `git checkout .*b\.json`"):
        load(tmp_path / "b.json")


def test_provenance_outside_of_git(tmp_path: Path) -> None:
    found = provenance(tmp_path, {"x": "y"})
    assert found["git"] == "unknown" and found["sources"] == {"x": "y"} and set(found["versions"]) >= {"torch", "spikingjelly"}


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_committed_figure_has_a_move_with_a_reason(name: str) -> None:
    held = GATES[name].baseline(ROOT)
    assert held.metrics and set(held.moved_by) == set(held.metrics)
    for entry in held.moves:
        assert len(entry["reason"].split()) >= 3 and entry["git"] != "unknown"
        assert all(len(md5) == 32 for md5 in entry["sources"].values()) and entry["sources"]
