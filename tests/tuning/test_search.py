"""P3.1: studies that repeat, that go on where they were cut off, that find what was planted, and that never see the test split."""

import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from snn5.errors import UserError
from snn5.tuning import Budget, best, front, search
from snn5.tuning import _study as study_module

BUDGET = Budget(trials=14, max_epochs=9, reduction_factor=3)
Objective = Callable[[optuna.Trial], float]


def toy(trial: optuna.Trial) -> float:
    """A curve that rises towards a value depending on x; pruned as ASHA says, except after the last epoch."""
    x = trial.suggest_float("x", -1.0, 1.0)
    for epoch in range(1, BUDGET.max_epochs + 1):
        value = (1 - (x - 0.3) ** 2) * (1 - 0.5**epoch)
        trial.report(value, epoch)
        if epoch < BUDGET.max_epochs and trial.should_prune():
            raise optuna.TrialPruned
    return value


def study(name: str = "s", *, objective: Objective = toy, storage: BaseStorage | None = None, seed: int = 5, **more: Any) -> optuna.Study:
    return search(objective, name=name, storage=storage or InMemoryStorage(), budget=more.pop("budget", BUDGET), seed=seed, **more)


def drawn(done: optuna.Study) -> list[tuple[dict[str, Any], TrialState, dict[int, float]]]:
    return [(t.params, t.state, t.intermediate_values) for t in done.get_trials()]


# --- spec P3.1, property tests


def test_1_same_name_and_seed_same_trials() -> None:
    first = drawn(study())
    assert first == drawn(study()) and len(first) == 14
    assert [p for p, _, _ in first] != [p for p, _, _ in drawn(study(seed=6))]
    assert first == drawn(study("another name"))  # a name is only a name: nothing is drawn from it


def test_2_pruned_trials_stopped_early_and_complete_ones_did_not() -> None:
    found = drawn(study(budget=Budget(trials=25, max_epochs=9)))
    states = [state for _, state, _ in found]
    assert {TrialState.COMPLETE, TrialState.PRUNED} == set(states)
    assert all(len(values) == 9 if state is TrialState.COMPLETE else len(values) < 9 for _, state, values in found)
    assert sum(len(values) for _, _, values in found) < 0.8 * 25 * 9  # it saves something


def test_successive_halving_saves_half_of_the_epochs_at_a_best_within_1_percent() -> None:
    """Spec P3.1's gate on its toy: 120 trials of up to 27 epochs, with ASHA and without."""
    full, saving = Budget(trials=120, max_epochs=27, prune=False), Budget(trials=120, max_epochs=27)
    spent, values = [], []
    for budget in (full, saving):

        def curve(trial: optuna.Trial, epochs: int = budget.max_epochs) -> float:
            x, y = trial.suggest_float("x", -1.0, 1.0), trial.suggest_float("y", 1e-4, 1e-1, log=True)
            level = 1 - (x - 0.3) ** 2 - 0.1 * (math.log10(y) + 2) ** 2
            for epoch in range(1, epochs + 1):
                value = level * (1 - 0.8**epoch)
                trial.report(value, epoch)
                if epoch < epochs and trial.should_prune():
                    raise optuna.TrialPruned
            return value

        done = study("toy", objective=curve, budget=budget)
        spent.append(sum(len(t.intermediate_values) for t in done.get_trials()))
        values.append(best(done).value)
    assert spent[0] == 120 * 27 and spent[1] <= 0.5 * spent[0]
    assert values[1] >= 0.99 * values[0]


def test_a_dozen_trials_save_nearly_half_of_the_epochs_on_average() -> None:
    """The stage's own budget, 12 trials of 9 epochs; on this toy, which has no bad point, Hyperband spends 73 of the 108, ASHA 56."""
    budget = Budget(trials=12, max_epochs=9)
    spent = [sum(len(t.intermediate_values) for t in study(seed=seed, budget=budget).get_trials()) for seed in range(0, 2000, 100)]
    assert sum(spent) / len(spent) <= 0.55 * 12 * 9
    assert min(spent) >= 12 * 2 + 7  # all have two epochs, the first trial goes on to the last


def test_several_goals_and_their_front() -> None:
    """x costs what it earns, so all are on the front but what is dominated: y = 1 costs more for nothing."""

    def earn(trial: optuna.Trial) -> tuple[float, float]:
        x, y = trial.suggest_float("x", 0.0, 1.0), trial.suggest_categorical("y", (0, 1))
        return x, x + y

    goals = ("maximize", "minimize")
    done = study(objective=earn, goals=goals)
    kept = front(done)
    assert kept and all(t.params["y"] == 0 for t in kept) and [t.number for t in kept] == sorted(t.number for t in kept)
    assert {t.number for t in kept} == {t.number for t in done.get_trials() if t.params["y"] == 0}
    assert [t.params for t in study(objective=earn, goals=goals).get_trials()] == [t.params for t in done.get_trials()]


def test_equal_trials_stand_once_on_the_front() -> None:
    made = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 5.0], [0.9, 5.0], [0.8, 6.0], [0.95, 9.0]):
        made.add_trial(optuna.trial.create_trial(values=values, state=TrialState.COMPLETE))
    made.add_trial(optuna.trial.create_trial(state=TrialState.PRUNED))
    assert [t.number for t in front(made)] == [0, 3]


def test_6_finds_a_planted_optimum() -> None:
    done = study(budget=Budget(trials=40, max_epochs=9))
    assert best(done).params["x"] == pytest.approx(0.3, abs=0.1)


# --- going on


@pytest.mark.parametrize("cut", [0, 1, 6, 13])
def test_goes_on_where_it_was_cut_off(cut: int) -> None:
    """Killed in the middle of trial `cut`: what is drawn afterwards is what an unbroken study draws."""
    storage, whole = InMemoryStorage(), drawn(study())

    def killed(trial: optuna.Trial) -> float:
        if trial.number == cut:
            trial.suggest_float("x", -1.0, 1.0)
            trial.report(0.1, 1)
            raise KeyboardInterrupt
        return toy(trial)

    with pytest.raises(KeyboardInterrupt):
        study(objective=killed, storage=storage)
    ran: list[int] = []
    ticks: list[int] = []

    def counted(trial: optuna.Trial) -> float:
        ran.append(trial.number)
        return toy(trial)

    again = study(objective=counted, storage=storage, tick=lambda: ticks.append(1))
    assert drawn(again) == whole
    assert ran == list(range(cut, 14)) and len(ticks) == 14
    assert [t.number for t in again.get_trials()] == list(range(14))


@pytest.mark.parametrize("cut", [0, 3])
def test_trial_0_is_todays_settings_also_after_a_cut(cut: int) -> None:
    storage = InMemoryStorage()

    def killed(trial: optuna.Trial) -> float:
        if trial.number == cut:
            raise KeyboardInterrupt
        return toy(trial)

    whole = study(first={"x": -0.9})
    assert whole.get_trials()[0].params == {"x": -0.9} and whole.get_trials()[1].params != {"x": -0.9}
    with pytest.raises(KeyboardInterrupt):
        study(objective=killed, storage=storage, first={"x": -0.9})
    assert drawn(study(storage=storage, first={"x": -0.9})) == drawn(whole)


def test_a_finished_study_is_run_anew() -> None:
    storage, ran = InMemoryStorage(), []

    def counted(trial: optuna.Trial) -> float:
        ran.append(trial.number)
        return toy(trial)

    first = drawn(study(objective=counted, storage=storage))
    assert drawn(study(objective=counted, storage=storage)) == first and len(ran) == 28


def test_a_larger_budget_continues_a_smaller_study() -> None:
    storage = InMemoryStorage()
    study(storage=storage, budget=Budget(trials=5, max_epochs=9))
    assert drawn(study(storage=storage)) == drawn(study())


def test_studies_of_other_names_are_left_alone() -> None:
    storage = InMemoryStorage()
    other = drawn(study("other", storage=storage))
    study(storage=storage)
    assert drawn(optuna.load_study(study_name="other", storage=storage)) == other


# --- best


def finished(*trials: tuple[float, float | None]) -> optuna.Study:
    """(value, validation loss) of complete trials."""
    made = optuna.create_study(direction="maximize")
    for value, loss in trials:
        attrs = {} if loss is None else {"val/loss": loss}
        made.add_trial(optuna.trial.create_trial(value=value, user_attrs=attrs, state=TrialState.COMPLETE))
    return made


@pytest.mark.parametrize(
    ("trials", "number"),
    [
        ([(0.5, 0.1), (0.9, 3.0), (0.7, 0.2)], 1),
        ([(0.9, 0.5), (0.9, 0.2), (0.9, 0.4)], 1),
        ([(0.9, 0.5), (0.9, 0.5)], 0),
    ],
)
def test_best_by_value_then_loss_then_first(trials: list[tuple[float, float | None]], number: int) -> None:
    assert best(finished(*trials)).number == number


def test_pruned_trials_are_not_best() -> None:
    made = finished((0.5, 0.1))
    made.add_trial(optuna.trial.create_trial(value=0.99, state=TrialState.PRUNED, intermediate_values={1: 0.99}))
    assert best(made).number == 0


def test_no_complete_trial() -> None:
    with pytest.raises((ValueError, UserError), match=r"no trial of study .* is complete; raise p3\.trials"):
        best(finished())


def test_no_complete_trial_is_the_users_mistake() -> None:
    with pytest.raises(UserError):
        best(finished())


def test_kept_trials_are_those_before_the_first_that_was_cut_off() -> None:
    storage = InMemoryStorage()
    made = optuna.create_study(study_name="s", storage=storage)
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE):
        made.add_trial(optuna.trial.create_trial(value=None if state is TrialState.FAIL else 1.0, state=state))
    kept: list[FrozenTrial] = study_module.finished("s", storage)
    assert [t.state for t in kept] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert study_module.finished("unheard of", storage) == []


def test_math_of_the_toy() -> None:
    """The planted optimum is what it says: x = 0.3 gives 1 - 2^-9."""
    assert toy(optuna.trial.FixedTrial({"x": 0.3})) == pytest.approx(1 - math.pow(2, -9))
