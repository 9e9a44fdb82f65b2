"""The gate on what was published."""

import json
from pathlib import Path

import pytest

from snn5 import gates
from snn5.errors import UserError
from snn5.gates._published import FILE, figures, read

ROOT = Path(__file__).parents[2]


def test_the_published_report_holds_its_baseline() -> None:
    assert [f for f in gates.hold("roadmap", ROOT) if f.fails] == []


def test_figures_that_are_not_there_name_the_commands(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"figures\.json is missing; make it with `make repro && make publish`"):
        read(tmp_path)


@pytest.mark.parametrize(
    "raw", [{}, [], {"networks": {}}, {"networks": {"a": {}}}, {"networks": {"a": {"metrics": {}, "n": 450, "rates": {}}}}]
)
def test_figures_of_another_form_are_refused(tmp_path: Path, raw: object) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(json.dumps(raw))
    with pytest.raises(UserError, match=r"figures\.json (holds no figures|names no network).*make repro"):
        read(tmp_path)


def test_a_network_that_is_gone_fails() -> None:
    held = gates.GATES["roadmap"].baseline(ROOT).metrics
    assert len({name.partition("/")[0] for name in held}) >= 10
    gone = {name: m for name, m in held.items() if not name.startswith("p6_integrate@frames/")}
    assert {f.metric for f in gates.compare(held, gone) if f.fails} == {n for n in held if n.startswith("p6_integrate@frames/")}


def test_nan_in_the_file_reaches_the_gate() -> None:
    entry = {"n": 450, "metrics": {"test/acc": [0.9], "cost/synops": [1.0]}, "rates": {"stem": [0.1]}}
    held = figures({"networks": {"a": entry}})
    broken = json.loads(json.dumps({"networks": {"a": entry | {"rates": {"stem": [float("nan")]}}}}))
    assert [f.metric for f in gates.compare(held, figures(broken)) if f.fails] == ["a/rate/stem"]
