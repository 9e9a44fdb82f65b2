"""The house's order: dependencies point one way, tools stay at the top, and every module can be imported and is fit to be read."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(p.relative_to(ROOT).as_posix() for package in ("snn5", "flows") for p in (ROOT / package).rglob("*.py"))
LIBRARY = [f for f in FILES if f.startswith("snn5/")]

# Lower may not import higher; within a layer packages may import each other, but not in a circle.
LAYERS: list[set[str]] = [
    {
        "errors",
        "files",
        "config",
        "record",
        "statistics",
        "success",
        "parallel",
        "lockfile",
        "reproducible",
        "_settings",
        "_bio_sections",
        "_fast_section",
        "_sections",
        "_train_section",
        "_progress",
        "_processes",
        "_guard",
        "_lazy",
        "_compiled",
    },
    {"neurons", "coding"},
    {"models", "datasets"},
    {"checkpoint", "_card_checks"},
    {"training", "tuning", "compression", "inference", "hardware", "benchmark", "bench", "bio"},
    {"tracking", "report", "gates"},
    {"stages"},
    {"recover", "repro", "_side_by_side", "_dvc", "cli", "_gate_cli", "_bench_cli", "_tables", "_doctor", "_servers", "_ui", "flows"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
TOOLS = {"prefect", "dvc", "dvc_data", "dvc_objects", "mlflow"}
MAY_USE_TOOLS = ("snn5/stages/", "snn5/tracking/", "snn5/_dvc.py", "flows/")
LONGEST = 300


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), filename=file)


def unit(file: str) -> str:
    """The package or module of snn5 that a file belongs to: snn5/training/_fit.py -> training."""
    parts = Path(file).with_suffix("").parts
    return "flows" if parts[0] == "flows" else parts[1]


def imported(file: str) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import at any depth; relative ones made absolute, `from a import b` as a.b."""
    package = list(Path(file).with_suffix("").parts[:-1])
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def units_imported(file: str) -> Iterator[tuple[int, str]]:
    for line, module in imported(file):
        parts = module.split(".")
        if parts[0] == "flows":
            yield line, "flows"
        elif parts[0] == "snn5" and len(parts) > 1 and parts[1] != "__version__":
            yield line, parts[1]


def test_every_part_has_its_layer() -> None:
    assert {unit(f) for f in FILES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("name", sorted(LEVEL))
def test_dependencies_point_down(name: str) -> None:
    wrong = [
        f"{file}:{line} imports {other}"
        for file in FILES
        if unit(file) == name
        for line, other in units_imported(file)
        if other != name and LEVEL[other] > LEVEL[name]
    ]
    assert wrong == []


def test_no_circles() -> None:
    edges: dict[str, set[str]] = defaultdict(set)
    for file in FILES:
        edges[unit(file)] |= {other for _, other in units_imported(file)} - {unit(file)}
    left = set(edges) | set(LEVEL)
    while free := {name for name in left if not edges[name] & left}:
        left -= free
    assert left == set(), f"circle among {sorted(left)}"


def test_nothing_below_imports_the_tools() -> None:
    wrong = [
        f"{file}:{line} imports {module}"
        for file in LIBRARY
        if not file.startswith(MAY_USE_TOOLS)
        for line, module in imported(file)
        if module.split(".")[0] in TOOLS
    ]
    assert wrong == []


def test_the_tools_do_not_come_in_by_the_back_door() -> None:
    """Not through a third package either: what a training needs loads neither Prefect nor DVC nor MLflow."""
    parts = [name for level in LAYERS[:5] for name in sorted(level)]
    script = (
        f"import importlib, sys\n"
        f"for name in {parts!r}: importlib.import_module('snn5.' + name)\n"
        f"print(sorted({{m.split('.')[0] for m in sys.modules}} & {TOOLS!r}))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("file", [f for f in FILES if not f.endswith("__main__.py")])
def test_every_module_can_be_imported(file: str) -> None:
    parts = Path(file).with_suffix("").parts
    importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def test_no_star_imports() -> None:
    assert [(file, line) for file in FILES for line, module in imported(file) if module.endswith(".*")] == []


def is_script(file: str) -> bool:
    """Started with `python -m`, or a section of the report, which is named after its phase and found by name."""
    return file.startswith("snn5/report/sections/") or any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" for node in tree(file).body
    )


def test_modules_are_private() -> None:
    """A package's modules are `_x.py`, scripts aside: what others may use stands in its __init__, or has a name that stays put."""
    named = {"snn5/hardware/lava.py"}  # hardware.lava.run
    assert {f for f in LIBRARY if f.count("/") > 1 and not Path(f).name.startswith("_") and not is_script(f)} == named


EACH = pytest.mark.parametrize("file", FILES)


@EACH
def test_nobody_reaches_into_another_package(file: str) -> None:
    """Files inside a package can then move without a word to anybody."""
    reaching = [(line, m) for line, m in imported(file) if m.startswith("snn5.") and m.count(".") > 2 and m.split(".")[1] != unit(file)]
    assert [f"{file}:{line} imports {m}" for line, m in reaching if any(part.startswith("_") for part in m.split(".")[2:-1])] == []


def test_no_asserts_and_no_prints() -> None:
    """`python -O` drops asserts, and a user's mistake is not an assertion; a library's words go to errors and loggers."""
    wrong = []
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Assert):
                wrong.append(f"{file}:{node.lineno} assert")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                wrong.append(f"{file}:{node.lineno} print")
    assert wrong == []


GLOBAL_DRAWS = {"torch.manual_seed", "torch.seed", "np.random.seed", "numpy.random.seed", "random.seed"}
SEEDS_GLOBALS = {"snn5/parallel.py", "snn5/models/_registry.py"}  # jobs' own generators, put back; inside fork_rng


def test_no_global_randomness() -> None:
    """Generators are passed in. Two places seed the global ones, to shield against code of others that draws from them."""
    wrong = []
    for file in LIBRARY:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                legacy = re.match(r"(np|numpy)\.random\.(?!default_rng|Generator|PCG64|Philox|SeedSequence)", name)
                if (name in GLOBAL_DRAWS or legacy or name.startswith("random.")) and file not in SEEDS_GLOBALS:
                    wrong.append(f"{file}:{node.lineno} {name}")
                draws = name in ("torch.rand", "torch.randn", "torch.randint", "torch.randperm", "torch.bernoulli", "torch.normal")
                if draws and not any(k.arg == "generator" for k in node.keywords):
                    wrong.append(f"{file}:{node.lineno} {name} without a generator")
    assert wrong == []


@EACH
def test_no_long_files(file: str) -> None:
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_module_says_what_it_is() -> None:
    assert [f for f in FILES if not ast.get_docstring(tree(f))] == []


def test_the_walk_sees_what_it_should() -> None:
    assert "snn5.errors.UserError" in [module for _, module in imported("snn5/files.py")]
    assert {"mlflow"} <= {module.split(".")[0] for f in LIBRARY if f.startswith("snn5/tracking/") for _, module in imported(f)}
    assert ("training", "config") in {(unit(f), other) for f in FILES for _, other in units_imported(f)}


def test_test_modules_have_names_of_their_own() -> None:
    """Without packages, pytest imports them by their file's name alone."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in ("conftest.py", "__init__.py"))
    assert [name for name, count in names.items() if count > 1] == []
