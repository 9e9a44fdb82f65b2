"""Recorded experiments in the report: their tables from files made by hand, and what they do to the third target."""

import json
from pathlib import Path
from typing import Any

import pytest
import report_records

from snn5.bench import Row, to_json
from snn5.report import Results, read
from snn5.report._parts import Table
from snn5.report._targets import targets
from snn5.report.sections import _cifar10_chain, _heidelberg, _nmnist_chain, _prototype, _recorded


def recorded(name: str, found: dict[str, Any]) -> Results:
    return Results(report_records.results().records, {name: {"command": "python -m experiments.x", **found}})


def only(parts: list[Any]) -> Table:
    [table] = parts
    assert isinstance(table, Table)
    return table


def rows(table: Table) -> list[list[str]]:
    return [[cell.replace("\u202f", " ") for cell in row] for row in table.rows]


def test_depth_sorts_by_family_and_size() -> None:
    def entry(params: float, accuracy: float) -> dict[str, Any]:
        figures = {"test/acc": accuracy, "test/acc_sd": 0.02, "test/acc_last": accuracy - 0.1, "test/acc_last_sd": 0.01}
        return {"settings": {"epochs": 15}, "seeds": [0, 1, 2], "n": 450, "model/params": params, **figures}

    networks = {"sew_resnet110": entry(300, 0.8), "spiking_resnet20": entry(100, 0.5), "sew_resnet20": entry(100, 0.9)}
    table = only(_recorded.depth(recorded("depth", {"networks": networks})))
    assert rows(table)[0] == ["sew_resnet20", "15", "90.0 ± 2.0", "80.0 ± 1.0", "450", "3"]
    assert [row[0] for row in table.rows] == ["sew_resnet20", "sew_resnet110", "spiking_resnet20"]
    assert table.note == "Command: python -m experiments.x."


def test_nmnist_puts_the_best_first() -> None:
    def entry(pooled: float) -> dict[str, Any]:
        figures = {"test/acc_last": pooled, "test/acc_last_sd": 0.005, "cost/spike_rate": 0.1, "cost/spike_rate_sd": 0.0}
        return {
            "settings": {"model": "m", "epochs": 9},
            "folds": [0.9] * 5,
            "n": 1100,
            "pooled/acc_last": pooled,
            "model/params": 1e3,
            **figures,
        }

    found = {"data": {"recordings": 1100, "time_steps": 3}, "families": {"a": entry(0.95), "b": entry(0.98)}}
    table = only(_recorded.nmnist(recorded("nmnist_folds", found)))
    assert rows(table)[0] == ["b", "m", "9", "98.0", "98.0 ± 0.5", "0.100", "1000", "1100", "5"]


def test_heidelberg_shows_the_chosen_recipe_and_how_it_was_chosen() -> None:
    chosen = {
        "candidate": "plain",
        "settings": {"model": "spiking_tcn"},
        "seeds": [0.92, 0.94, 0.96],
        "n": 320,
        **{"test/acc_last": 0.94, "test/acc_last_sd": 0.02, "test/acc": 0.93, "test/acc_sd": 0.01},
        **{"cost/spike_rate": 0.18, "model/params": 9.7e4},
    }
    judged = {name: {"val/acc_last": accuracy, "n": 160} for name, accuracy in (("mixed", 0.83), ("plain", 0.884))}
    found = {"data": {"recordings": 1920, "time_steps": 32}, "candidates": judged, "chosen": chosen}
    table = only(_heidelberg.networks(recorded("heidelberg", found)))
    assert rows(table) == [["spiking_tcn", "plain", "32", "94.0 ± 2.0", "93.0 ± 1.0", "0.180", "97000", "320", "3"]]
    assert table.note is not None and "n = 160, last epoch: plain 88.4 %, mixed 83.0 %. Command" in table.note


def figures(track: str, *, good: int, seeds: int, asked: float, bits: float = 1.0) -> dict[str, float]:
    found = {"n_seeds": seeds, "n_test": 450, "test/acc": 0.97, "test/acc_sd": 0.01, "test/acc_min": 0.95, "target": asked, "r0/bits": bits}
    found |= {"r1/successes": good, "r1/proved": 0.9505 if good == seeds == 59 else 0.9, "r2/steadiness": 0.99, "r3/agreement": 0.95}
    return {f"{track}/{name}": float(value) for name, value in found.items()}


def proof(**changes: Any) -> dict[str, Any]:
    made = {"bio": figures("bio", good=59, seeds=59, asked=0.9), "sg": figures("sg", good=59, seeds=59, asked=0.95)} | changes
    return {"n_test": 450, "tracks": {track: {"figures": own} for track, own in made.items()}}


def test_reproducibility_counts_seeds_and_what_they_prove() -> None:
    table = only(_recorded.reproducibility(recorded("reproducibility", proof())))
    first = ["liquid with a local rule", "97.0 ± 1.0", "95.0", "90", "59 of 59", "95.0", "0.990", "95.0", "450", "59"]
    assert rows(table)[0] == first


def test_the_third_target_takes_the_recorded_seeds() -> None:
    card = targets(recorded("reproducibility", proof()))[2]
    assert (card.verdict, card.figure) == ("reached", "59 of 59 seeds")
    assert any("The liquid, recorded by `python -m experiments.reproducibility`: 59 of 59 seeds reach 90 %" in note for note in card.notes)


def test_one_failure_or_one_bit_is_no_proof() -> None:
    for bad in (figures("sg", good=58, seeds=59, asked=0.95), figures("sg", good=59, seeds=59, asked=0.95, bits=0.0)):
        assert targets(recorded("reproducibility", proof(sg=bad)))[2].verdict == "not proved"


def test_heidelberg_shows_every_liquid_and_what_it_was_read_against() -> None:
    def entry(accuracy: float, gain: float) -> dict[str, Any]:
        figures = {"test/acc": accuracy, "val/acc": 0.83, "test/acc_reversed": 0.2, "cost/synops": 3e6, "cost/spike_rate": 0.04}
        spreads = {f"{key}_sd": 0.01 for key in figures}
        return {"seeds": dict.fromkeys("01234", accuracy), "gain": gain, "gain_ci95": 0.012, **figures, **spreads}

    found = {
        "data": {"n_train": 1600, "n_test": 320, "left_out": 2, "speakers": {"train": [0, 1, 2], "test": [4, 5]}},
        "variants": {"frozen": entry(0.8, 0.0), "ip_stdp": entry(0.79, -0.01)},
        "counts": {"test/acc": 0.4, "val/acc": 0.42, "test/acc_bins": 0.7, "val/acc_bins": 0.71},
    }
    table = only(_recorded.heidelberg(recorded("heidelberg_lsm", found)))
    found_rows = rows(table)
    assert found_rows[0] == ["liquid, frozen", "80.0 ± 1.0", "83.0 ± 1.0", "20.0 ± 1.0", "–", "0.040", "3 000", "320", "5"]
    assert found_rows[1][4] == "−1.0 ± 1.2"
    assert found_rows[2][:3] == ["no liquid: input counts, whole window", "40.0", "42.0"] and found_rows[3][1] == "70.0"
    assert table.note is not None and "320 of speakers 4 and 5 to test" in table.note and "not SHD" in table.note


def test_the_prototype_stands_beside_its_published_figures() -> None:
    own = {"test/acc": 0.9, "test/acc_sd": 0.05, "test/rate": 0.056, "wiring/density": 0.0, "n": 60, "seeds": 5}
    models = {
        "homeo_latency": {"committed": {"test/acc": 0.85, "test/rate": 0.05577}, "published": own, "mended": {**own, "test/acc": 0.7}}
    }
    table = only(_prototype.parts(recorded("prototype", {"models": models})))
    assert [row[1:] for row in rows(table)] == [
        ["its authors' file", "85.0", "0.0558", "–", "–", "60", "1"],
        ["rebuilt, all defects", "90.0 ± 5.0", "0.0560", "0.000", "–", "60", "5"],
        ["rebuilt, all mended", "70.0 ± 5.0", "0.0560", "0.000", "–", "60", "5"],
    ]


def test_what_is_not_there_makes_no_table(tmp_path: Path) -> None:
    empty = Results({})
    assert [*_recorded.depth(empty), *_recorded.nmnist(empty), *_recorded.reproducibility(empty), *_recorded.liquid(empty)] == []
    assert [*_recorded.heidelberg(empty), *_heidelberg.networks(empty), *_prototype.parts(empty)] == []
    folder = tmp_path / "experiments" / "results"
    folder.mkdir(parents=True)
    (folder / "depth.json").write_text(json.dumps({"networks": {}}))
    assert read(tmp_path).recorded == {"depth": {"networks": {}}}


def test_the_chain_shows_ratios_and_techniques_apart() -> None:
    def entry(accuracy: float, **more: float) -> dict[str, Any]:
        return {
            "folds": [0.9, 1.0],
            "pooled/acc": accuracy,
            "test/acc": accuracy,
            "test/acc_sd": 0.07,
            "n": 20,
            "cost/steps_mean": 1.5,
            **more,
        }

    found = {
        "prune_seconds": [2.0, 11.0],
        "rows": {
            "cutoff alone": entry(0.95),
            "cutoff": entry(0.9, **{"cost/ratio_ann_dense": 0.02, "cost/memory_ratio_ann_dense": 0.04, "cost/memory_ratio_qnn": 7.84}),
            "ann": entry(1.0),
        },
    }
    table = only(_nmnist_chain.chain(recorded("nmnist_chain", found)))
    assert [row[0] for row in rows(table)] == ["dense twin", "P6: cutoff", "cutoff alone"]
    assert rows(table)[1][1] == "90.0" and rows(table)[1][3:6] == ["1.50", "1/50.0", "–"]
    assert rows(table)[1][-3:] == ["1/25.0 / – / 7.84× / –", "20", "2"]
    assert "11 s at most" in table.note
    assert _nmnist_chain.chain(report_records.results()) == []


def cifar10_chain(gap: float = 0.008) -> dict[str, Any]:
    """A profile's entry by hand: the network's accuracy is 0.92, its twin's `gap` higher; 1/40, 1/16 and 1/20 of its energies."""

    def row(accuracy: float, **more: float) -> dict[str, Any]:
        sizes = {"model/params_nnz": 400000.0, "model/bytes": 215400.0, "cost/synops": 3_214_000.0}
        return {"n_test": 10000, "metrics": {"test/acc": accuracy, "cost/steps_mean": 1.0, **sizes, **more}}

    ratios = {"cost/ratio_ann_dense": 0.025, "cost/ratio_ann_zero_skip": 0.0625, "cost/memory_ratio_ann_dense": 0.05}
    named = {name: row(0.9) for name in ("qnn", "ann_pruned", "start", "sparse", "pruned", "quantised")}
    row_ = Row(name="net", baseline="dense twin", unit="ms", theirs=4, ours=2, ratio=2, low=1.9, high=2.1, target=5, repeats=15)
    effort = {"epochs": 6, "quantised_epochs": 8}
    return {
        "profile": "cifar10_guided",
        "seed": 2,
        "settings": {"time_steps": 2, "chain": {"frames": effort, "prune_method": "magnitude"}, "bits": 4, "sparsity": 0.8},
        "rows": {**named, "ann": row(0.92 + gap), "cutoff": row(0.92, **{"cost/steps_mean": 1.254}, **ratios)},
        "engine": {"test/acc": 0.9195, "cost/steps_mean": 1.25, "n": 10000, "bits": 6},
        "parity": {"differences": 0, "compared": 12_340_000, "n": 100},
        "times": to_json([row_]),
    }


def test_the_cifar10_chain_shows_every_step_and_the_engine() -> None:
    found = {"command": "python -m x", "runs": {"cifar10_guided-seed2": cifar10_chain()}}
    steps, times = _cifar10_chain.parts(recorded("cifar10_chain", found))
    names = ["dense twin", "quantised twin", "pruned twin", *(f"P6: {n}" for n in ("start", "sparse", "pruned", "quantised", "cutoff"))]
    assert isinstance(steps, Table) and isinstance(times, Table) and [row[0] for row in rows(steps)] == names
    assert rows(steps)[-1][1:6] == ["92.00", "1.25", "400 000", "215", "3.21"]
    assert rows(steps)[-1][6:] == ["1/40.0", "1/16.0", "–", "–", "1/20.0 / – / – / –", "10 000"]
    assert (
        "seed 2, T = 2;" in steps.note and "80 % of the weights pruned" in steps.note and "6 sparse, 8 on 4 bits, 8 for each" in steps.note
    )
    assert rows(times) == [["net", "dense twin", "4 ms", "2 ms", "2.00", "1.90 – 2.10", "5", "no"]]
    assert (
        "of 6 bits at most, with its early exit: 91.95 % of 10 000 test images after 1.25 steps. Of the first 100 images 0 of 12.3 million"
        in times.note.replace("\u202f", " ")
    )
    assert _cifar10_chain.parts(Results({})) == []


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (0.008, "0.8 points lower, which counts as equal"),
        (0.01, "1.0 points lower, which counts as equal"),
        (0.02, "2.0 points lower, more than the 1.0"),
    ],
)
def test_the_second_target_tells_of_cifar10_and_does_not_judge_by_it(gap: float, said: str) -> None:
    plain = report_records.results()
    found = {"command": "python -m x", "runs": {"cifar10_guided-seed2": cifar10_chain(gap)}}
    before, after = targets(plain)[1], targets(Results(plain.records, {"cifar10_chain": found}))[1]
    assert (before.verdict, before.figure) == (after.verdict, after.figure) and after.notes[:-1] == before.notes
    note = after.notes[-1].replace("\u202f", " ")
    assert "no part of the verdict: 1/40.0 of the dense ANN, 1/16.0" in note and "traffic 1/20.0" in note and said in note
