"""Spike trains of images: each sample's own, whatever its batch, and exact where they are deterministic."""

import numpy as np
import pytest
import torch
from small_learners import SPLITS, images

from snn5.bio.reproducibility import CODES, encode, poisson
from snn5.errors import UserError


def test_a_samples_spikes_depend_on_seed_and_number_alone() -> None:
    x_NC, index_N = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)), torch.arange(6) + 100
    whole = poisson(x_NC, index_N, 30, seed=3)
    order = torch.tensor([4, 0, 5])
    assert torch.equal(poisson(x_NC[order], index_N[order], 30, seed=3), whole[:, order])
    assert torch.equal(poisson(x_NC, index_N, 12, seed=3), whole[:12])
    assert not torch.equal(poisson(x_NC, index_N + 1, 30, seed=3), whole)
    assert not torch.equal(poisson(x_NC, index_N, 30, seed=4), whole)


def test_poisson_has_the_moments_of_bernoulli_draws() -> None:
    """Chi-squared of the counts of 400 trains of 50 steps: mean 400, sd sqrt(800)."""
    p = torch.linspace(0.1, 0.9, 400)
    counts = poisson(p.view(20, 20), torch.arange(20), 50, seed=1).sum(0, dtype=torch.float64).flatten()
    chi = float(((counts - 50 * p) ** 2 / (50 * p * (1 - p))).sum())
    assert abs(chi - 400) < 3.3 * 800**0.5  # p of about 0.001
    ends = poisson(torch.tensor([[0.0, 1.0]]), torch.arange(1), 50, seed=1)
    assert ends.sum(0).tolist() == [[0, 50]]


def test_deterministic_codes_are_exact_and_draw_nothing() -> None:
    x_NC = torch.from_numpy(SPLITS.test.x_TNCHW[0]).flatten(1) / 16
    regular, label_N = encode(SPLITS.test, "regular", 20, seed=0)
    assert (regular.sum(0) - 20 * x_NC).abs().max() <= 0.5
    first, _ = encode(SPLITS.test, "ttfs", 20, seed=0)
    assert int(first.sum(0).max()) == 1
    assert torch.equal(first, encode(SPLITS.test, "ttfs", 20, seed=1)[0])
    assert label_N.tolist() == SPLITS.test.y_N.tolist()


@pytest.mark.parametrize("code", CODES)
def test_every_code_gives_bytes_of_all_inputs(code: str) -> None:
    spikes_TNC, _ = encode(images(3, 7), code, 9, seed=5)
    assert spikes_TNC.shape == (9, 3, 16) and spikes_TNC.dtype == torch.uint8 and int(spikes_TNC.max()) == 1


def test_several_frames_count_as_their_mean() -> None:
    split = images(2, 0)
    twice = type(split)(x_TNCHW=np.concatenate([split.x_TNCHW * 0, split.x_TNCHW]), y_N=split.y_N, index_N=split.index_N, info=split.info)
    full, half = (encode(one, "regular", 32, seed=0)[0].sum(0, dtype=torch.int64) for one in (split, twice))
    assert (full - 2 * half).abs().max() <= 1


def test_an_unknown_code() -> None:
    with pytest.raises(UserError, match="unknown code 'poison'; did you mean poisson"):
        encode(SPLITS.test, "poison", 5, seed=0)
