"""A baseline in git: gated figures, and for each the move that put it there.

    {"format": 1, "metrics": {name: {kind, values, n, move}}, "moves": [{reason, sources, git, versions, added, changed, removed}]}

`move` is the place in `moves`. A move tells why (`reason`, by a person), what measured (`sources`: md5 by path), at which commit and with
which versions, how many metrics were new, and of the others the old values and the new ones. No clock: git knows when.
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snn5.errors import UserError
from snn5.files import read_json, write_json
from snn5.gates._kinds import KINDS, Metric, better, worse

FORMAT = 1
MADE_BY = "git checkout"
_VERSIONS = ("torch", "numpy", "spikingjelly", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure that is not as the baseline has it; `fails` is False for an improvement, which only asks for a move."""

    metric: str
    text: str
    fails: bool = True


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Figures by name, the move of each, and the moves, oldest first."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    moved_by: Mapping[str, int] = field(default_factory=dict)
    moves: tuple[Mapping[str, Any], ...] = ()


def compare(baseline: Mapping[str, Metric], found: Mapping[str, Metric]) -> list[Finding]:
    """What differs: worse, better, missing, or unknown to the baseline. A figure that nobody has looked at is no pass."""
    findings = []
    for name in sorted(baseline.keys() | found.keys()):
        if name not in found:
            findings.append(Finding(metric=name, text=f"is missing; the baseline has {baseline[name].text()}"))
        elif name not in baseline:
            findings.append(Finding(metric=name, text=f"is {found[name].text()} and has no baseline; take it in with `snn5 gate move`"))
        elif (why := worse(baseline[name], found[name])) is not None:
            findings.append(Finding(metric=name, text=f"is {found[name].text()}: {why}"))
        elif better(baseline[name], found[name]):
            text = f"is {found[name].text()}, better than {baseline[name].text()}; keep it with `snn5 gate move`"
            findings.append(Finding(metric=name, text=text, fails=False))
    return findings


def load(path: Path) -> Baseline:
    """The baseline in the file `path`.

    Raises:
        UserError: it is missing, broken, of another format, or has a metric without a move.
    """
    raw = read_json(path, made_by=f"{MADE_BY} {path}")
    try:
        if raw["format"] != FORMAT:
            raise UserError(f"{path} is of format {raw['format']!r}, not {FORMAT}; restore it with `{MADE_BY} {path}`")
        metrics = {name: Metric(kind=m["kind"], values=tuple(map(float, m["values"])), n=int(m["n"])) for name, m in raw["metrics"].items()}
        moved_by = {name: int(m["move"]) for name, m in raw["metrics"].items()}
        moves = tuple(raw["moves"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is no baseline ({error!r}); restore it with `{MADE_BY} {path}`") from error
    for name, metric in metrics.items():
        if metric.kind not in KINDS or not metric.values or not 0 <= moved_by[name] < len(moves):
            raise UserError(f"{path}: {name} is not whole ({metric}, move {moved_by[name]}); restore it with `{MADE_BY} {path}`")
    return Baseline(metrics=metrics, moved_by=moved_by, moves=moves)


def save(baseline: Baseline, path: Path) -> None:
    """Write it; equal baselines give equal bytes."""
    metrics = {
        name: {"kind": m.kind, "values": list(map(float, m.values)), "n": m.n, "move": baseline.moved_by[name]}
        for name, m in baseline.metrics.items()
    }
    write_json(path, {"format": FORMAT, "metrics": metrics, "moves": list(baseline.moves)})


def move(baseline: Baseline, found: Mapping[str, Metric], *, pattern: str, reason: str, provenance: Mapping[str, Any]) -> Baseline:
    """The baseline with the figures that `pattern` names as they were found, and the move that says so.

    Args:
        pattern: name of a metric, `*` and `?` as in a shell. A metric that was not found is removed.
        reason: why, in a sentence that the next reader understands. provenance: see `provenance`.

    Raises:
        UserError: no reason, nothing that the pattern names differs, or a figure is no finite number.
    """
    if len(reason.split()) < 3:
        raise UserError(f"reason={reason!r}: say in a few words why the baseline moves; it stands in the file for the next reader")
    names = {n for n in baseline.metrics.keys() | found.keys() if fnmatch(n, pattern) and baseline.metrics.get(n) != found.get(n)}
    if not names:
        raise UserError(f"no metric like {pattern!r} differs from its baseline; `snn5 gate check` shows which do")
    for name in sorted(names & found.keys()):
        if (why := worse(found[name], found[name])) is not None:
            raise UserError(f"{name} cannot be a baseline: {why}")
    changed = {
        n: {"old": list(baseline.metrics[n].values), "new": list(found[n].values)} for n in names & baseline.metrics.keys() & found.keys()
    }
    removed = {n: list(baseline.metrics[n].values) for n in names - found.keys()}
    entry = {"reason": reason, **provenance, "added": len(names - baseline.metrics.keys()), "changed": changed, "removed": removed}
    kept = {n: m for n, m in baseline.metrics.items() if n not in names}
    taken = {n: found[n] for n in names & found.keys()}
    moved_by = {n: baseline.moved_by[n] for n in kept} | dict.fromkeys(taken, len(baseline.moves))
    return Baseline(metrics=kept | taken, moved_by=moved_by, moves=(*baseline.moves, entry))


def provenance(root: Path, sources: Mapping[str, str]) -> dict[str, Any]:
    """What measured: md5 of files by path, the commit (with `+changes` where the tree has others than in the baselines), versions."""
    versions = {name: version(name) for name in _VERSIONS}
    return {"sources": dict(sources), "git": _commit(root), "versions": versions}


def _commit(root: Path) -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (
            "+changes" if git("status", "--porcelain", "--", ".", ":!docs/baselines", ":!docs/results") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
