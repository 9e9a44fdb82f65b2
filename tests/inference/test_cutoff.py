from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference import GapRule, all_logits, answers, calibrate_cutoff, leave, optimal_step, rule_of, thresholds
from snn5.models import create_model


def noisy_logits(n: int, seed: int, steps: int = 8, classes: int = 10) -> tuple[Tensor, Tensor]:
    """Evidence that drifts towards the label at a pace of its own for each sample, with noise at every step."""
    generator = torch.Generator().manual_seed(seed)
    y_N = torch.randint(classes, (n,), generator=generator)
    drift_N = 1.0 + torch.rand(n, generator=generator)
    logits_TNK = torch.randn(steps, n, classes, generator=generator)
    return logits_TNK + drift_N[:, None] * torch.nn.functional.one_hot(y_N, classes), y_N


def test_optimal_step_by_hand() -> None:
    """Right from 1; wrong, then right from 3; right at first but wrong at last (T); right, wrong, right (3)."""
    right = torch.tensor([[1, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1.0]])
    running = torch.stack([right, 1 - right], -1)  # label 0
    logits_TNK = running.diff(dim=0, prepend=torch.zeros_like(running[:1]))
    assert optimal_step(logits_TNK, torch.zeros(4, dtype=torch.long)).tolist() == [1, 3, 3, 3]


def test_thresholds_by_hand() -> None:
    """At step 1 gaps 0, 1, 2, 3, of which 0 and 1 are of wrong answers; all are right at step 2."""
    sums = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [2.0, 0.0], [3.0, 0.0]], [[5.0, 0.0]] * 4])
    logits_TNK, y_N = sums.diff(dim=0, prepend=torch.zeros_like(sums[:1])), torch.zeros(4, dtype=torch.long)
    grid = torch.linspace(0, 3, 100)
    # no mistake allowed: the first grid point not below gap 1; one in three: gap > 0 will do
    assert thresholds(logits_TNK, y_N, 0.0) == (pytest.approx(float(grid[33])), 0.0)
    assert grid[33] >= 1.0 > grid[32]
    assert thresholds(logits_TNK, y_N, 0.34) == (0.0, 0.0)
    assert thresholds(logits_TNK, y_N, 1.0) == (-1.0, -1.0)


def test_a_step_that_is_never_sure_gets_the_largest_gap() -> None:
    sums = torch.tensor([[[0.0, 2.0]], [[0.0, 4.0]]])
    logits_TNK = sums.diff(dim=0, prepend=torch.zeros_like(sums[:1]))
    betas = thresholds(logits_TNK, torch.tensor([0]), 0.0)  # the answer is wrong to the end
    assert betas[0] == 2.0
    assert leave(logits_TNK, GapRule(thresholds=betas))[0].tolist() == [2]


def test_a_larger_epsilon_never_waits_longer() -> None:
    calibration, test = noisy_logits(800, seed=0), noisy_logits(800, seed=1)
    epsilons = [0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0]
    betas = torch.tensor([thresholds(*calibration, e) for e in epsilons])
    assert bool((betas.diff(dim=0) <= 0).all())
    step_EN = torch.stack([leave(test[0], GapRule(thresholds=tuple(b.tolist())))[0] for b in betas])
    assert bool((step_EN.diff(dim=0) <= 0).all())
    assert step_EN[-1].unique().tolist() == [1] and step_EN[0].double().mean() > 2


def test_synthetic_evidence_leaves_early_at_little_cost() -> None:
    """The kind of figures that the paper reports: more than 1.5x fewer steps at less than 0.5 points; confidence holds on new samples."""
    calibration, (logits_TNK, y_N) = noisy_logits(4000, seed=0), noisy_logits(4000, seed=1)
    full, steps = answers(logits_TNK, y_N, GapRule(thresholds=(float("inf"),) * 8))
    assert steps == 8.0 and full == (logits_TNK.sum(0).argmax(-1) == y_N).double().mean()
    accuracy, steps = answers(logits_TNK, y_N, GapRule(thresholds=thresholds(*calibration, 0.005)))
    assert full - accuracy < 0.005 and steps < 8 / 1.5
    exact, steps_exact = answers(logits_TNK, y_N, GapRule(thresholds=thresholds(*calibration, 0.0)))
    assert steps < steps_exact < 8 and full - exact < 0.002


def test_the_oracle_answers_as_the_full_run() -> None:
    logits_TNK, y_N = noisy_logits(500, seed=2)
    sums_TNK = logits_TNK.cumsum(0)
    oracle_N = sums_TNK[optimal_step(logits_TNK, y_N) - 1, torch.arange(500)].argmax(-1)
    assert bool(((oracle_N == y_N) == (sums_TNK[-1].argmax(-1) == y_N)).all())


def test_no_calibration_without_samples_or_with_a_wrong_epsilon() -> None:
    with pytest.raises(UserError, match=r"epsilon=1\.5; need a share from 0 to 1"):
        thresholds(torch.zeros(2, 1, 2), torch.zeros(1), 1.5)
    with pytest.raises(UserError, match="no calibration samples"):
        thresholds(torch.zeros(2, 0, 2), torch.zeros(0), 0.1)


# --- on a checkpoint


def toy_split(side: str, first: int) -> Split:
    x = np.random.default_rng(first).integers(0, 17, (1, 24, 1, 8, 8), dtype=np.uint8)
    return Split(x_TNCHW=x, y_N=np.arange(24) % 4, index_N=np.arange(first, first + 24), info={"scale": 16, "split": side})


@pytest.fixture(scope="module")
def trained() -> checkpoint.Checkpoint:
    model = create_model("sew_resnet20", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=4)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 4.0)
            torch.nn.init.constant_(module.bias, 1.0)
    args = {"model": model.name, "model_args": model.arguments, "dataset": "toy", "time_steps": 3, "neuron": "lif"}
    return checkpoint.of(model, checkpoint.Card(**args))


def test_calibration_leaves_thresholds_and_history(trained: checkpoint.Checkpoint, tmp_path: Path) -> None:
    train, test = toy_split("train", 0), toy_split("test", 100)
    found = calibrate_cutoff(trained, train, epsilon=0.1, seed=4, keep_out=[test], parents={"data/x": "0" * 32})
    assert found.card.cutoff["rule"] == "gap" and found.card.cutoff["epsilon"] == 0.1 and len(found.card.cutoff["thresholds"]) == 3
    last = found.card.transforms[-1]
    assert (last.name, last.args) == ("calibrate_cutoff", {"epsilon": 0.1, "dropout": 0.3, "seed": 4, "samples": 24})
    assert last.parents == {"data/x": "0" * 32}
    assert found.state is trained.state
    checkpoint.save(found, tmp_path / "a.safetensors")
    assert checkpoint.load(tmp_path / "a.safetensors").card == found.card
    assert calibrate_cutoff(trained, train, epsilon=0.1, seed=4).card.cutoff == found.card.cutoff


def test_measured_cost_ends_at_the_exit(trained: checkpoint.Checkpoint) -> None:
    test = toy_split("test", 100)

    def measured(cutoff: dict | None) -> tuple[float, float, float]:
        m = measure(replace(trained, card=replace(trained.card, cutoff=cutoff)), test, seed=0, protocol="val_selected")
        return m.steps_mean, m.synops, m.neuron_updates

    def gaps(beta: float) -> dict:
        return {"rule": "gap", "epsilon": 0.0, "thresholds": [beta] * 3}

    full, never, at_once = measured(None), measured(gaps(float("inf"))), measured(gaps(-1.0))
    assert never[0] == full[0] == 3.0 and never[2] == full[2]
    assert never[1] == pytest.approx(full[1], rel=1e-3)
    assert at_once[0] == 1.0 and at_once[2] == full[2] / 3
    assert 0 < at_once[1] < full[1] / 2


def test_dropout_hits_the_same_features_at_every_step_and_nothing_else(trained: checkpoint.Checkpoint) -> None:
    model, split = trained.build(), toy_split("train", 0)
    seen: list[Tensor] = []
    model.head.register_forward_hook(lambda _module, args, _out: seen.append(args[0]))  # sees what pre-hooks have left
    plain, _ = all_logits(model, split)
    dropped, y_N = all_logits(model, split, dropout=0.5, seed=1)
    assert torch.equal(all_logits(model, split)[0], plain)  # the hooks are gone, and so is the state
    assert not torch.equal(dropped, plain) and y_N.tolist() == split.y_N.tolist()
    assert torch.equal(all_logits(model, split, dropout=0.5, seed=1)[0], dropped)
    features_TNF, kept_TNF = seen[0], seen[1]
    mask_NF = (kept_TNF != 0).any(0)
    assert torch.equal(kept_TNF, features_TNF * mask_NF * 2.0)
    assert 0.3 < mask_NF.double().mean() < 0.6


def test_calibration_refuses(trained: checkpoint.Checkpoint) -> None:
    train = toy_split("train", 0)
    with pytest.raises(UserError, match=r"4 calibration samples are also in a split to be kept out \(e.g. index 20\)"):
        calibrate_cutoff(trained, train, epsilon=0.1, keep_out=[toy_split("test", 20)])
    with pytest.raises(UserError, match="this is the test split; calibrate on train"):
        calibrate_cutoff(trained, toy_split("test", 0), epsilon=0.1)
    with pytest.raises(UserError, match=r"dropout=1\.0; need a share from 0 to below 1"):
        calibrate_cutoff(trained, train, epsilon=0.1, dropout=1.0)
    with pytest.raises(UserError, match="is an ANN twin, which has no steps to save"):
        calibrate_cutoff(replace(trained, card=replace(trained.card, twin=True)), train, epsilon=0.1)


def test_rule_of_a_card() -> None:
    assert rule_of(None) is None
    assert rule_of({"rule": "gap", "epsilon": 0.1, "thresholds": [1.0, 2.0]}) == GapRule(thresholds=(1.0, 2.0))
    with pytest.raises(UserError, match="unknown cutoff rule 'gaps'; did you mean gap"):
        rule_of({"rule": "gaps"})
