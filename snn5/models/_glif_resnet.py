"""GLIF-ResNet-18 (P2.2): the CIFAR ResNet-18 that GLIF was published with, for any neuron.

conv3x3-tdBN-SN (64 channels), four stages of two blocks (64, 128, 256, 512 channels; stride 1, 2, 2, 2), mean over the image, linear.

    O = SN(tdBN(Conv(SN(tdBN(Conv(S))))) + tdBN(W S))       W: identity, or conv1x1 where the shape changes

The identity passes a norm, too; tdBN starts as wide as the threshold is high.

The published network is `neuron="glif"` (V_th 0.5); GLIF then adds 3904 (7 + T) parameters. Other neurons make it their own baseline.

Source: Yao et al., GLIF: A Unified Gated Leaky Integrate-and-Fire Neuron, NeurIPS 2022, arXiv 2210.13768.
"""

from collections.abc import Callable
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import neurons_of
from snn5.models._residual import PostSumBlock
from snn5.models._threshold_norm import SUMMAND, ThresholdNorm, conv_threshold_norm, firing_current


class GLIFResNet18(SpikingModel):
    """ResNet-18 with a norm on every path and neurons behind the sums.

    Args:
        width: channels of stem and first stage; the others have 2x, 4x and 8x.
        neuron, neuron_args: the neuron's registered name and its arguments; `glif` is the published one.
    """

    def __init__(self, *, width: int = 64, neuron: str = "plif", neuron_args: dict[str, Any] | None = None, **shape: int) -> None:
        super().__init__(**shape)
        whole_numbers(width=width)
        make_neuron, current = neurons_of(neuron, self.time_steps, neuron_args), firing_current(neuron, neuron_args)

        def block(n_in: int, n_out: int, stride: int) -> PostSumBlock:
            branch = nn.Sequential(
                conv_threshold_norm(n_in, n_out, kernel=3, stride=stride, scale=current),
                make_neuron(n_out),
                conv_threshold_norm(n_out, n_out, kernel=3, scale=current * SUMMAND),
            )
            if stride != 1 or n_in != n_out:
                shortcut: nn.Module = conv_threshold_norm(n_in, n_out, kernel=1, stride=stride, scale=current * SUMMAND)
            else:
                shortcut = ThresholdNorm(n_out, current * SUMMAND)
            return PostSumBlock(branch, shortcut, make_neuron(n_out))

        self.stem_conv = conv_threshold_norm(self.in_channels, width, kernel=3, scale=current)
        self.stem_neuron = make_neuron(width)
        blocks, channels = [], width
        for stage in range(4):
            for number in range(2):
                out = width * 2**stage
                blocks.append(block(channels, out, 2 if stage > 0 and number == 0 else 1))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = layer.Linear(channels, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv3x3-tdBN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, blocks, global average pooling, one linear layer per step."""
        s_TNCHW = self.blocks(self.stem_neuron(current_TNCHW))
        return self.head(s_TNCHW.mean((-2, -1)))


MODELS: dict[str, Callable[..., SpikingModel]] = {"glif_resnet18": GLIFResNet18}
