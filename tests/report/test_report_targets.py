"""The three cards: the bound by hand, and no verdict that the records do not carry."""

import pytest
import report_records

from snn5.report._targets import targets


def test_digits_never_count_for_the_accuracy_target() -> None:
    first = targets(report_records.results(p6_integrate_frames=report_records.integration(accuracy=1.0)))[0]
    assert (first.verdict, first.figure) == ("not measured yet", "")
    assert any("is not the target: digits, 97.0" in note for note in first.notes)


@pytest.mark.parametrize(("tuned", "verdict"), [(0.95, "reached"), (0.94, "not reached")])
def test_cifar10_counts(tuned: float, verdict: str) -> None:
    record = report_records.integration(data="cifar10")
    record.summary["start/test/acc"] = tuned
    assert targets(report_records.results(p6_integrate_frames=record))[0].verdict == verdict


@pytest.mark.parametrize(
    ("ratio", "accuracy", "verdict"),
    [
        (0.1, 0.99, "not reached"),
        (0.02, 0.98, "reached"),
        (0.01, 0.975, "not reached"),
    ],  # the ANN's accuracy is 0.99; one point counts as equal
)
def test_energy_needs_the_ratio_and_equal_accuracy(ratio: float, accuracy: float, verdict: str) -> None:
    record = report_records.integration(ratio=ratio, accuracy=accuracy)
    card = targets(report_records.results(p6_integrate_frames=record, p6_integrate_events=record))[1]
    assert card.verdict == verdict
    assert card.figure == f"1/{1 / ratio:.1f}"


def test_energy_must_be_reached_on_every_slot() -> None:
    good, bad = (report_records.integration(ratio=ratio, accuracy=0.99) for ratio in (0.01, 0.05))
    card = targets(report_records.results(p6_integrate_frames=good, p6_integrate_events=bad))[1]
    assert (card.verdict, card.figure) == ("not reached", "1/20.0")
    alone = report_records.results(p6_integrate_frames=good, without="p6_integrate@events")
    assert targets(alone)[1].verdict == "reached"


def test_energy_says_what_the_ratio_is_not() -> None:
    notes = " ".join(targets(report_records.results())[1].notes)
    assert "Arithmetic only" in notes
    assert "digits, which is not CIFAR-10: 1/10.0 of the dense ANN, 1.00× of one that skips zeros" in notes
    assert "with memory traffic 1/5.0 of the dense one" in notes  # the records hold twice the ratio 0.1
    assert "digits_events, which is not CIFAR-10" in notes


def test_energy_without_p6_is_not_measured() -> None:
    full = report_records.results(without="p6_integrate@frames")
    del full.records["p6_integrate@events"]
    assert targets(full)[1].verdict == "not measured yet"


def test_reproducibility_is_not_proved_by_few_seeds() -> None:
    card = targets(report_records.results())[2]
    assert (card.verdict, card.figure) == ("not proved", "4 of 59 seeds")
    assert any("The liquid: 4 of 4 seeds reach 90 %, which proves 47 %" in note and "gave the same bits" in note for note in card.notes)
    assert any("python -m experiments.reproducibility" in note for note in card.notes)


def test_reproducibility_is_proved_by_both_tracks() -> None:
    proved = report_records.reproducibility(seeds=59, successes=59, proved=0.9505)
    assert targets(report_records.results(p8_reproducibility=proved))[2].verdict == "reached"
    proved.summary["sg/r0/bits"] = 0.0
    card = targets(report_records.results(p8_reproducibility=proved))[2]
    assert card.verdict == "not proved" and any("gave different bits" in note for note in card.notes)


def test_reproducibility_without_its_stage() -> None:
    card = targets(report_records.results(without="p8_reproducibility"))[2]
    assert card.figure == "10 of 59 seeds"  # P2.3's
    assert any("has not run" in note for note in card.notes)
