"""Spatial part of HsVT: window and grid self-attention as in RVT, on real numbers, each step by itself.

    x <- x + LS MHSA(LN x)        within windows of p x p neighbours (block), or among p x p tokens spread over the image (grid)
    x <- x + LS MLP(LN x)         MLP: linear to 4 C, GELU, linear to C;  LS: one factor per channel, 1e-5 at the start

or, with feed_forward="snn", in place of LS MLP(LN x) the convolutional one of Spikingformer, LS BN(Conv(SN(BN(Conv(SN x))))).

Source: Gehrig & Scaramuzza, Recurrent Vision Transformers, CVPR 2023, arXiv 2212.05598; Tu et al., MaxViT, ECCV 2022, arXiv 2204.01697.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.models._parts import MakeNeuron, MatMul, conv_norm

EXPANSION = 4
MakeFeedForward = Callable[[int], nn.Module]
"""channels -> a module on x_TNCHW."""


def block_partition(x_BHWC: Tensor, p: int) -> Tensor:
    """Windows of p x p neighbours: -> [B (H/p) (W/p), p p, C]. H and W are multiples of p."""
    b, h, w, c = x_BHWC.shape
    return x_BHWC.view(b, h // p, p, w // p, p, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, p * p, c)


def block_reverse(tokens: Tensor, p: int, h: int, w: int) -> Tensor:
    """Back from `block_partition`: -> x_BHWC."""
    return tokens.view(-1, h // p, w // p, p, p, tokens.shape[-1]).permute(0, 1, 3, 2, 4, 5).reshape(-1, h, w, tokens.shape[-1])


def grid_partition(x_BHWC: Tensor, p: int) -> Tensor:
    """Groups of p x p tokens, H/p and W/p pixels apart: -> [B (H/p) (W/p), p p, C]. H and W are multiples of p."""
    b, h, w, c = x_BHWC.shape
    return x_BHWC.view(b, p, h // p, p, w // p, c).permute(0, 2, 4, 1, 3, 5).reshape(-1, p * p, c)


def grid_reverse(tokens: Tensor, p: int, h: int, w: int) -> Tensor:
    """Back from `grid_partition`: -> x_BHWC."""
    return tokens.view(-1, h // p, w // p, p, p, tokens.shape[-1]).permute(0, 3, 1, 4, 2, 5).reshape(-1, h, w, tokens.shape[-1])


class LayerScale(nn.Module):
    """gamma x, one gamma per channel (the last axis), 1e-5 at the start: attention grows in from nothing."""

    START = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """1e-5 again (nothing is drawn)."""
        self.gamma.fill_(self.START)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> the same."""
        return self.gamma * x


class SelfAttention(nn.Module):
    """Multi-head attention, softmax(q k' / sqrt(d)) v, with biases: 4 C^2 + 4 C parameters.

    Args:
        channels: C. d_head: d, divides C.

    Shape: tokens [B, L, C] -> the same.
    """

    def __init__(self, channels: int, d_head: int) -> None:
        super().__init__()
        self.d_head = d_head
        self.qkv = nn.Linear(channels, 3 * channels)
        self.scores, self.mix = MatMul(), MatMul()
        self.proj = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """softmax(q k' / sqrt(d)) v, heads side by side, projected."""
        q, k, v = self.qkv(tokens).unflatten(-1, (3, -1, self.d_head)).permute(2, 0, 3, 1, 4)
        weights = self.scores(q * self.d_head**-0.5, k.mT).softmax(-1)
        return self.proj(self.mix(weights, v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """MLP(LN x) of tokens: 8 C^2 + 7 C parameters with the norm.

    Shape: x_TNCHW -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, EXPANSION * channels)
        self.shrink = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Linear, GELU, linear."""
        x_TNHWC = self.norm(x_TNCHW.movedim(2, -1))
        return self.shrink(F.gelu(self.expand(x_TNHWC))).movedim(-1, 2)


def spiking_mlp(channels: int, make_neuron: MakeNeuron) -> nn.Sequential:
    """BN(Conv(SN(BN(Conv(SN x))))) with 1x1 convolutions to 4 C and back: x_TNCHW -> the same.

    Neurons fire at 1/2 if not told otherwise: of x, which layer norm spread by 1, one with decay_input takes half, and at 1 hardly fires.
    """
    wide = EXPANSION * channels
    return nn.Sequential(
        make_neuron(channels, v_threshold=0.5),
        conv_norm(channels, wide, kernel=1),
        make_neuron(wide, v_threshold=0.5),
        conv_norm(wide, channels, kernel=1),
    )


class AttentionBlock(nn.Module):
    """Attention in p x p windows (or on p x p grids), then feed forward, each added to the stream.

    Args:
        channels: C. d_head: channels of a head. partition: p, divides H and W.
        grid: spread the tokens of a group over the image.
        feed_forward: makes what stands for MLP(LN x).
        norm: False where the stream was normed just before.

    Shape: x_TNCHW -> the same.
    """

    def __init__(self, channels: int, *, d_head: int, partition: int, grid: bool, feed_forward: MakeFeedForward, norm: bool = True) -> None:
        super().__init__()
        self.partition, self.grid = partition, grid
        self.norm = nn.LayerNorm(channels) if norm else nn.Identity()
        self.attention = SelfAttention(channels, d_head)
        self.scale_attention = LayerScale(channels)
        self.feed_forward = feed_forward(channels)
        self.scale_feed_forward = LayerScale(channels)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Both residual sums."""
        attended_TNHWC = self.scale_attention(self._attend(self.norm(x_TNCHW.movedim(2, -1))))
        x_TNCHW = x_TNCHW + attended_TNHWC.movedim(-1, 2)
        # Laid out as a convolution expects, which makes its result independent of how many steps come at once, to the last bit.
        return (x_TNCHW + self.scale_feed_forward(self.feed_forward(x_TNCHW).movedim(2, -1)).movedim(-1, 2)).contiguous()

    def _attend(self, x_TNHWC: Tensor) -> Tensor:
        t, n, h, w, _ = x_TNHWC.shape
        split, join = (grid_partition, grid_reverse) if self.grid else (block_partition, block_reverse)
        tokens = split(x_TNHWC.flatten(0, 1), self.partition)
        return join(self.attention(tokens), self.partition, h, w).unflatten(0, (t, n))
