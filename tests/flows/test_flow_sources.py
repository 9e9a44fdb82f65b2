"""What the flows' sources and prefect.yaml promise."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import flows
from snn5.errors import UserError

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "flows").glob("*.py"))


def strings(path: Path) -> Iterator[str]:
    return (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_no_stage_name_is_typed_in_a_flow() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert len(stages) >= 9
    typed = {(path.name, stage) for path in SOURCES for text in strings(path) for stage in stages if re.search(rf"\b{stage}\b", text)}
    assert not typed - {("__init__.py", "report"), *((path.name, "report") for path in SOURCES)}  # also an English word


def test_flows_import_no_torch_and_no_mlflow() -> None:
    modules = ", ".join(f"flows.{path.stem}" for path in SOURCES if path.stem not in ("__init__", "__main__"))
    code = f"import sys, flows, {modules}; print([m for m in ('torch', 'mlflow', 'dvc', 'spikingjelly') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_there_is_a_flow_for_every_phase() -> None:
    assert [name.partition("_")[0] for name in flows.names()] == [f"p{n}" for n in range(1, 9)]
    assert (flows.find("p1"), flows.find("p8_bio"), flows.find("roadmap")) == ("p1_architectures", "p8_bio", "roadmap")


def test_an_unknown_phase_gets_the_closest() -> None:
    with pytest.raises(UserError, match="unknown phase 'p1_architecture'; did you mean p1_architectures"):
        flows.find("p1_architecture")


@pytest.mark.parametrize("name", flows.names())
def test_a_phase_says_its_claim_its_tasks_and_its_command(name: str) -> None:
    path = ROOT / "flows" / f"{name}.py"
    assert len(path.read_text().splitlines()) <= 40
    function = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))
    phase, text = name.partition("_")[0], ast.get_docstring(function) or ""
    assert function.name == name
    assert f"{phase.upper()}.1" in text
    assert f"Command: `snn5 run {phase}`" in text


def test_every_flow_is_deployed_and_no_schedule_is_on() -> None:
    text = (ROOT / "prefect.yaml").read_text()
    deployments = yaml.safe_load(text)["deployments"]
    assert {d["entrypoint"] for d in deployments} == {f"flows/{name}.py:{name}" for name in [*flows.names(), "roadmap"]}
    for deployment in deployments:
        assert [schedule["active"] for schedule in deployment["schedules"]] == [False]
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert deployment["work_pool"] == {"name": "snn5-pool", "job_variables": {"working_dir": "."}}
    assert not re.search(r"(?<![\w.])/(?:\w+/)", text)  # no absolute path
