"""The roadmap's three targets and what the records allow to say about each: never more than that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snn5.report._results import Results, Value, measurement
from snn5.report._text import THIN, accuracy, decimal, fraction, seeds, spread, whole, with_unit
from snn5.success import PROVEN, needed

Verdict = Literal["reached", "not reached", "not measured yet", "not proved"]
GOAL_ACCURACY = 0.95  # target 1, on CIFAR-10
EQUAL_POINTS = 1.0  # how far below the ANN's accuracy still counts as equal, in points
SEEDS = "p8_reproducibility"
P6 = ("p6_integrate@frames", "p6_integrate@events")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target's card.

    Attributes:
        number: 1 to 3. title, demand: what the roadmap asks. verdict: in two words. figure: the one number to show, or an empty text.
        notes: sentences on what the figure is, and what it is not.
    """

    number: int
    title: str
    demand: str
    verdict: Verdict
    figure: str
    notes: tuple[str, ...]


def targets(results: Results) -> tuple[Target, Target, Target]:
    """The three cards."""
    return _accuracy(results), _energy(results), _reproducibility(results)


def _accuracy(results: Results) -> Target:
    demand = "95–97 % test accuracy on CIFAR-10"
    shown = next(
        (
            (value, results.samples(stage))
            for stage, prefix, start in (
                ("p6_integrate@frames", "start/", "start-"),
                ("p7_benchmark", "sew_resnet-frames/", "sew_resnet-frames-"),
            )
            if _data(results, stage, start) == "cifar10" and (value := results.value(stage, "test/acc", prefix))
        ),
        None,
    )
    if shown is not None:
        value, n = shown
        verdict: Verdict = "reached" if value.mean >= GOAL_ACCURACY else "not reached"
        return Target(
            number=1,
            title="Accuracy",
            demand=demand,
            verdict=verdict,
            figure=f"{with_unit(value)}",
            notes=(f"CIFAR-10: {accuracy(value, n)}.",),
        )
    if entries := (results.recorded.get("cifar10") or {}).get("profiles"):
        return _recorded_accuracy(entries, demand)
    stage = "p1_train@sew_resnet-frames"
    notes = ["No network of this run was trained on CIFAR-10."]
    digits = results.value(stage, "test/acc")
    if digits is not None:
        name = results.dataset("frames") or "another data set"
        notes.append(f"What is there, and is not the target: {name}, {accuracy(digits, results.samples(stage))}.")
    return Target(number=1, title="Accuracy", demand=demand, verdict="not measured yet", figure="", notes=tuple(notes))


def _recorded_accuracy(entries: Mapping[str, Mapping[str, Any]], demand: str) -> Target:
    """The recorded profile with the highest validation accuracy, without test-time augmentation."""
    name, entry = max(entries.items(), key=lambda item: item[1]["val"]["chosen"][str(item[1]["T"])])
    reached = Value.of([entry["accuracy"], *(other["accuracy"] for other in entry.get("others", {}).values())])
    figure = f"{spread(reached, scale=100) if reached.seeds > 1 else decimal(100 * reached.mean)}{THIN}%"
    notes = [
        f"CIFAR-10: {figure} of {whole(entry['n']['test'])} official test images, {seeds(reached.seeds)}, T = {entry['T']}, without "
        f"test-time augmentation; recorded by `python -m experiments.cifar10 --profile {name}` in {entry['cpu_min']:.0f} minutes of "
        "processor time.",
    ]
    if reached.mean < GOAL_ACCURACY:
        notes.append(
            f"{100 * (GOAL_ACCURACY - reached.mean):.1f} points are missing. `{name}` is the short recipe; longer ones have profiles."
        )
    verdict: Verdict = "reached" if reached.mean >= GOAL_ACCURACY else "not reached"
    return Target(number=1, title="Accuracy", demand=demand, verdict=verdict, figure=figure, notes=tuple(notes))


def _energy(results: Results) -> Target:
    """Reached where it is on every slot that P6 has run on; the figure is the worst."""
    stages = [stage for stage in P6 if results.value(stage, "cost/ratio_ann_dense")]
    goal = next((found for stage in stages if (found := results.number(stage, "target/ratio"))), 0.02)
    demand = f"at most 1/{1 / goal:.0f} of the energy of an equally accurate ANN"
    judged = [_judged(results, stage) for stage in stages]
    if not judged:
        notes: tuple[str, ...] = ("Stage p6_integrate has no figures yet.", *_recorded_energy(results))
        return Target(number=2, title="Energy", demand=demand, verdict="not measured yet", figure="", notes=notes)
    verdict: Verdict = "reached" if all(reached for _, reached, _ in judged) else "not reached"
    notes = ("Arithmetic only, against an ANN that skips no zeros.", *(note for *_, note in judged), *_recorded_energy(results))
    figure = fraction(max(ratio for ratio, *_ in judged))
    return Target(number=2, title="Energy", demand=demand, verdict=verdict, figure=figure, notes=notes)


def _recorded_energy(results: Results) -> list[str]:
    """What the recorded chain on CIFAR-10 gave."""
    notes = []
    for entry in (results.recorded.get("cifar10_chain") or {"runs": {}})["runs"].values():
        own, ann, n = entry["rows"]["cutoff"]["metrics"], entry["rows"]["ann"]["metrics"], entry["rows"]["cutoff"]["n_test"]
        dense, skip, memory = (own[f"cost/{key}"] for key in ("ratio_ann_dense", "ratio_ann_zero_skip", "memory_ratio_ann_dense"))
        gap = 100 * (ann["test/acc"] - own["test/acc"])
        notes.append(
            f"Recorded on CIFAR-10 (`{entry['profile']}`, seed {entry['seed']}, n = {whole(n)}), no part of the verdict: {fraction(dense)} "
            f"of the dense ANN, {fraction(skip)} of one that skips zeros; with memory traffic {fraction(memory)} of the dense one. "
            f"Accuracy: SNN {100 * own['test/acc']:.2f}{THIN}%, ANN {100 * ann['test/acc']:.2f}{THIN}%: {_equal(gap)}."
        )
    return notes


def _judged(results: Results, stage: str) -> tuple[float, bool, str]:
    """Ratio to the dense ANN, whether the target is reached there, and what there is to say."""
    ratio, own, ann = (
        results.value(stage, name, prefix) for name, prefix in (("cost/ratio_ann_dense", ""), ("test/acc", ""), ("test/acc", "ann/"))
    )
    if ratio is None or own is None or ann is None:
        raise ValueError(f"the record of {stage} lacks its accuracies")
    gap = 100 * (ann.mean - own.mean)
    data = _data(results, stage, "cutoff-") or "another data set"
    text = f"{data}{'' if data == 'cifar10' else ', which is not CIFAR-10'}: {fraction(ratio.mean)} of the dense ANN"
    skip, memory = results.value(stage, "cost/ratio_ann_zero_skip"), memory_ratio(results, stage)
    text += f", {fraction(skip.mean)} of one that skips zeros" if skip else ""
    text += f"; with memory traffic {fraction(memory.mean)} of the dense one" if memory else ""
    text += f". Accuracy: SNN {accuracy(own, results.samples(stage))}, ANN {with_unit(ann)}: {_equal(gap)}."
    return ratio.mean, bool(results.number(stage, "target/reached")) and gap <= EQUAL_POINTS + 1e-9, text


def memory_ratio(results: Results, stage: str, step: str = "cutoff", rival: str = "ann_dense") -> Value | None:
    """The energy of P6's network with memory traffic, over that of `rival`."""
    found = [(measurement(run).get("ratios") or {}).get(rival) for run in results.named(stage, f"{step}-")]
    values = [entry["memory"] for entry in found if entry and "memory" in entry]
    return Value.of(values) if values else None


def _reproducibility(results: Results) -> Target:
    """Each track by whichever has more seeds, the stage or the recorded experiment."""
    n = needed()
    notes = [f"To prove 95 % with 95 % confidence, {n} of {n} seeds must succeed, at an accuracy declared before the run."]
    found, counts = {}, [0]
    for track, title in (("bio", "The liquid"), ("sg", "The network trained by gradients")):
        figures, where = max(_tracks(results, track), key=lambda pair: pair[0].get("n_seeds", 0.0))
        if "n_seeds" not in figures:
            continue
        counts.append(int(figures["n_seeds"]))
        value = Value(mean=figures["test/acc"], sd=figures["test/acc_sd"], seeds=counts[-1])
        proved, same = figures["r1/proved"], bool(figures["r0/bits"])
        found[track] = same and proved >= PROVEN
        notes.append(
            f"{title}, {where}: {figures['r1/successes']:.0f} of {seeds(value.seeds)} reach {100 * figures['target']:.0f} %, "
            f"which proves {100 * proved:.0f} % ({accuracy(value, int(figures['n_test']))}); "
            f"the same seed gave {'the same' if same else 'different'} bits."
        )
    if not found:
        counts += [len({run.params["seed"] for _, run in results.runs(stage) if "seed" in run.params}) for stage in results.records]
        notes.append(f"Stage {SEEDS} has not run; no stage has more than {seeds(max(counts))}.")
    reached = len(found) == 2 and all(found.values())
    return Target(
        number=3,
        title="Reproducibility",
        demand="at least 95 % of all seeds reach the accuracy asked for",
        verdict="reached" if reached else "not proved",
        figure=f"{min(counts[1:]) if found else max(counts)} of {n} seeds",
        notes=tuple(notes),
    )


def _tracks(results: Results, track: str) -> list[tuple[dict[str, float], str]]:
    """A track's figures in the default run and in the recorded experiment, and what to call these."""
    record = results.get(SEEDS)
    recorded = (results.recorded.get("reproducibility") or {}).get("tracks", {}).get(track, {}).get("figures", {})
    sources = ((record.summary if record else {}, "in this run"), (recorded, "recorded by `python -m experiments.reproducibility`"))
    return [({k.removeprefix(f"{track}/"): v for k, v in found.items() if k.startswith(f"{track}/")}, where) for found, where in sources]


def _equal(gap: float) -> str:
    """How the SNN's accuracy stands to the ANN's, in points."""
    if gap > EQUAL_POINTS + 1e-9:
        return f"{gap:.1f} points lower, more than the {EQUAL_POINTS:.1f} that counts as equal here"
    return f"{abs(gap):.1f} points {'lower' if gap > 0 else 'higher'}, which counts as equal here"


def _data(results: Results, stage: str, start: str) -> str:
    return next((str(measurement(run).get("data", "")) for run in results.named(stage, start)), "")
