"""STAA-SNN (P1.4), the project's reconstruction: ResNet-19 whose residual blocks end in attention around their neuron.

ResNet-19 is conv3x3-tdBN-SN (128 channels), then 3, 3 and 2 blocks of 128, 256 and 512 channels with stride 1, 2 and 2,

    O = SN(tdBN(Conv(SN(tdBN(Conv(S))))) + W S)         W: identity, or conv1x1-tdBN where the shape changes

mean over the image, linear-tdBN-SN (256) and the linear head: 19 layers with weights. Neurons fire at 1/2, as in ResNet-19's paper, so that
the spike of an identity (half of which a neuron with decay_input takes) fires the neuron of the sum. The SN behind each sum is a
`STAANeuron`, the others are plain; STAA's paper does not say which it means. Its neuron is `neuron="adaptive_lif"`,
`neuron_args={"surrogate": "rectangle"}`.

Source: Zhang et al., STAA-SNN, CVPR 2025, arXiv 2503.02689 (no code published); ResNet-19: Zheng et al., Going Deeper With Directly-Trained
Larger Spiking Neural Networks, AAAI 2021, arXiv 2011.05280.
"""

from collections.abc import Callable
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models._base import SpikingModel
from snn5.models._checks import all_steps_at_once, whole_numbers
from snn5.models._parts import neurons_of
from snn5.models._residual import PostSumBlock
from snn5.models._staa import STAANeuron, StepAttention
from snn5.models._threshold_norm import SUMMAND, conv_threshold_norm, firing_current

V_THRESHOLD = 0.5
STAGES = ((3, 1, 1), (3, 2, 2), (2, 2, 4))  # blocks, stride of the first, width


class STAAResNet19(SpikingModel):
    """ResNet-19 with spatial-temporal attention, or the plain ResNet-19.

    Args:
        width: channels of stem and first stage; the others have 2x and 4x, the hidden linear layer 2x.
        attention: False for the plain backbone, which is causal.
        bypass: beta of TSRD, 0..1; more than 0.3 hurts, the paper says.
        neuron, neuron_args: the neuron's registered name and its arguments, `v_threshold` 0.5 if not said otherwise.

    With attention not causal: step attention sees all T steps at once, so it cannot run step by step, and another T needs a new model.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        attention: bool = True,
        bypass: float = 0.1,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        whole_numbers(width=width)
        if not 0.0 <= bypass <= 1.0:
            raise UserError(f"bypass={bypass}; need a probability from 0 to 1")
        arguments = {"v_threshold": V_THRESHOLD, **(neuron_args or {})}
        make_neuron, self.current = neurons_of(neuron, self.time_steps, arguments), firing_current(neuron, arguments)
        self.causal = not attention

        def block(n_in: int, n_out: int, stride: int, size: int) -> PostSumBlock:
            part = self.current * SUMMAND
            branch = nn.Sequential(
                conv_threshold_norm(n_in, n_out, kernel=3, stride=stride, scale=self.current),
                make_neuron(n_out),
                conv_threshold_norm(n_out, n_out, kernel=3, scale=part),
            )
            changes = stride != 1 or n_in != n_out
            shortcut = conv_threshold_norm(n_in, n_out, kernel=1, stride=stride, scale=part) if changes else nn.Identity()
            last = make_neuron(n_out)
            return PostSumBlock(branch, shortcut, STAANeuron(n_out, size, self.time_steps, last, bypass=bypass) if attention else last)

        self.stem_conv = conv_threshold_norm(self.in_channels, width, kernel=3, scale=self.current)
        self.stem_neuron = make_neuron(width)
        blocks, channels, size = [], width, self.image_size
        for count, first_stride, factor in STAGES:
            for number in range(count):
                stride = first_stride if number == 0 else 1
                size = -(-size // stride)
                blocks.append(block(channels, width * factor, stride, size))
                channels = width * factor
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Sequential(
            layer.Linear(channels, 2 * width, bias=False, step_mode="m"),
            layer.BatchNorm1d(2 * width, step_mode="m"),
            make_neuron(2 * width),
        )
        self.head = layer.Linear(2 * width, self.num_classes, step_mode="m")
        self.after_initialise()

    def after_initialise(self) -> None:
        """Step attention starts alive; the hidden layer's norm starts as wide as the others."""
        nn.init.constant_(self.hidden[1].weight, self.current)
        for module in self.modules():
            if isinstance(module, StepAttention):
                module.start_alive()

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv3x3-tdBN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, blocks, global average pooling, two linear layers per step.

        Raises:
            UserError: with attention, another number of steps than T.
        """
        if not self.causal:
            all_steps_at_once("STAA", current_TNCHW, self.time_steps)
        x_TNCHW = self.blocks(self.stem_neuron(current_TNCHW))
        return self.head(self.hidden(x_TNCHW.mean((-2, -1))))


MODELS: dict[str, Callable[..., SpikingModel]] = {"staa_resnet19": STAAResNet19}
