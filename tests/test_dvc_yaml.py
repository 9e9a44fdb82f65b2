"""dvc.yaml against the code: a stage's deps are the modules and data it reads, its params the settings it reads, all of it cached.

A dep that is missing lies: the code changes and DVC says that nothing did. A dep that nothing reads costs a training for nothing. What a
stage imports is followed through the abstract syntax trees, name by name through the packages' curated `__init__`s, down to the modules
that hold the code.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from snn5 import report
from snn5.config import Config

ROOT = Path(__file__).parents[1]
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
EACH = pytest.mark.parametrize("name", sorted(STAGES))


PHASES = pytest.mark.parametrize("name", sorted(name for name in STAGES if name != "report"))  # the report reads records, no settings


# What carries a stage and cannot change a byte of its outputs, wherever it is imported.
CARRIERS = {
    "snn5/__init__.py": "switches telemetry off and lets idle threads sleep",
    "snn5/errors.py": "kinds and words of errors; a stage that raises writes nothing, but for the words of a NotPortable in P5",
    "snn5/_card_checks.py": "raises or does nothing",
    "snn5/_progress.py": "draws",
    "snn5/_compiled.py": "keeps compiled code between processes",
    "snn5/config.py": "checks settings; every value stands in params.yaml (tests/test_config.py), which DVC tracks",
    "snn5/_settings.py": "likewise",
    "snn5/parallel.py": "spreads jobs over processes; threads and determinism are set by snn5/reproducible.py",
    "snn5/lockfile.py": "reads dvc.lock for tracking",
    "snn5/tracking": "MLflow gets copies; of p6's ingredients only md5s that dvc.lock has too come back",
    "snn5/stages/__init__.py": "empty",
    "snn5/stages/_stage.py": "carries; seeds come from snn5/reproducible.py, the form of records from snn5/record.py",
    "snn5/stages/_watchdog.py": "ends a stage or does nothing",
}
# --- the modules behind a script


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def module_path(dotted: str) -> Path | None:
    """The file of a module of ours."""
    base = ROOT.joinpath(*dotted.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1])


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import of ours in a file, at any depth; name None for `import module`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.split(".")[0] == "snn5")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package_of(path).split(".")
                base = ".".join([*above[: len(above) - node.level + 1], *filter(None, [base])])
            if base.split(".")[0] == "snn5":
                yield from ((base, alias.name) for alias in node.names)


def home_of(module: str, name: str | None) -> Path:
    """The file that holds `name`: a submodule, or what a package's __init__ hands on, or the module itself."""
    path = module_path(f"{module}.{name}") if name else None
    if path is not None:
        return path
    path = module_path(module)
    assert path is not None, f"{module} is no module"
    if name and path.name == "__init__.py":
        for source, given in imports(path):
            if given == name:
                return home_of(source, name)
    return path


@cache
def reached(path: Path) -> frozenset[str]:
    """Every file of ours that running `path` runs code of, relative to the root; packages' __init__s only where names live in them."""
    found, todo = {path}, [path]
    while todo:
        for module, name in imports(todo.pop()):
            home = home_of(module, name)
            if home not in found and not carries(home.relative_to(ROOT).as_posix(), CARRIERS):
                found.add(home)
                todo.append(home)
    # Seeds, threads and determinism reach every script through the harness, which itself is a carrier.
    return frozenset(p.relative_to(ROOT).as_posix() for p in found) | {"snn5/reproducible.py"}


def carries(file: str, among: dict[str, str]) -> bool:
    return any(file == place or file.startswith(place + "/") for place in among)


def script(name: str) -> Path:
    words = STAGES[name]["cmd"].split()
    assert words[:2] == ["python", "-m"], words
    return ROOT / (words[2].replace(".", "/") + ".py")


def code_deps(name: str) -> list[str]:
    return [dep for dep in STAGES[name]["deps"] if dep.startswith("snn5")]


def covered(file: str, deps: list[str]) -> bool:
    return any(file == dep or file.startswith(dep + "/") for dep in deps)


# --- form


@EACH
def test_every_stage_says_what_it_does_and_lets_dvc_cache_it(name: str) -> None:
    stage = STAGES[name]
    phase = re.match(r"p(\d)_", name)
    assert re.match(rf"P{phase[1]}(\.\d)? .{{10,}}" if phase else ".{15,}", stage.get("desc", "")), stage.get("desc")
    assert not {"always_changed", "frozen"} & set(stage)
    assert stage["outs"] and all(isinstance(out, str) for out in stage["outs"]), "an out with options (cache: false, persist: true)"
    assert not {"metrics", "plots"} & set(stage), "metrics and plots of a stage are outputs too, and easily cache: false"


@EACH
def test_a_stage_is_named_after_its_script_and_writes_its_own_folder(name: str) -> None:
    """`p1_train@a-b` is `python -m snn5.stages.p1_train a b` and writes data/p1_train/a-b/."""
    stage = STAGES[name]
    items = [f"${{item.{key}}}" for key in stage.get("matrix", {})]
    assert stage["cmd"].split() == ["python", "-m", f"snn5.stages.{name}", *items]
    assert script(name).is_file()
    folder = "/".join(["data", name, *(["-".join(items)] if items else [])])
    own = [out for out in stage["outs"] if out.startswith(folder + "/")]
    assert own == [out for out in stage["outs"] if not out.startswith("reports")]
    assert {f"{folder}/metrics.json", f"{folder}/curves.csv"} <= set(own)


def test_every_script_is_a_stage() -> None:
    scripts = {p.stem for p in (ROOT / "snn5" / "stages").glob("*.py") if not p.stem.startswith("_")}
    assert scripts == set(STAGES)


@EACH
def test_scripts_are_thin(name: str) -> None:
    lines = len(script(name).read_text(encoding="utf-8").splitlines())
    assert lines <= 80


@EACH
def test_nothing_is_listed_twice(name: str) -> None:
    for key in ("deps", "outs", "params"):
        listed = STAGES[name].get(key, [])
        assert len(listed) == len(set(listed)), key
        for one in listed:
            assert not any(one.startswith(other + "/") for other in listed), one


# --- code


@EACH
def test_deps_hold_every_module_that_the_stage_runs(name: str) -> None:
    missing = sorted(f for f in reached(script(name)) if not covered(f, code_deps(name)))
    assert missing == []


@EACH
def test_no_dep_that_nothing_imports(name: str) -> None:
    files = reached(script(name))
    assert [dep for dep in code_deps(name) if not any(covered(f, [dep]) for f in files)] == []
    assert [dep for dep in code_deps(name) if not (ROOT / dep).exists()] == []


def test_exemptions_exist_and_are_used() -> None:
    for place in CARRIERS:
        assert (ROOT / place).exists(), place


def test_a_packages_init_hands_on_and_does_nothing_else() -> None:
    """Which is why a stage that lists one module of a package need not list its __init__."""
    for path in sorted((ROOT / "snn5").glob("*/__init__.py")):
        for node in tree(path).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            exported = isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]
            later = isinstance(node, ast.If) and all(isinstance(inner, ast.ImportFrom) for inner in node.body)
            later = later and [ast.unparse(inner) for inner in node.orelse] == ["__getattr__, __dir__ = on_use(__name__, __file__)"]
            assert docstring or exported or later or isinstance(node, ast.ImportFrom), f"{path}:{node.lineno}"


def test_the_walk_finds_what_is_known() -> None:
    """Through `from snn5.datasets import load_split` to _split.py and no further, and through `from snn5 import checkpoint`."""
    files = reached(ROOT / "snn5" / "stages" / "p1_train.py")
    assert {
        "snn5/training/_fit.py",
        "snn5/models/_sew_resnet.py",
        "snn5/neurons/_lif.py",
        "snn5/datasets/_split.py",
        "snn5/checkpoint.py",
    } <= files
    assert "snn5/datasets/_camera.py" not in files and "snn5/tuning/_study.py" not in files
    assert "snn5/datasets/_digits.py" in reached(ROOT / "snn5" / "datasets" / "__init__.py")


# --- data


def outs() -> list[str]:
    return [out for stage in STAGES.values() for out in stage["outs"]]


def as_pattern(path: str) -> list[str]:
    """The parts of a path, a regular expression each: what `${...}` or an f-string's `{}` puts in can be anything."""
    return [".+".join(map(re.escape, re.split(r"\$\{[^}]*\}|\0", part))) for part in path.split("/")]


def meets(a: str, b: str) -> bool:
    """One path may lie in, or be, the other."""
    return all(
        re.fullmatch(x, y.replace("\\", "")) or re.fullmatch(y, x.replace("\\", ""))
        for x, y in zip(as_pattern(a), as_pattern(b), strict=False)
    )


@EACH
def test_data_deps_are_what_another_stage_makes(name: str) -> None:
    data = [dep for dep in STAGES[name]["deps"] if not dep.startswith(("snn5", "experiments/results"))]
    assert [dep for dep in data if not any(meets(dep, out) and len(dep.split("/")) >= len(out.split("/")) for out in outs())] == []
    assert not any(meets(dep, out) for dep in data for out in STAGES[name]["outs"])


def paths_in(file: str) -> set[str]:
    """Paths under data/ in the strings and f-strings of a file, with a NUL for what is put in."""
    found = set()
    nodes = list(ast.walk(tree(ROOT / file)))
    fragments = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if node in fragments:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if re.fullmatch(r"data/[^\s`]+/[^\s`]+", text):
            found.add(text)
    return found


@EACH
def test_data_deps_are_what_the_stage_opens(name: str) -> None:
    """Each path in the script (and in what opens files for it) has a dep above it, and each dep a path in it."""
    if name == "report":  # takes its paths from snn5.report.STAGES
        assert set(report.STAGES) == {"@".join(out.split("/")[1:-1]) for out in expanded_records()}
        return
    openers = {"snn5/stages/_by_source.py", "snn5/stages/_data.py", "snn5/stages/_chain_ingredients.py"}
    files = {script(name).relative_to(ROOT).as_posix()} | (openers & reached(script(name)))
    opened = {path for file in files for path in paths_in(file)}
    data = [dep for dep in STAGES[name]["deps"] if not dep.startswith("snn5")]
    assert [path for path in opened if not any(meets(dep, path) for dep in data)] == []
    assert [dep for dep in data if not any(meets(dep, path) for path in opened)] == []


def expanded_records() -> set[str]:
    """metrics.json and curves.csv of every stage and matrix item but the report's."""
    found = set()
    for name, stage in STAGES.items():
        matrix = stage.get("matrix", {})
        for values in product(*matrix.values()):
            for out in stage["outs"]:
                for key, value in zip(matrix, values, strict=True):
                    out = out.replace(f"${{item.{key}}}", value)
                if name != "report" and out.endswith(("metrics.json", "curves.csv")):
                    found.add(out)
    return found


def test_the_report_reads_all_records() -> None:
    listed = {dep for dep in STAGES["report"]["deps"] if not dep.startswith("snn5")}
    assert listed == expanded_records() | {"experiments/results"}


# --- settings


def chains(file: Path) -> Iterator[list[str]]:
    """Dotted settings that a file reads: what stands after `.config` (of a stage) or after a parameter `config`; `*` for getattr."""

    def chain(node: ast.AST) -> list[str] | None:
        if isinstance(node, ast.Attribute):
            if node.attr == "config" and isinstance(node.value, ast.Name) and node.value.id == "stage":
                return []
            head = chain(node.value)
            return None if head is None else [*head, node.attr]
        if isinstance(node, ast.Name) and node.id == "config" and file.name == "_prepare.py":
            return []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            head = chain(node.args[0])
            return None if head is None else [*head, "*"]
        return None

    inner = set()
    nodes = list(ast.walk(tree(file)))
    for node in nodes:
        if isinstance(node, ast.Attribute):
            inner.add(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            inner.add(node.args[0])
    for node in nodes:
        found = chain(node) if node not in inner else None
        if found:
            yield found


def settings_of(name: str) -> list[list[str]]:
    """Sections that a stage reads, cut where the dataclasses end."""
    shared = {"snn5/stages/_contrast.py"} & reached(script(name))
    files = [script(name), *map(ROOT.joinpath, shared), *([ROOT / "snn5/datasets/_prepare.py"] if name == "p7_data" else [])]
    found = []
    for file in files:
        for dotted in chains(file):
            kept: list[str] = []
            kind: Any = Config
            for key in dotted:
                if not is_dataclass(kind):
                    break
                kept.append(key)
                kind = get_type_hints(kind).get(fields(kind)[0].name if key == "*" else key)
            found.append(kept)
    return found


def slots(dotted: list[str]) -> list[list[str]]:
    """A `*` stands for frames and for events."""
    if "*" not in dotted:
        return [dotted]
    at = dotted.index("*")
    return [[*dotted[:at], slot, *dotted[at + 1 :]] for slot in ("frames", "events")]


def params(name: str) -> list[list[str]]:
    """The listed settings, `${item.x}` as `*`; the profile's own entries stand beside."""
    return [re.sub(r"\$\{item\.\w+\}", "*", p).split(".") for p in STAGES[name].get("params", []) if not p.startswith("profile")]


def within(dotted: list[str], section: list[str]) -> bool:
    return len(section) <= len(dotted) and all(a in (b, "*") for a, b in zip(section, dotted, strict=False))


@PHASES
def test_params_hold_every_setting_that_the_script_reads(name: str) -> None:
    read = [one for dotted in settings_of(name) for one in slots(dotted)]
    assert read
    assert [".".join(one) for one in read if not any(within(one, section) for section in params(name))] == []


@PHASES
def test_no_setting_that_the_script_does_not_read(name: str) -> None:
    read = [one for dotted in settings_of(name) for one in slots(dotted)]
    unread = [".".join(s) for s in params(name) if not any(within(one, s) or within(s, one) for one in read)]
    assert unread == []


@PHASES
def test_the_profile_is_always_a_setting(name: str) -> None:
    """What a profile lays over the common settings is in none of their sections."""
    assert STAGES[name]["params"][-2:] == ["profile", "profiles.${profile}"]


def test_the_walk_over_settings_finds_what_is_known() -> None:
    assert ["p6", "data"] in settings_of("p4_sparsify") and ["p4"] in settings_of("p4_sparsify")
    assert ["data", "*", "time_steps"] in settings_of("p1_train") and ["p1", "*"] in settings_of("p1_train")
    assert ["data", "*"] in settings_of("p7_data")
