"""What the sections say: sentences and tables follow the figures."""

import pytest
import report_records

from snn5.record import Run
from snn5.report import STAGES, TASKS
from snn5.report._evidence import evidence
from snn5.report._parts import Drawing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._style import styled
from snn5.report._targets import targets
from snn5.report.sections import SECTIONS, _spinnaker


def parts(phase: int, results: Results | None = None) -> list[Part]:
    with styled():
        return SECTIONS[phase](results or report_records.results())


def reading(name: str, phase: int, results: Results | None = None) -> str:
    return next(p.reading for p in parts(phase, results) if isinstance(p, Drawing) and p.name == name).replace("\u202f", " ")


def table(title: str, phase: int, results: Results | None = None) -> Table:
    return next(p for p in parts(phase, results) if isinstance(p, Table) and p.title == title)


def test_every_table_row_has_all_its_columns() -> None:
    found = [part for phase in SECTIONS for part in parts(phase) if isinstance(part, Table)]
    assert len(found) >= 12
    for part in found:
        assert part.rows and all(len(row) == len(part.columns) for row in part.rows), part.title


def test_every_accuracy_column_has_n_or_seeds_beside_it() -> None:
    for phase in SECTIONS:
        for part in parts(phase):
            if isinstance(part, Table) and any("test accuracy" in column for column in part.columns):
                assert "n" in part.columns, part.title
                assert "seeds" in part.columns or any("seeds that reach" in column for column in part.columns), part.title


@pytest.mark.parametrize("stage", STAGES)
def test_any_stage_may_be_missing(stage: str) -> None:
    less = report_records.results(without=stage)
    assert all(parts(phase, less) for phase in SECTIONS)
    assert len(targets(less)) == 3
    assert len([evidence(task, less) for task in TASKS]) == 23


def test_training_names_the_gap() -> None:
    assert reading("training", 1).startswith("On frames the SNN ends 2.0 points below its twin on test; on events")


def test_depth_tells_what_each_family_loses() -> None:
    text = reading("depth", 1)
    assert "SEW-ResNet goes from 97.0 ± 1.0 % to 96.0 ± 1.0 % (−1.0 points)" in text
    assert "the plain net goes from 95.0 ± 1.0 % to 20.0 ± 1.0 % (−75.0 points)" in text


def test_contrasts_put_the_reference_first_and_the_gain_beside_the_other() -> None:
    found = table("Architectures with and without what makes them special", 1)
    assert [row[1] for row in found.rows] == ["plain", "cml", "lstm", "stfe", "plain", "dta", "plain", "staa"]
    assert [row[5] for row in found.rows] == ["–", "+2.0 ± 0.0"] * 4
    assert "reconstruction" in found.rows[6][0]


def test_other_neurons_stand_below_lif_and_plif() -> None:
    found = next(p for p in parts(2) if isinstance(p, Table) and p.title.startswith("Neurons in one network"))
    assert [row[0] for row in found.rows] == ["LIF", "LIF", "PLIF", "PLIF", "DynamicGLIF (the project's own)", "GLIF"]
    assert found.rows[-1][1:4] == ["–", "999", "97.0\u202f±\u202f0.0"]


def test_neurons_say_how_much_plif_wins_back() -> None:
    assert "wins back 96 % of what LIF loses" in reading("neurons", 2)  # 1 - 0.02 / 0.55


def test_neurons_where_lif_loses_nothing() -> None:
    full = report_records.results()
    full.records["p2_neurons"].summary["lif/acc_lost_to_tau0"] = -0.01
    assert "nothing for PLIF to win back" in reading("neurons", 2, full)


def test_coding_tells_a_loss_from_a_gain() -> None:
    assert "0.5 points below the rate code's (95 % interval ± 0.1, paired over seeds)" in reading("coding", 2)
    full = report_records.results()
    full.records["p2_coding"].summary |= {"compare/acc_loss_to_rate": -0.004, "compare/acc_loss_to_rate_ci95": 0.005}
    assert "0.4 points above the rate code's (95 % interval ± 0.5, paired over seeds: no difference shown)" in reading("coding", 2, full)


def test_coding_raster_counts_its_spikes() -> None:
    assert "a 7: 5 spikes in the rate code, 3 in TTFS" in reading("coding_raster", 2)


def test_tuning_compares_with_p1_on_the_data_of_the_search() -> None:
    text = reading("tuning", 3)
    assert "3 of the 4 epochs" in text
    assert "P1's settings give 97.0 ± 1.0 %" in text
    assert "the search found none that is better" in text
    assert "P1's settings" not in reading("tuning", 3, report_records.results(without="p6_integrate@frames"))


def test_the_front_of_accuracy_and_operations() -> None:
    text = reading("tradeoff", 3)
    assert "Of 4 trials 2 are on the front" in text
    assert "2.00 times the operations buy +1.0 points on validation" in text  # 100 to 200 thousand, 96 to 97 %
    figure = next(p.figure for p in parts(3) if isinstance(p, Drawing) and p.name == "tradeoff")
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[150.0], [100.0, 200.0]]


def test_sparsity_marks_the_chosen_strength() -> None:
    sweep = table("The sweep over the penalty's strength", 4)
    assert sweep.marked == 1 and sweep.rows[1][0] == "0.1"
    assert sweep.rows[1][3].replace("\u202f", " ") == "200.0 ± 2.0"


def test_quantisation_sets_training_against_rounding() -> None:
    widths = table("Weights on fewer bits", 4)
    assert [row[:2] for row in widths.rows] == [
        ["32", "float parent"],
        ["4", "trained, integer potentials"],
        ["4", "trained (QAT)"],
        ["4", "rounded"],
        ["2", "trained (QAT)"],
        ["2", "rounded"],
    ]
    assert widths.marked == 4 and widths.rows[4][4].replace("\u202f", " ") == "−0.5 ± 0.0" and widths.rows[0][4] == "–"
    text = reading("quantisation", 4)
    assert text == "On 2 bits training keeps 97.5 ± 1.0 % of the float network's 98.0 ± 1.0 %; rounding alone leaves 90.0 ± 1.0 %."


def test_cutoff_judges_its_claim_on_each_slot() -> None:
    assert reading("cutoff", 5).count("is met.") == 2
    full = report_records.results()
    full.records["p5_cutoff@events"].summary["cutoff/acc_change"] = -0.006
    assert reading("cutoff", 5, full).endswith("is missed.") and reading("cutoff", 5, full).count("is met.") == 1
    alone = report_records.results(without="p5_cutoff@frames")
    assert [row[0] for row in table("With and without the early exit", 5, alone).rows] == ["events"] * 4


def test_spinnaker_shows_parity_and_place() -> None:
    parity, place = (table(f"SpiNNaker without a board: {end}", 5) for end in ("the same spikes?", "its place on one 48-chip board"))
    assert [row[:2] for row in parity.rows] == [[slot, name] for slot in ("frames", "events") for name in _spinnaker.NETWORKS.values()]
    assert [cell.replace("\u202f", " ") for cell in parity.rows[0][2:]] == [
        *("98.5", "98.0", "98.0", "97.5", "0 of 4 000 000", "0.020", "0.010", "99.5", "100.0", "200", "1")
    ]
    assert "every spike and every label on NEST met; at most 0.5 % of places and 1 % of labels in s16.15 met." in parity.note
    assert [cell.replace("\u202f", " ") for cell in place.rows[0][2:]] == [
        *("5 386", "214 553", "24", "3", "23", "9", "1 234", "10.0", "7.2", "yes")
    ]
    assert place.rows[3][2:] == ["–"] * 9 + ["no"]


def test_spinnaker_says_when_a_spike_differs() -> None:
    made = report_records.results(p5_spinnaker_events=report_records.spinnaker(wrong=1.0))
    assert "every spike and every label on NEST missed" in table("SpiNNaker without a board: the same spikes?", 5, made).note


def test_cutoff_says_where_validation_confirmed_no_epsilon() -> None:
    results, why = report_records.results(), "too small to confirm any ε"
    assert why not in reading("cutoff", 5, results)
    for count, said in ((2.0, 0), (0.0, 1)):
        results.records["p5_cutoff@events"].summary["epsilons_within_limit"] = count
        assert reading("cutoff", 5, results).count(why) == said


def test_cutoff_stands_beside_the_full_run_and_the_other_rules() -> None:
    rows = table("With and without the early exit", 5).rows
    assert [row[1] for row in rows[:4]] == [
        "all steps",
        "early exit by gap",
        "by entropy, for comparison",
        "by largest probability, for comparison",
    ]
    assert [row[3][:4] for row in rows[:4]] == ["4.00", "2.00", "2.00", "2.00"]
    figure = next(p.figure for p in parts(5) if isinstance(p, Drawing) and p.name == "cutoff")
    stopped = figure.axes[0].lines[0]
    assert list(stopped.get_xdata()) == [1, 2, 3, 4] and list(stopped.get_ydata()) == pytest.approx([90.0, 95.0, 96.0, 97.0])


def test_integration_against_the_target() -> None:
    assert "1/10.0 of the dense ANN's arithmetic energy; the target asks for 1/50, 5.0 times less" in reading("integration_frames", 6)
    full = report_records.results(p6_integrate_frames=report_records.integration(ratio=0.01))
    assert "within the target's 1/50" in reading("integration_frames", 6, full)
    steps = table("Step by step, events", 6)
    assert [row[-3] for row in steps.rows] == ["–", "–", "–", "1/2.2", "1/3.3", "1/4.0", "1/4.0", "1/5.0"]
    assert "strength 1, 75 % of the weights pruned, 4 bits, ε = 0.01" in steps.note


def test_integration_stands_against_four_anns() -> None:
    rows = table("The final network against four ANNs, frames", 6).rows
    assert [row[0] for row in rows] == ["twin, dense", "twin, zeros skipped", "twin, quantised alike", "twin, pruned alike"]
    assert [row[2] for row in rows] == ["1/10.0", "1.00×", "1.33×", "2.00×"]  # 400 nJ of 4000, 400, 300 and 200
    assert rows[0][4] == "1/5.0"


def test_energy_compares_with_the_zero_skipping_twin() -> None:
    assert "On frames P1's SNN spends 2.25 times the energy of a twin that skips zeros (2.25 with memory traffic)" in reading("energy", 7)
    assert "Diamonds are P6's steps." in reading("energy", 7)


def test_liquid_against_the_plain_input() -> None:
    # four seeds of 0.96 and one of 0.9 against 0.95
    assert "the liquid ends 0.2 points below a read-out of the plain input in the same bins" in reading("liquid", 8)
    assert "recurrence adds 30.0 points" in reading("liquid", 8)


def test_seeds_that_reach_the_accuracy() -> None:
    rows = {row[0]: row for row in table("Seeds of the other stages", 8).rows}
    assert rows["liquid, events (P8.1)"][3:5] == ["4 of 5", "34"]  # B(0.05; 4, 2) = 0.343
    assert rows["SEW-ResNet, frames (P1.1)"][3] == "2 of 3"  # 0.96, 0.97, 0.98 against 0.97
    assert rows["SEW-ResNet, events (P1.1)"][4] == "37"  # 0.05 ** (1 / 3)


def test_balance_is_kept_by_learning_on() -> None:
    text = reading("dale", 8)
    assert "to 1.05 of what it was where inhibition learns, to 2.40 where nothing does" in text and "2.50 times the rate" in text
    assert "2 excitatory and 1 inhibitory spikes" in reading("dale_raster", 8)
    rows = table("Stability of each variant", 8).rows
    assert [row[0] for row in rows] == ["inhibition learns", "only excitation learns", "nothing learns", "no inhibition"]


def test_homeostasis_says_who_comes_back() -> None:
    text = reading("homeostasis", 8)
    assert "within 2000 steps after the gain grew fourfold and within 2000 after" in text and text.endswith("is then 55 % off.")
    rows = table("Ways back to the target rate", 8).rows
    assert [row[1] for row in rows] == ["never", "never", "2\u202f000"]  # none, BCM, thresholds
    assert table("BCM's stability bound", 8).rows == [["0.50", "2.00", "0.00", "1.02"]]


def test_reproducibility_names_the_largest_source() -> None:
    text = reading("spread_bio", 8)
    assert "weights alone spread it most: sd 0.8 points, 0.9 where all vary (3 trainings each;" in text
    assert text.endswith("a standard deviation of so few is uncertain by 50 %).")
    rows = table("How reproducible learning is", 8).rows
    assert [row[1] for row in rows] == ["Poisson spikes", "one first spike"] * 2
    assert rows[0][3:8] == ["90", "4 of 4", "47", "0.992", "94.0"]


def test_layers_stand_from_input_to_output() -> None:
    figure = next(p.figure for p in parts(2) if isinstance(p, Drawing) and p.name == "neurons")
    heights = sorted(float(y) for line in figure.axes[1].lines if len(line.get_xdata()) == 3 for y in line.get_ydata())
    first = next(line for line in figure.axes[1].lines if len(line.get_xdata()) == 3)
    pairs = sorted(zip(first.get_xdata(), first.get_ydata(), strict=True))
    assert [round(x) for x, _ in pairs] == [1, 2, 3]
    assert [y for _, y in pairs] == [2.0, 2.1, 2.2]  # stem, block 0, block 10
    assert len(heights) == 18


def test_value_and_samples() -> None:
    assert Value.of([1.0, 2.0, 3.0]) == Value(mean=2.0, sd=1.0, seeds=3)
    full = report_records.results()
    assert full.samples("p8_lsm", "order_easy-") == 600
    assert full.samples("p8_lsm") == 450
    assert full.samples("nothing") is None
    assert full.value("p3_tune", "no/such") is None
    full.records["p3_tune"].runs["extra"] = Run()
    assert [name for name, _ in full.runs("p3_tune", seed=1)] == ["seed1"]


def test_local_rules_say_what_each_is_worth() -> None:
    found = table("A classifier by local rules alone", 8)
    assert [row[0] for row in found.rows] == ["STDP and homeostasis", "without STDP", "without homeostasis"]
    assert [row[2] for row in found.rows] == ["–", "36.0 ± 2.0", "–"]
    assert "Test accuracy 96.0 ± 0.0 % (n = 450, 10 seeds)" in reading("local_fields", 8)


def test_pruning_tells_the_price_and_marks_the_choice() -> None:
    assert (
        reading("pruning", 4) == "With 75 % of the weights gone, test accuracy goes from 98.0 ± 1.0 % to 97.0 ± 1.0 % (−1.0 points), "
        "with magnitude pruning to 80.0 ± 1.0 %; 0.40 of the operations are left."
    )
    found = table("One-shot pruning, without training", 4)
    assert found.marked is not None and list(found.rows[found.marked])[:2] == ["SBC, layers in sequence", "75"]
    own = ["SBC, layers in sequence", "SBC, layers apart", "magnitude"]
    assert [row[0] for row in found.rows] == ["not pruned", *(title for title in own for _ in range(2))]
    assert "the same 100 training samples" in found.note and "Marked: the largest sparsity that stays within" in found.note


def test_pruning_says_when_no_sparsity_is_within_the_limit() -> None:
    none = report_records.results(p4_prune=report_records.pruning(within=0.0))
    assert "Marked: the smallest sparsity, as none stays within" in table("One-shot pruning, without training", 4, none).note


def test_ablations_stand_with_their_intervals() -> None:
    found = table("A liquid that learns without labels, and what each rule is worth", 8)
    assert [row[2] for row in found.rows] == ["96.0 ± 0.4", "97.0 ± 0.4", "97.0 ± 0.4", "94.0 ± 0.4"]
    assert [row[3] for row in found.rows] == ["–", "+1.0 ± 0.3", "+1.0 ± 0.3", "−2.0 ± 0.3"]
    assert {(row[6], row[7]) for row in found.rows} == {("450", "5")}


def test_recordings_that_were_left_out_are_counted() -> None:
    from snn5.report.sections import p7

    full = report_records.results()
    assert "left out" not in p7.parts(full)[0].note
    full.records["p7_data@events"].summary["data/skipped"] = 3.0
    assert "3 empty or damaged recordings were left out" in p7.parts(full)[0].note


def test_the_rival_stands_beside_the_liquid() -> None:
    """Energy by hand: 0.9 x 1e5 + 4.6 x 15000 = 159 nJ and 0.9 x 2e5 + 4.6 x 1e6 = 4780 nJ."""
    found = table("The liquid beside a spiking state space model", 8)
    assert [row[:2] for row in found.rows] == [
        [task, network] for task in ("events", "order, hard") for network in ("liquid, ridge read-out", "spiking state space, gradients")
    ]
    assert [row[8] for row in found.rows] == ["159", "4\u202f780"] * 2
    assert [row[3] for row in found.rows] == ["15\u202f000", "9\u202f000"] * 2
    assert [row[11] for row in found.rows] == ["yes"] * 4
    assert [(row[12], row[13]) for row in found.rows] == [("450", "5"), ("450", "3"), ("600", "5"), ("450", "3")]
    assert found.rows[1][10] == "0.989"  # 1 - 0.01 / 0.93
