"""What a trial does, and what is drawn for it."""

import inspect
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial, TrialState

import snn5.tuning._objective as objective_module
from snn5.benchmark import count_operations
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.training import Evaluation, Fit, Samples, evaluate, fit, penalised, spike_rates
from snn5.tuning import RATES, Budget, Objective, Tradeoff, apply, point_of, search, suggest

SHAPE = {"in_channels": 1, "num_classes": 3, "image_size": 8, "time_steps": 2}
SETTINGS = Train(model="sew_resnet8", epochs=9, batch_size=16, model_args={"width": 4, "neuron_args": {"v_threshold": 0.3, "tau": 5.0}})
POINT = {
    "lr": 2e-3,
    "weight_decay": 1e-3,
    "log_tau_minus_1": math.log(0.3),
    "alpha": 3.0,
    "tet_lambda": 0.02,
    "label_smoothing": 0.1,
    "rate_penalty": 1e-3,
    "surrogate": "triangle",
    "reset": "soft",
    "detach_reset": False,
}


def noise(n: int, seed: int) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, 1, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def objective(settings: Train = SETTINGS, epochs: int = 3) -> Objective:
    return Objective(settings, SHAPE, noise(48, 0), noise(24, 1), epochs=epochs, seed=7)


def trial(pruner: optuna.pruners.BasePruner | None = None) -> optuna.Trial:
    """A new trial of a study of its own, with POINT enqueued."""
    study = optuna.create_study(direction="maximize", pruner=pruner or optuna.pruners.NopPruner())
    study.enqueue_trial(POINT)
    return study.ask()


# --- the space


def test_point_from_its_parameters() -> None:
    point = suggest(FixedTrial(POINT))
    assert point == {"tau": pytest.approx(1.3), **{name: value for name, value in POINT.items() if name != "log_tau_minus_1"}}


def test_ranges_and_scales() -> None:
    """tau from 1.1 to 8 by way of log(tau - 1); rates, decay and width log-uniform; TET's weight up to 0.1, smoothing up to 0.2."""
    made = trial()
    suggest(made)
    found = {name: (d.low, d.high, d.log) for name, d in made.distributions.items() if hasattr(d, "low")}
    among = {name: d.choices for name, d in made.distributions.items() if hasattr(d, "choices")}
    assert found["rate_penalty"] == (1e-6, 0.1, True)
    assert among == {"surrogate": ("atan", "sigmoid", "triangle"), "reset": ("hard", "soft"), "detach_reset": (True, False)}
    assert 1 + math.exp(found["log_tau_minus_1"][0]) == pytest.approx(1.1) and 1 + math.exp(found["log_tau_minus_1"][1]) == pytest.approx(
        8.0
    )
    assert (
        found["alpha"] == (0.5, 10.0, True) and found["tet_lambda"] == (0.0, 0.1, False) and found["label_smoothing"] == (0.0, 0.2, False)
    )
    assert found["lr"][2] and found["weight_decay"][2] and not found["log_tau_minus_1"][2]


def test_apply_lays_the_point_over_the_settings() -> None:
    point = suggest(FixedTrial(POINT))
    made = apply(SETTINGS, point, 4)
    assert made == replace(
        SETTINGS,
        epochs=4,
        lr=2e-3,
        weight_decay=1e-3,
        tet_lambda=0.02,
        label_smoothing=0.1,
        model_args={
            "width": 4,
            "neuron_args": {
                "v_threshold": 0.3,
                "tau": point["tau"],
                "alpha": 3.0,
                "surrogate": "triangle",
                "v_reset": None,
                "detach_reset": False,
            },
        },
    )
    assert SETTINGS.model_args == {"width": 4, "neuron_args": {"v_threshold": 0.3, "tau": 5.0}}  # not written to
    assert point == suggest(FixedTrial(POINT))


def test_todays_settings_are_a_point_of_the_space() -> None:
    """Settings -> point -> settings: the same, with what neurons do by default spelt out."""
    spelt = {"tau": pytest.approx(5.0), "alpha": 2.0, "surrogate": "atan", "v_reset": 0.0, "detach_reset": True}
    assert apply(SETTINGS, suggest(FixedTrial(point_of(SETTINGS))), 9) == replace(
        SETTINGS, model_args={"width": 4, "neuron_args": {"v_threshold": 0.3, **spelt}}
    )
    other = {"tau": 3.0, "surrogate": "sigmoid", "v_reset": None, "detach_reset": False}
    point = point_of(replace(SETTINGS, model_args={"neuron_args": other}))
    assert (point["surrogate"], point["alpha"], point["reset"], point["detach_reset"]) == ("sigmoid", 4.0, "soft", False)
    assert point["rate_penalty"] == 1e-6
    assert point_of(Train(model="m", epochs=2))["log_tau_minus_1"] == 0.0  # tau = 2


# --- a trial


def test_reports_validation_accuracy_after_each_epoch() -> None:
    made = trial()
    value = objective()(made)
    values = made.study.get_trials()[0].intermediate_values
    assert sorted(values) == [1, 2, 3] and values[3] == value and 0 <= value <= 1
    assert made.user_attrs["point"]["tau"] == pytest.approx(1.3) and made.user_attrs["val/loss"] > 0


def test_the_same_point_gives_the_same_curve() -> None:
    first, second = trial(), trial()
    torch.manual_seed(1)
    objective()(first)
    torch.manual_seed(2)
    objective()(second)
    values = [made.study.get_trials()[0].intermediate_values for made in (first, second)]
    assert values[0] == values[1]


def test_5_the_test_split_is_not_in_reach() -> None:
    """Spec P3.1 property 5: it is given train and validation, trains on one and scores on the other."""
    assert [name for name in inspect.signature(Objective).parameters if "test" in name] == []
    made, seen = objective(), []

    def fake(_model: Any, train: Samples, val: Samples, _settings: Train, **_kw: Any) -> Fit:
        seen.extend([train, val])
        return Fit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "fit", fake)
        made(trial())
    assert seen[0] is made.train and seen[1] is made.val
    assert [value for value in vars(made).values() if isinstance(value, Samples)] == [made.train, made.val]


def test_the_stage_gives_it_train_and_validation() -> None:
    source = Path(inspect.getfile(objective_module)).parents[1] / "stages" / "p3_tune.py"
    assert "splits.test" not in source.read_text(encoding="utf-8")


def run_with(
    rates: list[dict[str, float]], accuracies: list[float], pruner: optuna.pruners.BasePruner | None = None, *, fair_steps: int = 3
) -> optuna.Trial:
    """A trial whose epochs, of three steps each, have these spike rates and accuracies."""

    def fake(*_a: Any, report: Any, **_kw: Any) -> Fit:
        for epoch, (r, accuracy) in enumerate(zip(rates, accuracies, strict=True)):
            report(epoch, Evaluation(accuracy=accuracy, loss=1.0, n=24, rates=r, prediction_N=torch.zeros(24)))
        return Fit()

    made = trial(pruner)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "fit", fake)
        patch.setattr(objective_module, "FAIR_STEPS", fair_steps)
        objective(epochs=len(rates))(made)
    return made


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({"a": 0.3, "b": 0.9e-3}, "layer b at 0.0009 spikes per neuron and step"),
        ({"a": 0.61, "b": 0.3}, "layer a at 0.61 spikes per neuron and step"),
    ],
)
def test_a_silent_or_saturated_layer_after_the_first_epoch_ends_the_trial(rates: dict[str, float], said: str) -> None:
    attrs: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(optuna.TrialPruned):
        patch.setattr(optuna.Trial, "set_user_attr", lambda _self, name, value: attrs.update({name: value}))
        run_with([rates, rates], [0.5, 0.5])
    assert attrs["stopped"] == said


def test_rates_on_the_edge_and_later_epochs_go_on() -> None:
    fine, dead = {"a": 1e-3, "b": 0.6}, {"a": 0.0, "b": 1.0}
    assert len(run_with([fine, dead], [0.2, 0.5]).study.get_trials()[0].intermediate_values) == 2


def test_a_small_sets_first_epochs_are_no_fair_trial() -> None:
    """Seven steps are in the third epoch of three: a layer that wakes up by then is none that is silent."""
    fine, dead = {"a": 0.3}, {"a": 0.0}
    assert len(run_with([dead, dead, fine, dead], [0.2] * 4, fair_steps=7).study.get_trials()[0].intermediate_values) == 4
    with pytest.raises(optuna.TrialPruned):
        run_with([fine, fine, dead, fine], [0.2] * 4, fair_steps=7)
    with pytest.raises(optuna.TrialPruned):
        run_with([dead, fine], [0.2] * 2, fair_steps=1)


class After(optuna.pruners.BasePruner):
    """Prunes when asked after this many epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self.epochs


def test_the_pruner_is_obeyed() -> None:
    with pytest.raises(optuna.TrialPruned):
        run_with([{"a": 0.3}] * 3, [0.1, 0.2, 0.3], After(2))


def test_2_a_trial_that_spent_its_budget_is_complete() -> None:
    """Spec P3.1 property 2: pruned trials have fewer reports than the budget has epochs."""
    assert len(run_with([{"a": 0.3}] * 3, [0.1, 0.2, 0.3], After(3)).study.get_trials()[0].intermediate_values) == 3


def test_2_no_full_trial_is_pruned_in_a_study() -> None:
    """25 trials of 9 epochs under ASHA, accuracies by a formula."""

    def fake(*_a: Any, report: Any, **_kw: Any) -> Fit:
        for epoch in range(9):
            accuracy = (0.5 + 0.5 * levels[-1]) * (1 - 0.5 ** (epoch + 1))
            report(epoch, Evaluation(accuracy=accuracy, loss=1.0, n=24, rates={"a": 0.3}, prediction_N=torch.zeros(24)))
        return Fit()

    made, levels = objective(epochs=9), [0.0]

    def scored(t: optuna.Trial) -> float:
        levels.append(math.sin(7.0 * t.number) ** 2)
        return made(t)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "fit", fake)
        done = search(scored, name="full", storage=InMemoryStorage(), budget=Budget(trials=25, max_epochs=9), seed=5)
    full = [t for t in done.get_trials() if len(t.intermediate_values) == 9]
    assert full and all(t.state is TrialState.COMPLETE for t in full)


@pytest.mark.parametrize("changes", [{"lr": 5e-4}, {"weight_decay": 0.0}, {"label_smoothing": 0.3}])
def test_settings_outside_the_space_are_trial_0_all_the_same(changes: dict[str, Any]) -> None:
    """All of these pass the configuration; p3's first trial is drawn from them."""

    def score(made: optuna.Trial) -> float:
        return suggest(made)["lr"]

    done = search(
        score,
        name="outside",
        storage=InMemoryStorage(),
        budget=Budget(trials=8, max_epochs=3),
        seed=5,
        first=point_of(replace(SETTINGS, model_args={}, **changes)),
    )
    assert [t.state for t in done.get_trials()] == [TrialState.COMPLETE] * 8


def test_the_rate_penalty_is_paid() -> None:
    """The loss has rate_penalty times the sum of the layers' mean rates in it; watched in the first step of a real trial."""
    seen: list[tuple[float, float]] = []

    def fake(model: Any, train: Samples, _val: Samples, _settings: Train, *, extra_loss: Any, **_kw: Any) -> Fit:
        with spike_rates(model) as counts:
            model(train.batch(torch.arange(16))[0])
        rates = [spikes / cells for spikes, cells in counts.values() if cells]
        seen.append((extra_loss(0).item(), sum(rates)))
        return Fit()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "fit", fake)
        objective()(trial())
    paid, rates = seen[0]
    assert paid == pytest.approx(1e-3 * rates, rel=1e-5) and rates > 0.1


# --- accuracy and operations


def test_a_tradeoff_gives_accuracy_and_operations_and_asks_no_pruner() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.enqueue_trial(POINT)
    accuracy, synops = Tradeoff(SETTINGS, SHAPE, noise(48, 0), noise(24, 1), epochs=2, seed=7)(study.ask())
    # the same network by itself
    settings = apply(SETTINGS, suggest(FixedTrial(POINT)), 2)
    model = create_model(settings.model, neuron=settings.neuron, **SHAPE, **settings.model_args)
    generator = torch.Generator().manual_seed(7)
    initialise(model, generator)
    with penalised(model, RATES, 1e-3) as extra:
        fit(model, noise(48, 0), noise(24, 1), settings, generator=generator, extra_loss=extra, guard=False)
    val = noise(24, 1)
    found = evaluate(model, val)
    counted = count_operations(model.eval(), val.batch(torch.arange(24))[0]).total("acs")
    assert accuracy == found.accuracy and synops == pytest.approx(counted) and synops > 0


@pytest.mark.parametrize("said", ["the loss is nan in epoch 0; lower lr=0.03", "layer stem_neuron is silent (0.0e+00 spikes ...)"])
def test_a_bad_trial_is_pruned_and_the_study_goes_on(said: str) -> None:
    def fails(*_a: Any, **_kw: Any) -> Fit:
        raise UserError(said)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "fit", fails)
        done = search(objective(), name="bad", storage=InMemoryStorage(), budget=Budget(trials=2, max_epochs=3), seed=5)
    assert [t.state for t in done.get_trials()] == [TrialState.PRUNED] * 2
