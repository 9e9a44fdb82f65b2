"""MS-ResNet-18 for small images: residual connections between membranes, the backbone of DTA-SNN.

A stream of real numbers x runs through the network; a block reads spikes off it and adds its own current to it:

    x <- W x + BN(Conv(SN(BN(Conv(SN(x))))))        W: identity, or conv1x1-BN where the shape changes

so every 3x3 convolution behind the stem sees spikes; the stem, the shortcuts' 1x1 convolutions and the head see real numbers.
Stem conv3x3-BN (64 channels), then 3, 3 and 2 blocks of 128, 256 and 512 channels with stride 1, 2 and 2, SN, mean over the image, linear.

Source: Hu et al., Advancing Spiking Neural Networks towards Deep Residual Learning, arXiv 2112.08954 (the membrane shortcut); the layout is
that of Kim et al., DTA-SNN, WACV 2025, arXiv 2503.10052. Their neuron, mem <- mem/2 + x, is
neuron="lif", neuron_args={"decay_input": False, "detach_reset": False, "surrogate": "triangle"}; they fire at mem > 1, here mem >= 1.
"""

from collections.abc import Callable
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of

STAGES = ((3, 1), (3, 2), (2, 2))  # blocks, stride of the first


class MSBlock(nn.Module):
    """W x + two times SN-conv3x3-BN.

    Shape: x_TNCHW -> x_TN(C_out)(H/stride)(W/stride), real numbers both.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, neuron: MakeNeuron) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            neuron(n_in), conv_norm(n_in, n_out, kernel=3, stride=stride), neuron(n_out), conv_norm(n_out, n_out, kernel=3)
        )
        changes = stride != 1 or n_in != n_out
        self.shortcut = conv_norm(n_in, n_out, kernel=1, stride=stride) if changes else nn.Identity()

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """W x + F(x)."""
        return self.shortcut(x_TNCHW) + self.branch(x_TNCHW)


class MSResNet18(SpikingModel):
    """MS-ResNet-18: 12 502 090 parameters for CIFAR-10, those of the neurons apart.

    Args:
        width: channels of the stem; the stages have 2x, 4x and 8x.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(self, *, width: int = 64, neuron: str = "plif", neuron_args: dict[str, Any] | None = None, **shape: int) -> None:
        super().__init__(**shape)
        whole_numbers(width=width)
        self.make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = conv_norm(self.in_channels, width, kernel=3)
        blocks, channels = [], width
        for stage, (count, stride) in enumerate(STAGES):
            for block in range(count):
                out = width * 2 ** (stage + 1)
                blocks.append(MSBlock(channels, out, stride=stride if block == 0 else 1, neuron=self.make_neuron))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.last_neuron = self.make_neuron(channels)
        self.head = layer.Linear(channels, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv3x3-BN: the stream's first value."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Blocks, neurons, global average pooling, one linear layer per step."""
        s_TNCHW = self.last_neuron(self.blocks(current_TNCHW))
        return self.head(s_TNCHW.mean((-2, -1)))


MODELS: dict[str, Callable[..., SpikingModel]] = {"ms_resnet18": MSResNet18}
