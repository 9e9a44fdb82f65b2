"""The two gates by name, and what one does with them: check, move."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from snn5.errors import UserError, unknown
from snn5.gates import _networks, _published
from snn5.gates._baseline import Baseline, Finding, compare, load, provenance, save
from snn5.gates._baseline import move as moved
from snn5.gates._kinds import Metric
from snn5.gates._networks import FOLDER
from snn5.reproducible import one_thread


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A baseline's file in docs/baselines, what measures it now, and md5 of what measured, each given the checkout's root."""

    file: str
    measure: Callable[[Path], Mapping[str, Metric]]
    sources: Callable[[Path], dict[str, str]]

    def baseline(self, root: Path) -> Baseline:
        """What git holds."""
        return load(root / FOLDER / self.file)


def _measure_networks(root: Path) -> dict[str, Metric]:
    with one_thread():
        return _networks.figures(_networks.networks(root), _networks.test_split())


GATES = {
    "networks": Gate(file="networks.json", measure=_measure_networks, sources=_networks.sources),
    "roadmap": Gate(file="roadmap.json", measure=_published.read, sources=_published.sources),
}


def gate(name: str) -> Gate:
    """A gate.

    Raises:
        UserError: there is none of that name.
    """
    if name not in GATES:
        raise unknown("gate", name, GATES)
    return GATES[name]


def check(name: str, root: Path) -> list[Finding]:
    """What the gate finds now; it holds if no finding `fails`."""
    return compare(gate(name).baseline(root).metrics, gate(name).measure(root))


def move(name: str, root: Path, *, pattern: str, reason: str) -> int:
    """Measure, and make what was found the baseline of the metrics that `pattern` names; returns how many moved.

    Raises:
        UserError: see `snn5.gates._baseline.move`.
    """
    which = gate(name)
    path = root / FOLDER / which.file
    before = load(path) if path.is_file() else Baseline()
    after = moved(before, which.measure(root), pattern=pattern, reason=reason, provenance=provenance(root, which.sources(root)))
    save(after, path)
    last = after.moves[-1]
    return int(last["added"]) + len(last["changed"]) + len(last["removed"])


def hold(name: str, root: Path) -> list[Finding]:
    """The findings of a gate that holds: improvements only.

    Raises:
        UserError: it does not; names every figure that fails, and the way out.
    """
    found = check(name, root)
    wrong = [f"{f.metric} {f.text}" for f in found if f.fails]
    if wrong:
        lines = "\n  ".join(wrong)
        raise UserError(
            f"the gate {name!r} fails on {len(wrong)} figures:\n  {lines}\nmend the cause; if the change is meant, "
            f"`snn5 gate move {name} METRIC --reason ...` makes it the baseline"
        )
    return found
