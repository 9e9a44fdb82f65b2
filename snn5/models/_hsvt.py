"""HsVT-SNN5 (P1.3): a hybrid spiking vision transformer, reconstructed by this project. It is not the published network.

The published text says: four stages, spatial features by convolution and block and grid self-attention (an ANN), temporal features by a
spiking cell (STFE) or an LSTM. The stages here are exactly those of RVT, its base; STFE's equations and which stage has which cell are this
project's.

    stage:  conv (kernel 2 s - 1, stride s) - LN  ->  block attention, grid attention  ->  temporal cell
    head:   mean over the image, linear; per step

The spatial part is real-valued, its energy is that of multiplications: a hybrid, never to be called spike-only. Only temporal cells (and
spiking feed-forward layers) carry state. An ANN twin keeps the stages' LSTMs, which with T = 1 see one step and remember nothing.

Source: Xu et al., Hybrid Spiking Vision Transformer for Object Detection with Event Cameras, ICML 2025, arXiv 2505.07715 (no code
published); Gehrig & Scaramuzza, Recurrent Vision Transformers, CVPR 2023, arXiv 2212.05598.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import torch.nn.functional as F
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError, unknown
from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._hsvt_attention import MLP, AttentionBlock, MakeFeedForward, spiking_mlp
from snn5.models._hsvt_temporal import STFE, ConvLSTM
from snn5.models._parts import neurons_of

SIZES = {"tiny": (32, 32), "small": (48, 24), "base": (64, 32)}  # width, d_head
CELLS, FEED_FORWARDS = ("stfe", "lstm"), ("ann", "snn")


class DownSample(nn.Module):
    """Overlapping convolution without bias, then layer norm over the channels: 1/s of the size, rounded up.

    Shape: x_TNCHW -> x_TN(C_out)(H/s)(W/s).
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        kernel = 2 * (stride - 1) + 1
        self.conv = layer.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False, step_mode="m")
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """LN(Conv x)."""
        # Contiguous as behind an AttentionBlock, and for its reason.
        return self.norm(self.conv(x_TNCHW).movedim(2, -1)).movedim(-1, 2).contiguous()


class Stage(nn.Module):
    """Down-sampling, `depth` pairs of block and grid attention, a temporal cell.

    Shape: x_TNCHW -> y_TN(C_out)(H/s)(W/s).
    """

    def __init__(
        self, n_in: int, n_out: int, *, stride: int, depth: int, d_head: int, partition: int, feed_forward: MakeFeedForward, cell: nn.Module
    ) -> None:
        super().__init__()
        self.down = DownSample(n_in, n_out, stride)
        make = partial(AttentionBlock, n_out, d_head=d_head, partition=partition, feed_forward=feed_forward)
        # The stream is fresh from DownSample's norm in the first block.
        self.attention = nn.Sequential(*(make(grid=grid, norm=grid or pair > 0) for pair in range(depth) for grid in (False, True)))
        self.cell = cell

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """All three."""
        return self.cell(self.attention(self.down(x_TNCHW)))


class HsVT(SpikingModel):
    """HsVT-SNN5 for classification.

    Args:
        size: `tiny`, `small` or `base`: width 32, 48 or 64, d_head 32, 24 or 32.
        width: channels C of the first stage; the others have 2x, 4x and 8x. None: the size's.
        strides: of the four stages; the input is padded with zeros at the right and at the bottom to a multiple of their product, as RVT
            does. (2, 2, 1, 1) suits images of 8 pixels, (2, 2, 2, 1) of 16, (2, 2, 2, 2) of 34, (4, 2, 2, 2) of 64 and more. A first stride
            of 1 means a 1 x 1 kernel, behind which the layer norm takes a pixel's brightness away.
        partition: p of the four stages. None: the largest divisor of the stage's size (padded) up to 4 or, in images above 128 pixels, up
            to the last stage's size, which is RVT's rule. Where p = 1, a token attends to itself only.
        temporal: of the four stages, `stfe` or `lstm`.
        feed_forward: `ann` (MLP with GELU) or `snn` (Spikingformer's, with neurons).
        d_head: channels of an attention head, divides every stage's C. None: the largest divisor of C up to the size's.
        depth: pairs of block and grid attention in each stage.
        neuron, neuron_args: the neuron's registered name and its arguments.

    Raises:
        UserError: an unknown word; a partition, d_head or stride that does not fit, naming what does.
    """

    def __init__(
        self,
        *,
        size: str,
        width: int | None = None,
        strides: Sequence[int] = (4, 2, 2, 2),
        partition: Sequence[int] | None = None,
        temporal: Sequence[str] = ("stfe", "stfe", "stfe", "lstm"),
        feed_forward: str = "ann",
        d_head: int | None = None,
        depth: int = 1,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        width = SIZES[size][0] if width is None else width
        whole_numbers(width=width, depth=depth, **({} if d_head is None else {"d_head": d_head}))
        _four(strides=strides, temporal=temporal, **({} if partition is None else {"partition": partition}))
        for stride in strides:
            whole_numbers(stride=stride)
        for word in temporal:
            if word not in CELLS:
                raise unknown("temporal cell", word, CELLS)
        if feed_forward not in FEED_FORWARDS:
            raise unknown("feed_forward", feed_forward, FEED_FORWARDS)
        self.feed_forward = feed_forward
        self.padding = -self.image_size % prod(strides)
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        make_feed_forward: MakeFeedForward = MLP if feed_forward == "ann" else partial(spiking_mlp, make_neuron=make_neuron)
        features = [(self.image_size + self.padding) // prod(strides[: stage + 1]) for stage in range(4)]
        stages, channels = [], self.in_channels
        for stage, n in enumerate(features):
            out = width * 2**stage
            stages.append(
                Stage(
                    channels,
                    out,
                    stride=strides[stage],
                    depth=depth,
                    d_head=_largest_divisor(out, SIZES[size][1]) if d_head is None else _divides(stage, out, d_head),
                    partition=_largest_divisor(n, max(4, features[-1])) if partition is None else _fits(stage, n, partition[stage]),
                    feed_forward=make_feed_forward,
                    cell=STFE(out, make_neuron) if temporal[stage] == "stfe" else ConvLSTM(out),
                )
            )
            channels = out
        self.stages = nn.ModuleList(stages)
        self.head = layer.Linear(channels, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """All before the first state: the first stage's down-sampling and, if its feed-forward layers do not spike, its attention."""
        first = self.stages[0]
        x_TNCHW = first.down(F.pad(x_TNCHW, (0, self.padding, 0, self.padding)))
        return first.attention(x_TNCHW) if self.feed_forward == "ann" else x_TNCHW

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """The rest of the first stage, the other stages, global average pooling, one linear layer per step."""
        first = self.stages[0]
        x_TNCHW = first.cell(current_TNCHW if self.feed_forward == "ann" else first.attention(current_TNCHW))
        for stage in self.stages[1:]:
            x_TNCHW = stage(x_TNCHW)
        return self.head(x_TNCHW.mean((-2, -1)))


def _four(**values: Sequence[Any]) -> None:
    for name, value in values.items():
        if isinstance(value, str) or len(value) != 4:
            raise UserError(f"{name}={value!r}; need four values, one for each stage")


def _largest_divisor(n: int, limit: int) -> int:
    return max(p for p in range(1, min(n, limit) + 1) if n % p == 0)


def _fits(stage: int, n: int, p: int) -> int:
    if not isinstance(p, int) or p < 1 or n % p:
        fitting = ", ".join(str(d) for d in range(1, n + 1) if n % d == 0)
        raise UserError(f"partition={p!r} of stage {stage + 1}; its {n} x {n} features take {fitting}")
    return p


def _divides(stage: int, channels: int, d_head: int) -> int:
    if channels % d_head:
        raise UserError(
            f"d_head={d_head} does not divide the {channels} channels of stage {stage + 1}; choose one that does, or another width"
        )
    return d_head


MODELS: dict[str, Callable[..., SpikingModel]] = {f"hsvt_{size}": partial(HsVT, size=size) for size in SIZES}
