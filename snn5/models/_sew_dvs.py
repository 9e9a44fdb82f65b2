"""7B-Net and Wide-7B-Net (P1.1): seven SEW blocks for event cameras, made for 128 x 128 pixels.

    stage:  conv1x1-BN-SN where the channels change - SEW block - max-pool 2x2          seven times, 128 -> 1 pixel
    head:   flatten, linear; per step

The first stage's conv1x1-BN is the stem. The published neuron is `plif` with tau 2, T = 16.
Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, arXiv 2102.04159.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import conv_norm, neurons_of
from snn5.models._sew_block import SEWBlock

STAGES = 7


class SEWDVSNet(SpikingModel):
    """With PLIF, 2 input channels and 128 pixels: `sew_7b` 130 426 parameters (11 classes), `sew_wide_7b` 1 192 218 (10 classes).

    An image of n pixels is halved floor(log2 n) times, at most seven. Where it is fewer, the last stages pool, so that the first ones see
    the whole image and the last one still has a few pixels to work on. From 256 pixels on, what is left is flattened: a larger head.

    Args:
        published: channels of the seven stages.
        width: channels of the first stage; the others keep their ratio to it. None: as published.
        connect: `add`, `and` or `iand`.
        zero_init: every block starts as the identity.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(
        self,
        *,
        published: tuple[int, ...],
        width: int | None = None,
        connect: str = "add",
        zero_init: bool = False,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        width = published[0] if width is None else width
        whole_numbers(width=width)
        self.zero_init = zero_init
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = conv_norm(self.in_channels, width, kernel=1)
        self.stem_neuron = make_neuron(width)
        pools = min(STAGES, self.image_size.bit_length() - 1)
        stages: list[nn.Module] = []
        channels, pixels = width, self.image_size
        for stage in range(STAGES):
            out = width * published[stage] // published[0]
            if out != channels:
                stages += [conv_norm(channels, out, kernel=1), make_neuron(out)]
            stages.append(SEWBlock(out, out, stride=1, connect=connect, neuron=make_neuron))
            if stage >= STAGES - pools:
                stages.append(layer.MaxPool2d(2, step_mode="m"))
                pixels //= 2
            channels = out
        self.stages = nn.Sequential(*stages)
        self.head = layer.Linear(channels * pixels**2, self.num_classes, step_mode="m")
        self.after_initialise()

    def after_initialise(self) -> None:
        """Identity blocks, if asked for."""
        for block in self.stages if self.zero_init else ():
            if isinstance(block, SEWBlock):
                block.start_as_identity(self.time_steps)

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv1x1-BN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, stages, one linear layer per step."""
        s_TNCHW = self.stages(self.stem_neuron(current_TNCHW))
        return self.head(s_TNCHW.flatten(2))


MODELS: dict[str, Callable[..., SpikingModel]] = {
    "sew_7b": partial(SEWDVSNet, published=(32,) * 7),
    "sew_wide_7b": partial(SEWDVSNet, published=(64,) * 4 + (128,) * 3),
}
