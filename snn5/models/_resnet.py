"""The layout that SEW-ResNet and Spiking-ResNet share: He et al.'s residual networks, whatever joins a block's branch to its shortcut.

    stem conv-BN - SN (- pool) - stages of blocks, twice the channels and half the image from one to the next - mean over the image - linear

Two families. CIFAR: conv3x3 stem, 3 stages of n blocks, depth 6n + 2. ImageNet: conv7x7 stem with stride 2 and a max-pool of the spikes,
4 stages, basic blocks (depth 18, 34) or bottlenecks (50, 101, 152).
Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv 1512.03385.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of

EXPANSION = 4  # a bottleneck's block has 4 times the channels of its 3x3 convolution


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A published network.

    Attributes:
        blocks: residual blocks in each stage.
        width: channels of the stem and of the first stage's 3x3 convolutions.
        bottleneck: 1x1, 3x3, 1x1 convolutions in a branch instead of 3x3, 3x3.
        small_stem: conv3x3 instead of conv7x7 with stride 2 and a max-pool.
    """

    blocks: tuple[int, ...]
    width: int = 64
    bottleneck: bool = False
    small_stem: bool = False


# By depth: the number of layers with weights on the way from image to answer.
LAYOUTS = {
    **{6 * n + 2: Layout(blocks=(n, n, n), width=16, small_stem=True) for n in (1, 3, 9, 18)},
    18: Layout(blocks=(2, 2, 2, 2)),
    34: Layout(blocks=(3, 4, 6, 3)),
    50: Layout(blocks=(3, 4, 6, 3), bottleneck=True),
    101: Layout(blocks=(3, 4, 23, 3), bottleneck=True),
    152: Layout(blocks=(3, 8, 36, 3), bottleneck=True),
}


def branch_layers(n_in: int, n_out: int, *, stride: int, bottleneck: bool, neuron: MakeNeuron) -> list[nn.Module]:
    """The residual branch up to its last norm: conv-BN-SN-conv-BN, or conv-BN-SN-conv-BN-SN-conv-BN for a bottleneck.

    The first 3x3 convolution has the stride.
    """
    if not bottleneck:
        return [conv_norm(n_in, n_out, kernel=3, stride=stride), neuron(n_out), conv_norm(n_out, n_out, kernel=3)]
    hidden = n_out // EXPANSION
    return [
        conv_norm(n_in, hidden, kernel=1),
        neuron(hidden),
        conv_norm(hidden, hidden, kernel=3, stride=stride),
        neuron(hidden),
        conv_norm(hidden, n_out, kernel=1),
    ]


class ResNet(SpikingModel):
    """Stem, blocks and head.

    Args:
        layout: the published network.
        make_block: (n_in, n_out, stride=, bottleneck=, neuron=) -> a module on s_TNCHW.
        width: see `Layout`; None: the layout's. Stage i has 2^i times as many channels.
        small_stem: see `Layout`; None: the layout's. True suits an ImageNet layout to images of 32 pixels or so.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        make_block: Callable[..., nn.Module],
        width: int | None,
        small_stem: bool | None,
        neuron: str,
        neuron_args: dict[str, Any] | None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        width = layout.width if width is None else width
        whole_numbers(width=width)
        small = layout.small_stem if small_stem is None else small_stem
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = conv_norm(self.in_channels, width, kernel=3) if small else conv_norm(self.in_channels, width, kernel=7, stride=2)
        self.stem_neuron = make_neuron(width)
        self.stem_pool = nn.Identity() if small else layer.MaxPool2d(3, 2, 1, step_mode="m")
        blocks, channels = [], width
        for stage, count in enumerate(layout.blocks):
            for block in range(count):
                out = width * 2**stage * (EXPANSION if layout.bottleneck else 1)
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(make_block(channels, out, stride=stride, bottleneck=layout.bottleneck, neuron=make_neuron))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = layer.Linear(channels, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv-BN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, pool, blocks, global average pooling, one linear layer per step."""
        s_TNCHW = self.blocks(self.stem_pool(self.stem_neuron(current_TNCHW)))
        return self.head(s_TNCHW.mean((-2, -1)))
