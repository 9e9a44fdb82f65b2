"""CIFAR-10 in the report: the table and the wires from a result made by hand, and what it does to the first target."""

from typing import Any

import pytest
import report_records

from snn5.report import Results
from snn5.report._parts import Drawing, Table
from snn5.report._targets import targets
from snn5.report.sections import _static


def entry(accuracy: float = 0.9, val: float = 0.91) -> dict[str, Any]:
    layers = {
        "stem_conv.0": {"input": "float", "dense": 2e6, "macs": 1.5e6, "acs": 0.0},
        "blocks.0.2.0": {"input": "binary", "dense": 8e6, "macs": 0.0, "acs": 1e6},
    }
    ratios = {"fp32": 10.0, "int": 25.0, "memory": 0.5}
    return {
        "settings": {"train": {"model": "spiking_airnet"}},
        "seeds": [0],
        "n": {"train": 47500, "val": 2500, "test": 10000},
        "T": 4,
        "accuracy": accuracy,
        "val": {"chosen": {"2": 0.9, "4": val}},
        "test": {"chosen": {"2": 0.89, "4": accuracy}, "last": {"2": 0.88, "4": 0.895}},
        "test_flip": {"chosen": {"2": 0.9, "4": 0.915}},
        "wall_min": 61.4,
        "cpu_min": 50.2,
        "operations": {"n": 1000, "T": 4, "layers": layers, "rates": {"a": 0.1, "b": 0.3}, "synops": 30.25e6, "ratio_ann_dense": ratios},
        "curve": [
            {"epoch": 0, "T": 1, "val": 0.5, "wall_min": 30.0, "cpu_min": 20.0},
            {"epoch": 1, "T": 2, "val": val, "wall_min": 61.4, "cpu_min": 50.2},
        ],
    }


def recorded(**profiles: dict[str, Any]) -> Results:
    return Results(report_records.results().records, {"cifar10": {"command": "python -m experiments.cifar10", "profiles": profiles}})


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_accuracy_minutes_and_wires() -> None:
    table, curve, wires = _static.parts(recorded(cifar10_fast=entry()))
    assert isinstance(table, Table) and isinstance(curve, Drawing) and isinstance(wires, Table)
    cells = [plain(cell) for cell in table.rows[0]]
    assert cells[:6] == ["cifar10_fast (spiking_airnet)", "4", "91.00", "89.00 / 90.00", "89.50", "91.50"]
    assert cells[6:] == ["61", "50", "0.20", "30.2", "1/10.0 / 1/25.0 / 2.00×", "10 000", "1"]
    assert len(table.columns) == len(cells) and "test at T = 2 / 4, %" in table.columns
    assert "whatever its weights" in table.note and table.note.endswith("Command: python -m experiments.cifar10.")
    assert [list(row) for row in wires.rows] == [
        ["stem_conv.0", "real numbers", "2.00", "1.50", "0.00"],
        ["blocks.0.2.0", "spikes", "8.00", "0.00", "1.00"],
    ]
    assert "91.0 % on validation after 25 minutes of two cores' time (61 by the clock" in curve.reading
    [axes] = curve.figure.axes
    x, y = axes.lines[0].get_data()
    assert list(x) == [10.0, 25.1] and list(y) == [50.0, 91.0]
    assert [text.get_text() for text in axes.texts] == ["T = 2"]


def test_a_guide_is_named_with_its_own_accuracy() -> None:
    guided = entry() | {"twin": {"accuracy": 0.9312}}
    guided["settings"] = {**guided["settings"], "guide": {"epochs": 14}}
    table = _static.parts(recorded(cifar10_guided=guided))[0]
    assert isinstance(table, Table) and "heard its answers: cifar10_guided (14 epochs, itself 93.12 %)." in table.note


def test_other_seeds_of_a_recipe_give_its_spread() -> None:
    """Seeds 0, 1, 2: 90, 91, 92 % at T = 4, the mean 91 and the deviation 1; flipped 91.5, 91.5, 93 %."""
    first = entry()
    first["others"] = {
        "1": {"test": {"chosen": {"4": 0.91}}, "test_flip": {"chosen": {"4": 0.915}}, "cpu_min": 60.0},
        "2": {"test": {"chosen": {"4": 0.92}}, "test_flip": {"chosen": {"4": 0.93}}, "cpu_min": 55.0},
    }
    table = _static.parts(recorded(cifar10_guided=first))[0]
    assert isinstance(table, Table)
    said = plain(table.note)
    assert "cifar10_guided with 3 seeds: 91.00 ± 1.00 % at T = 4, 92.00 ± 0.87 % with test-time flip" in said
    assert "after 25 to 30 minutes of two cores' time; the row is seed 0." in said
    for seed, accuracy in (("1", 0.91), ("2", 0.92)):
        first["others"][seed]["accuracy"] = accuracy
    card = targets(recorded(cifar10_guided=first))[0]
    assert plain(card.figure) == "91.00 ± 1.00 %" and "3 seeds, T = 4" in card.notes[0] and "4.0 points are missing" in card.notes[1]


def test_compressed_by_hand() -> None:
    energy = {"fp32": 31.26e6, "int": 1.254e6, "memory": 5e8}
    one = {"accuracy": 0.8915, "n": 1000, "steps_mean": 1.754, "params_nnz": 1234567, "packed_bytes": 1_999_600, "effective_acs": 20.04e6}
    one["ratios"] = {"ann_dense": {"fp32": 0.05}, "ann_zero_skip": None}
    found = {
        "profiles": {"cifar10_fast": {"seeds": [0], "variants": {"int8_cutoff": {**one, "energy_pj": energy}}}},
        "command": "python -m x",
    }
    [table] = _static.compressed(Results({}, {"cifar10_compressed": found}))
    assert isinstance(table, Table) and table.note.endswith("Command: python -m x.")
    cells = [plain(cell) for cell in table.rows[0]]
    assert cells[:6] == ["cifar10_fast: int8 cutoff", "89.15", "1.75", "1 234 567", "2 000", "20.0"]
    assert cells[6:] == ["31.3", "1.25", "1/20.0", "–", "1 000", "1"]
    assert len(table.columns) == len(cells)


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.9499, "not reached"), (0.95, "reached")])
def test_the_first_target_says_what_was_recorded(accuracy: float, verdict: str) -> None:
    card = targets(recorded(cifar10_fast=entry(accuracy)))[0]
    assert card.verdict == verdict and plain(card.figure) == f"{100 * accuracy:.2f} %"
    assert "1 seed, T = 4, without test-time augmentation" in card.notes[0] and "--profile cifar10_fast` in 50 minutes" in card.notes[0]
    assert any("points are missing" in note for note in card.notes) is (verdict == "not reached")


def test_validation_chooses_the_profile_that_is_shown() -> None:
    both = recorded(lucky=entry(0.93, val=0.90), good=entry(0.92, val=0.925))
    assert plain(targets(both)[0].figure) == "92.00 %"


def test_without_a_result_there_is_nothing() -> None:
    assert _static.parts(Results({}, {})) == []
