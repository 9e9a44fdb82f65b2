"""Mixup and CutMix by hand: what is mixed, in which proportion, and that labels follow."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import snn5.training._mix as mix_module
from snn5.config import Train
from snn5.errors import UserError
from snn5.training import CutMix, Mixup
from snn5.training._mix import Sometimes, mix_of, soft

SETTINGS = Train(model="m", epochs=2)


class Ten(nn.Module):
    num_classes = 10


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fixed(monkeypatch: pytest.MonkeyPatch, share: float, order: list[int]) -> None:
    monkeypatch.setattr(mix_module, "_beta", lambda _alpha, _generator: share)
    monkeypatch.setattr(mix_module, "_order", lambda _y, _generator: torch.tensor(order))


def test_labels_by_hand() -> None:
    y_NK = soft(torch.tensor([0, 2, 2]), torch.tensor([1, 0, 2]), 0.75, 3)
    assert y_NK.tolist() == [[0.75, 0.0, 0.25], [0.25, 0.0, 0.75], [0.0, 0.0, 1.0]]


def test_mixup_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples 0 and 4 (step 0), 8 and 16 (step 1), a quarter of the other each."""
    fixed(monkeypatch, 0.75, [1, 0])
    x_TNCHW = torch.tensor([[0.0, 4.0], [8.0, 16.0]])[:, :, None, None, None].expand(2, 2, 1, 2, 3)
    mixed, y_NK = Mixup(alpha=1.0, classes=2)(x_TNCHW, torch.tensor([1, 0]), draws())
    assert mixed.shape == (2, 2, 1, 2, 3)
    assert mixed[:, :, 0, 0, 0].tolist() == [[1.0, 3.0], [10.0, 14.0]] and torch.equal(mixed[..., 1, 2], mixed[..., 0, 0])
    assert y_NK.tolist() == [[0.25, 0.75], [0.75, 0.25]]


def test_cutmix_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """lam = 3/4: sides of half the image's 4 x 8. About (1, 7) the box is rows 0 to 1, columns 5 to 7: 6 of 32 pixels."""
    fixed(monkeypatch, 0.75, [1, 0])
    middle = iter([1, 7])
    monkeypatch.setattr(torch, "randint", lambda *_a, generator: torch.tensor(next(middle)))
    x_TNCHW = torch.stack([torch.zeros(3, 2, 4, 8), torch.ones(3, 2, 4, 8)], 1)
    mixed, y_NK = CutMix(alpha=1.0, classes=2)(x_TNCHW, torch.tensor([0, 1]), draws())
    box = torch.zeros(4, 8)
    box[0:2, 5:8] = 1.0
    assert torch.equal(mixed[:, 0], box.expand(3, 2, 4, 8)) and torch.equal(mixed[:, 1], (1 - box).expand(3, 2, 4, 8))
    assert y_NK.tolist() == [[26 / 32, 6 / 32], [6 / 32, 26 / 32]]
    assert x_TNCHW[:, 0].sum() == 0  # the input stays


@pytest.mark.parametrize("seed", range(20))
def test_labels_tell_what_is_in_the_image(seed: int) -> None:
    """Samples of value k and class k: the mean of a mixed sample is its label's expectation, and one lam holds for the whole batch."""
    y_N = torch.arange(6)
    x_TNCHW = y_N.float()[None, :, None, None, None].expand(2, 6, 1, 5, 7)
    for mix in (Mixup(alpha=0.5, classes=6), CutMix(alpha=0.5, classes=6)):
        mixed, y_NK = mix(x_TNCHW, y_N, draws(seed))
        assert torch.allclose(y_NK.sum(1), torch.ones(6))
        for t in range(2):
            assert torch.allclose(mixed[t].mean((1, 2, 3)), y_NK @ y_N.float(), atol=1e-4)
        own = {round(y_NK[n, n].item(), 5) for n in range(6)} - {1.0}
        assert len(own) <= 1


def test_beta_is_beta() -> None:
    generator = draws()
    found = np.array([mix_module._beta(0.5, generator) for _ in range(2000)])
    assert abs(found.mean() - 0.5) < 0.03 and abs(found.var() - 1 / 8) < 0.01  # 1 / (4 (2a + 1))


def test_the_generators_and_nobody_elses() -> None:
    x_TNCHW, y_N = torch.rand(2, 6, 1, 4, 4, generator=draws()), torch.arange(6)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    for mix in (Mixup(alpha=1.0, classes=6), CutMix(alpha=1.0, classes=6)):
        a, b, c = (mix(x_TNCHW, y_N, draws(seed)) for seed in (1, 1, 2))
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and not torch.equal(a[0], c[0])
    assert torch.equal(torch.get_rng_state(), torch_state) and np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.parametrize("change", [{}, {"mixup": 0.5, "mix_probability": 0.0}])
def test_neutral_settings_mix_nothing(change: dict[str, Any]) -> None:
    assert mix_of(replace(SETTINGS, **change), Ten()) is None


def test_what_params_switch_on() -> None:
    mixup, cutmix = Mixup(alpha=0.5, classes=10), CutMix(alpha=1.0, classes=10)
    assert mix_of(replace(SETTINGS, mixup=0.5), Ten()) == Sometimes(choices=(mixup,), probability=1.0, classes=10)
    found = mix_of(replace(SETTINGS, mixup=0.5, cutmix=1.0, mix_probability=0.3), Ten())
    assert found == Sometimes(choices=(mixup, cutmix), probability=0.3, classes=10)
    with pytest.raises(UserError, match=r"mixup=0\.5, cutmix=0\.0 need a model with `num_classes`; Linear has none"):
        mix_of(replace(SETTINGS, mixup=0.5), nn.Linear(1, 1))


def test_a_share_of_the_batches_gets_one_of_the_choices() -> None:
    x_TNCHW, y_N = torch.zeros(1, 2, 1, 2, 2), torch.tensor([1, 0])
    mix = Sometimes(
        choices=(lambda x, y, _g: (x + 1, soft(y, y, 1.0, 2)), lambda x, y, _g: (x + 2, soft(y, y, 1.0, 2))), probability=0.6, classes=2
    )
    generator, found = draws(), []
    for _ in range(500):
        x, y_NK = mix(x_TNCHW, y_N, generator)
        found.append(x.max().item())
        assert y_NK.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert [abs(found.count(v) / 500 - share) < 0.06 for v, share in ((0.0, 0.4), (1.0, 0.3), (2.0, 0.3))] == [True] * 3
