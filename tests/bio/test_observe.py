"""Showing samples to a liquid."""

import pytest
import torch

from snn5.bio import Liquid, bin_counts, digest, observe
from snn5.config import Liquid as Settings
from snn5.errors import UserError


def five_bins(spikes_TNn: torch.Tensor) -> torch.Tensor:
    return bin_counts(spikes_TNn, 5)


def setup(seed: int = 0) -> tuple[Liquid, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pool = Liquid(18, Settings(neurons=40), input_rate=0.1, generator=generator)
    x_TNCHW = (torch.rand(60, 33, 2, 3, 3, generator=torch.Generator().manual_seed(1)) < 0.1).to(torch.uint8)
    return pool, x_TNCHW


def test_batches_do_not_matter() -> None:
    pool, x = setup()
    seen = observe(pool, x, five_bins, batch=1)
    assert seen.features_Np.shape == (33, 200) and seen.steps == 60 and int(seen.spikes_Nn.sum()) > 1000
    for batch in (8, 32, 100):
        again = observe(pool, x, five_bins, batch=batch)
        assert again.sha256 == seen.sha256
        assert torch.equal(again.features_Np, seen.features_Np) and torch.equal(again.spikes_Nn, seen.spikes_Nn)


def test_samples_do_not_see_each_other() -> None:
    pool, x = setup()
    order = torch.randperm(33, generator=torch.Generator().manual_seed(2))
    straight, permuted = observe(pool, x, five_bins), observe(pool, x[:, order], five_bins)
    assert torch.equal(permuted.features_Np, straight.features_Np[order])
    assert permuted.sha256 != straight.sha256


def test_counts() -> None:
    pool, x = setup()
    seen = observe(pool, x, five_bins)
    assert torch.equal(seen.inputs_NC.long(), x.flatten(2).long().sum(0))
    assert torch.equal(seen.spikes_Nn.float(), seen.features_Np.view(33, 5, 40).sum(1))


def test_own_state_is_left_alone() -> None:
    pool, x = setup()
    pool(x.flatten(2))
    before = pool.v_Nn.clone()
    observe(pool, x, five_bins)
    assert torch.equal(pool.v_Nn, before)


def test_hashes_tell_wirings_apart() -> None:
    (one, x), (two, _) = setup(0), setup(1)
    assert observe(one, x, five_bins).sha256 != observe(two, x, five_bins).sha256


def test_digest_sees_type_shape_and_value() -> None:
    values = (torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.float64), torch.ones(4))
    assert len({digest(value) for value in values}) == 4
    assert digest(torch.arange(6).view(2, 3).T) == digest(torch.tensor([[0, 3], [1, 4], [2, 5]]))


def test_no_samples() -> None:
    pool, x = setup()
    with pytest.raises(UserError, match="no samples"):
        observe(pool, x[:, :0], five_bins)
