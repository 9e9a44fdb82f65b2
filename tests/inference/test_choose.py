"""The choice of epsilon by hand, and a checkpoint that goes in without a cutoff and comes out with one."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from snn5 import checkpoint
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference import (
    RULES,
    Tried,
    accuracy_by_step,
    all_logits,
    answers,
    calibrate_cutoff,
    choose_cutoff,
    choose_epsilon,
    leave,
    never,
    optimal_step,
    rule_of,
    try_epsilons,
    within,
)
from snn5.models import create_model

EPSILONS = (0.0, 0.1, 0.3)


def tried(*change: list[int], epsilons: tuple[float, ...] = EPSILONS) -> Tried:
    """Per epsilon the changes of each sample."""
    found = torch.tensor(change, dtype=torch.int8)
    rest = {"accuracy": (), "steps": (), "full_accuracy": 1.0, "accuracy_by_step": (), "optimal_steps": 1.0}
    return Tried(epsilons=epsilons, change_EN=found, **rest)


def lost(count: int, won: int = 0, n: int = 100) -> list[int]:
    return [-1] * count + [1] * won + [0] * (n - count - won)


def test_the_mean_alone_by_hand() -> None:
    """Losses of 0, 1 and 2 of 100 against a limit of 1 %: the middle one is just within."""
    one = tried(lost(0), lost(1), lost(2))
    assert within([one], max_accuracy_loss=0.01, standard_errors=0.0) == [0.0, 0.1]
    assert choose_epsilon([one], max_accuracy_loss=0.01, standard_errors=0.0) == 0.1
    assert choose_epsilon([tried(lost(0), lost(3, won=2), lost(2))], max_accuracy_loss=0.01, standard_errors=0.0) == 0.1


def test_one_standard_error_by_hand() -> None:
    """1 lost of 100: sd sqrt(0.01 0.99 100/99) = 0.1, so 0.01 + 0.1 / 10 = 0.02."""
    one = tried(lost(0), lost(1), lost(4))
    assert within([one], max_accuracy_loss=0.0201) == [0.0, 0.1]
    assert within([one], max_accuracy_loss=0.0199) == [0.0]
    spread = math.sqrt(0.04 * 0.96 * 100 / 99) / 10
    assert within([one], max_accuracy_loss=0.04 + 2 * spread + 1e-9, standard_errors=2.0) == list(EPSILONS)
    assert within([one], max_accuracy_loss=0.04 + 2 * spread - 1e-9, standard_errors=2.0) == [0.0, 0.1]


def test_a_sample_lost_beside_those_seen_by_hand() -> None:
    """None of 99 lost, one beside them: 1 of 100, sd 0.1, so 0.01 and 0.01 for each standard error; with 1 lost 2 of 100."""
    one = tried(lost(0, n=99), lost(1, n=99), lost(2, n=99))
    assert within([one], max_accuracy_loss=0.001, standard_errors=50.0) == [0.0]  # without it no number of them is a margin
    assert within([one], max_accuracy_loss=0.0201, lost_samples=1) == [0.0]
    assert within([one], max_accuracy_loss=0.0199, lost_samples=1) == []
    assert within([one], max_accuracy_loss=0.0201, standard_errors=0.0, lost_samples=1) == [0.0, 0.1]
    assert within([one], max_accuracy_loss=0.0199, standard_errors=0.0, lost_samples=1) == [0.0]
    assert choose_epsilon([one], max_accuracy_loss=0.0199, lost_samples=1) == 0.0


def test_seeds_count_as_one_judge_per_sample() -> None:
    """Two seeds that lose the same sample: as uncertain as one seed. Two that lose different ones: less."""
    first, other = tried(lost(0), lost(1), lost(1)), tried(lost(0), lost(1)[::-1], lost(1)[::-1])
    assert within([first, first], max_accuracy_loss=0.0199) == [0.0]
    assert within([first, other], max_accuracy_loss=0.0199) == list(EPSILONS)


def test_the_smallest_where_none_is_within() -> None:
    bad = tried(lost(5), lost(6), lost(7))
    assert within([bad], max_accuracy_loss=0.01) == [] and choose_epsilon([bad], max_accuracy_loss=0.01) == 0.0


def test_seeds_must_be_comparable() -> None:
    with pytest.raises(UserError, match="2 seeds, not all tried on the same epsilons and samples"):
        within([tried(lost(0), lost(0), lost(0)), tried(lost(0), epsilons=(0.0,))], max_accuracy_loss=0.1)
    with pytest.raises(UserError, match=r"standard_errors=-1\.0; need 0 or more"):
        within([tried(lost(0), lost(0), lost(0))], max_accuracy_loss=0.1, standard_errors=-1.0)
    with pytest.raises(UserError, match="lost_samples=-1; need 0 or more"):
        within([tried(lost(0), lost(0), lost(0))], max_accuracy_loss=0.1, lost_samples=-1)


def test_accuracy_by_step_by_hand() -> None:
    """Two samples of class 0: right, wrong, right; wrong, wrong, right."""
    margin = torch.tensor([[1.0, -1.0], [-3.0, -1.0], [4.0, 5.0]])  # sums 1 -2 2 and -1 -2 3
    logits_TNK = torch.stack([margin, torch.zeros_like(margin)], -1)
    assert accuracy_by_step(logits_TNK, torch.zeros(2, dtype=torch.long)) == [0.5, 0.0, 1.0]


# --- on a checkpoint


def split(side: str, first: int, n: int = 40) -> Split:
    x = np.random.default_rng(first).integers(0, 17, (1, n, 1, 8, 8), dtype=np.uint8)
    return Split(x_TNCHW=x, y_N=np.arange(n) % 4, index_N=np.arange(first, first + n), info={"scale": 16, "split": side})


@pytest.fixture(scope="module")
def trained() -> checkpoint.Checkpoint:
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=4)
    generator = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(model.head.weight, generator=generator)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "toy", "time_steps": 3, "neuron": "lif"}
    return checkpoint.of(model, checkpoint.Card(**args))


@pytest.mark.parametrize("rule", RULES)
def test_tried_is_what_the_calibrated_checkpoint_does(trained: checkpoint.Checkpoint, rule: str) -> None:
    train, val = split("train", 0), split("val", 100)
    found = try_epsilons(trained, train, {"val": val}, EPSILONS, rules=[rule], seed=3)[rule]["val"]
    logits_TNK, y_N = all_logits(trained.build(), val)
    full_N = leave(logits_TNK, never)[1] == y_N
    for place, epsilon in enumerate(EPSILONS):
        made = calibrate_cutoff(trained, train, epsilon=epsilon, rule=rule, seed=3)
        assert made.card.cutoff is not None and made.card.cutoff["rule"] == rule
        kept = rule_of(made.card.cutoff)
        assert kept is not None and answers(logits_TNK, y_N, kept) == (found.accuracy[place], found.steps[place])
        early_N = leave(logits_TNK, kept)[1] == y_N
        assert found.change_EN[place].tolist() == (early_N.int() - full_N.int()).tolist()
        assert found.accuracy[place] - found.full_accuracy == pytest.approx(found.change_EN[place].double().mean())
    assert found.accuracy_by_step[-1] == found.full_accuracy and len(found.accuracy_by_step) == 3
    assert found.optimal_steps == optimal_step(logits_TNK, y_N).double().mean()


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_choose_cutoff(trained: checkpoint.Checkpoint, limit: float) -> None:
    train, val = split("train", 0), split("val", 100)
    made = choose_cutoff(trained, train, val, epsilons=EPSILONS, max_accuracy_loss=limit, seed=3, parents={"data/x": "0" * 32})
    own = try_epsilons(trained, train, {"val": val}, EPSILONS, rules=["gap"], seed=3)["gap"]["val"]
    expected = choose_epsilon([own], max_accuracy_loss=limit)
    assert expected == (0.3 if limit else expected)
    same = calibrate_cutoff(trained, train, epsilon=expected, seed=3, parents={"data/x": "0" * 32})
    assert made.card == same.card and made.state is trained.state


def test_validation_is_kept_out_of_the_calibration(trained: checkpoint.Checkpoint) -> None:
    train = split("train", 0)
    with pytest.raises(UserError, match="40 calibration samples are also in a split to be kept out"):
        choose_cutoff(trained, train, replace(train, info={**train.info, "split": "val"}), epsilons=EPSILONS, max_accuracy_loss=0.1)
