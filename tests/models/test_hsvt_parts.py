"""HsVT's parts against torch's own attention and LSTM cell, and by hand."""

import pytest
import torch
from model_checks import noise
from spikingjelly.activation_based import functional
from torch import nn

from snn5.models import create_model, initialise
from snn5.models._hsvt_attention import (
    AttentionBlock,
    LayerScale,
    SelfAttention,
    block_partition,
    block_reverse,
    grid_partition,
    grid_reverse,
)
from snn5.models._hsvt_temporal import ConvLSTM


def test_partitions_by_hand() -> None:
    """A 4 x 4 image numbered by rows, p = 2: neighbours, or every second pixel."""
    x_BHWC = torch.arange(16).view(1, 4, 4, 1)
    assert block_partition(x_BHWC, 2)[..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert grid_partition(x_BHWC, 2)[..., 0].tolist() == [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]


@pytest.mark.parametrize("p", [1, 2, 4])
def test_partitions_come_back(p: int) -> None:
    x_BHWC = torch.arange(2 * 8 * 4 * 3).view(2, 8, 4, 3)
    assert torch.equal(block_reverse(block_partition(x_BHWC, p), p, 8, 4), x_BHWC)
    assert torch.equal(grid_reverse(grid_partition(x_BHWC, p), p, 8, 4), x_BHWC)


def test_attention_is_torchs() -> None:
    own, torchs = SelfAttention(12, 4).double(), nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        torchs.in_proj_weight.copy_(own.qkv.weight)
        torchs.in_proj_bias.copy_(own.qkv.bias)
        torchs.out_proj.load_state_dict(own.proj.state_dict())
    tokens = noise(5, 7, 12).double()
    torch.testing.assert_close(own(tokens), torchs(tokens, tokens, tokens, need_weights=False)[0], rtol=0, atol=1e-12)


def test_conv_lstm_is_torchs_cell_at_each_pixel() -> None:
    """torch orders the gates i, f, g, o; RVT f, i, o, g."""
    own, cell = ConvLSTM(3).double(), nn.LSTMCell(3, 3, dtype=torch.float64)
    f, i, o, g = own.gates.weight[..., 0, 0].detach().chunk(4)
    bf, bi, bo, bg = own.gates.bias.detach().chunk(4)
    weight = torch.cat([i, f, g, o])
    with torch.no_grad():
        cell.weight_ih.copy_(weight[:, :3])
        cell.weight_hh.copy_(weight[:, 3:])
        cell.bias_ih.copy_(torch.cat([bi, bf, bg, bo]))
        cell.bias_hh.zero_()
    x_TNCHW = noise(4, 2, 3, 2, 2).double()
    out_TNCHW, state = own(x_TNCHW), None
    for t in range(4):
        state = cell(x_TNCHW[t].permute(0, 2, 3, 1).reshape(-1, 3), state)
        torch.testing.assert_close(out_TNCHW[t].permute(0, 2, 3, 1).reshape(-1, 3), state[0], rtol=0, atol=1e-12)


def test_layer_scale_starts_at_next_to_nothing() -> None:
    model = create_model("hsvt_tiny", in_channels=2, num_classes=5, image_size=8, time_steps=1, width=4)
    scales = [m for m in model.modules() if isinstance(m, LayerScale)]
    assert len(scales) == 16 and all((m.gamma == 1e-5).all() for m in scales)
    nn.init.ones_(scales[0].gamma)
    initialise(model, torch.Generator().manual_seed(0))
    assert (scales[0].gamma == 1e-5).all()


def test_a_block_is_two_residual_sums() -> None:
    """With both scales at 0 nothing is added; with the attention's at 0, MLP(LN x) is, and the partition does not matter."""
    block = AttentionBlock(4, d_head=2, partition=2, grid=True, feed_forward=lambda channels: nn.GELU())
    x_TNCHW = noise(2, 1, 4, 4, 4) - 1
    nn.init.zeros_(block.scale_attention.gamma)
    nn.init.zeros_(block.scale_feed_forward.gamma)
    assert torch.equal(block(x_TNCHW), x_TNCHW)
    nn.init.constant_(block.scale_feed_forward.gamma, 2.0)
    torch.testing.assert_close(block(x_TNCHW), x_TNCHW + 2 * nn.functional.gelu(x_TNCHW))


@pytest.mark.parametrize(("grid", "reaches"), [(False, {0, 1, 4, 5}), (True, {0, 2, 8, 10})])
def test_attention_reaches_its_group_only(grid: bool, reaches: set[int]) -> None:
    """Which of 4 x 4 tokens feel token 0."""
    block = AttentionBlock(4, d_head=2, partition=2, grid=grid, feed_forward=lambda channels: nn.Identity())
    nn.init.ones_(block.scale_attention.gamma)
    x_TNCHW, changed = noise(1, 1, 4, 4, 4), noise(1, 1, 4, 4, 4)
    changed[..., 0, 0] *= -3
    differ = (block(x_TNCHW) != block(changed)).any(2).flatten()
    assert set(differ.nonzero()[:, 0].tolist()) == reaches


def test_each_lstm_remembers() -> None:
    """The same frame twice, two answers, by the LSTM's state alone; its first axis is the sample."""
    cell, x_TNCHW = ConvLSTM(3), noise(1, 2, 3, 4, 4).repeat(2, 1, 1, 1, 1)
    out_TNCHW = cell(x_TNCHW)
    assert not torch.equal(out_TNCHW[0], out_TNCHW[1])
    assert torch.equal(cell.state.h, out_TNCHW[1]) and cell.state.c.shape == (2, 3, 4, 4)
    functional.reset_net(cell)
    assert cell.state.h is None and torch.equal(cell(x_TNCHW), out_TNCHW)
