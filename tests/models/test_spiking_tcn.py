"""The spiking TCN: delays by hand, the kernel as a temporal convolution, how far it hears, its size."""

import pytest
import torch
from model_checks import settle
from spikingjelly.activation_based import functional
from torch.nn import functional as F

from snn5.errors import UserError
from snn5.models import create_model
from snn5.models._spiking_tcn import Delays

SOUND = {"in_channels": 6, "num_classes": 3, "image_size": 1, "time_steps": 12}


def test_delays_by_hand() -> None:
    delays = Delays(taps=3, dilation=2)
    x_TNCHW = torch.tensor([1.0, 2, 3, 4, 5]).view(5, 1, 1, 1, 1)
    assert delays(x_TNCHW)[:, 0, :, 0, 0].tolist() == [[1, 0, 0], [2, 0, 0], [3, 1, 0], [4, 2, 0], [5, 3, 1]]
    assert delays(x_TNCHW[:2])[:, 0, :, 0, 0].tolist() == [[1, 4, 2], [2, 5, 3]]  # the past goes on
    functional.reset_net(delays)
    assert delays(x_TNCHW[:2])[:, 0, :, 0, 0].tolist() == [[1, 0, 0], [2, 0, 0]]
    assert Delays(taps=1, dilation=5)(x_TNCHW).equal(x_TNCHW)
    assert Delays(taps=2, dilation=1, constant=True)(x_TNCHW[:1]).flatten().tolist() == [1, 1]


def test_the_past_is_kept_with_its_samples_first_and_forgotten() -> None:
    """Early exit takes samples out of every state along its first axis."""
    delays = Delays(taps=3, dilation=2)
    assert delays.past.frames is None
    delays(torch.rand(1, 7, 2, 1, 1))
    assert delays.past.frames is not None and delays.past.frames.shape == (7, 4, 2, 1, 1)
    functional.reset_net(delays)
    assert delays.past.frames is None


@pytest.mark.parametrize("dilation", [1, 3])
def test_a_blocks_current_is_a_causal_temporal_convolution(dilation: int) -> None:
    """Against torch's conv1d with a kernel turned round and zeros in front."""
    model = create_model("spiking_tcn", width=8, blocks=2, taps=3, dilation=dilation, **SOUND).double()
    block = model.blocks[1]
    s_TNCHW = torch.bernoulli(torch.full((12, 4, 8, 1, 1), 0.4, dtype=torch.float64), generator=torch.Generator().manual_seed(0))
    current = block.branch[0][0](block.delays(s_TNCHW))[..., 0, 0]
    kernel = block.branch[0][0].weight[..., 0, 0].view(8, 3, 8).transpose(1, 2).flip(-1)  # [out, in, time], the present last
    padded = F.pad(s_TNCHW[..., 0, 0].permute(1, 2, 0), (2 * dilation, 0))
    expected = F.conv1d(padded, kernel, dilation=dilation).permute(2, 0, 1)
    torch.testing.assert_close(current, expected)


@pytest.mark.parametrize(("taps", "dilation", "blocks", "reach"), [(3, 1, 2, 4), (3, 2, 2, 6), (2, 2, 3, 7), (4, 1, 1, 3)])
def test_how_far_it_hears(taps: int, dilation: int, blocks: int, reach: int) -> None:
    """sum over blocks of (taps - 1) dilation^(l - 1) steps; neurons that forget at once (tau -> 1) leave only the delays."""
    shape = {**SOUND, "time_steps": 30}
    args = {"width": 32, "taps": taps, "dilation": dilation, "blocks": blocks}
    model = create_model("spiking_tcn", neuron="lif", neuron_args={"tau": 1.0 + 1e-9}, **args, **shape)
    x_TNCHW = 2 * torch.rand(30, 16, 6, 1, 1, generator=torch.Generator().manual_seed(1))
    settle(model, x_TNCHW)
    changed = x_TNCHW.clone()
    changed[5] = 3 * changed[5].flip(0)
    with torch.no_grad():
        moved = (model(x_TNCHW) != model(changed)).flatten(1).any(1).nonzero()[:, 0].tolist()
    assert moved[0] == 5 and moved[-1] == 5 + reach


def test_size() -> None:
    """C w + 2 w + blocks (taps w^2 + 2 w) + w K + K, and one number for each of the three PLIF layers."""
    model = create_model("spiking_tcn", width=8, blocks=2, taps=5, **SOUND)
    assert sum(p.numel() for p in model.parameters()) == 6 * 8 + 16 + 2 * (5 * 64 + 16) + 8 * 3 + 3 + 3
    image = create_model("spiking_tcn", width=8, blocks=1, taps=1, **{**SOUND, "image_size": 4})
    assert sum(p.numel() for p in image.parameters()) == 6 * 16 * 8 + 16 + 64 + 16 + 24 + 3 + 2


@pytest.mark.parametrize("name", ["width", "blocks", "taps", "dilation"])
def test_a_value_that_is_no_size_is_named(name: str) -> None:
    with pytest.raises(UserError, match=rf"{name}=0; need a whole number, at least 1"):
        create_model("spiking_tcn", **{name: 0}, **SOUND)
