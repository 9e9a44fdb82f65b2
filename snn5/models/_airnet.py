"""Spiking AirNet: a small plain convolutional network that learns small images in minutes, after Keller Jordan's airbench, with spikes.

    stem      whitening conv2x2 (fixed) - conv3x3-BN             real numbers; once per static image
    block 1   SN - pool - conv3x3-BN - SN                        width channels
    block 2   conv3x3-BN - SN - pool - conv3x3-BN - SN           4 x width channels
    block 3   the same                                           4 x width channels
    head      mean over what is left of the image - linear       real numbers

With `shortcut`, blocks 2 and 3 hand their first current past their first neuron, as membrane shortcuts do:

    u = BN(conv(s))        block(s) = SN( BN(conv(pool(SN(u)))) + mean(u over 2x2) )

It is a current, so the convolutions still see zeros and ones; there is no parameter more.

Pools are 2x2, stride 2, of spikes: a logical OR, so every convolution behind the stem sees zeros and ones. An image of 32 x 32 pixels
passes as 31, 15, 7 and 3. The whitening makes the pixels of a patch uncorrelated and of equal spread (see `whitening`); `whiten` measures
it on training images before the first step, and it does not learn. The image is padded before it, so both convolutions of the stem are
together one of 4x4 with padding 1, which costs less than half as much:

    W[o,c,y,x] = sum over m, i, j of W_3x3[o,m,i,j] W_whiten[m,c,y-i,x-j]

`joined` makes a network with that one convolution (see `snn5.compression.join_stem`); it is for a network that has been trained.

The neuron meant is `lif` with neuron_args={"decay_input": False, "surrogate": "triangle"} (tau 2: V <- V/2 + X), reset to 0.

Source: Jordan, 94 % on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024, arXiv 2404.00498 (layout, whitening, widths; there: GELU, pools of
currents). The fixed whitening layer is from Page, How to Train Your ResNet, 2019. Shortcuts of currents: Hu et al., Advancing Spiking
Neural Networks Toward Deep Residual Learning, 2021, arXiv 2112.08954 (MS-ResNet); where they lie here is ours.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of
from snn5.models._spike_pool import OrPool2d
from snn5.models._whitening import FixedConv2d, whitening

PATCH = 2  # side of the whitening's kernel, in pixels


class AirNet(SpikingModel):
    """Six 3x3 convolutions, 1 965 578 parameters for CIFAR-10, those of the neurons apart; the whitening's 144 numbers are a buffer.

    Args:
        width: channels of the first block; the others have 4 times as many.
        shortcut: currents pass the first neuron of blocks 2 and 3.
        joined: the stem is one convolution of 4x4, which learns like any other; its parameters are 3072 instead of 6912.
        neuron, neuron_args: the neuron's registered name and its arguments.

    Raises:
        UserError: an image that is too small for three pools.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        shortcut: bool = False,
        joined: bool = False,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        whole_numbers(width=width)
        if self.image_size < 9:
            raise UserError(f"image_size={self.image_size}; need at least 9 pixels, which three pools leave as one")
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        patch = self.in_channels * PATCH**2
        self.joined = joined
        convs = (
            [layer.Conv2d(self.in_channels, width, PATCH + 2, padding=1, bias=False, step_mode="m")]
            if joined
            else [FixedConv2d(self.in_channels, patch, PATCH, padding=1), layer.Conv2d(patch, width, 3, bias=False, step_mode="m")]
        )
        self.stem_conv = nn.Sequential(*convs, layer.BatchNorm2d(width, step_mode="m"))
        pool = pool_of(neuron)
        first = nn.Sequential(make_neuron(width), pool(), conv_norm(width, width, kernel=3), make_neuron(width))
        make = shortcut_block if shortcut else block
        self.blocks = nn.Sequential(first, make(width, 4 * width, make_neuron, pool), make(4 * width, 4 * width, make_neuron, pool))
        self.head = layer.Linear(4 * width, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """Whitening, conv3x3, BN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Blocks, mean over the image, one linear layer per step."""
        return self.head(self.blocks(current_TNCHW).mean((-2, -1)))

    @torch.no_grad()
    def after_initialise(self) -> None:
        """Each 3x3 convolution starts by handing its inputs on (its other filters, if it has more, are random), so that the first layers
        learn from the first step; until `whiten` is called each whitening filter hands one pixel of its patch on."""
        for module in self.modules():
            if isinstance(module, layer.Conv2d) and not isinstance(module, FixedConv2d):
                nn.init.dirac_(module.weight[: module.in_channels])
        if not self.joined:
            self._whitening.weight.copy_(torch.eye(len(self._whitening.weight)).reshape(self._whitening.weight.shape))

    @torch.no_grad()
    def whiten(self, x_TNCHW: Tensor) -> None:
        """Measure the whitening on training images, float, scaled as the network will see them.

        Raises:
            UserError: the stem is joined.
        """
        if self.joined:
            raise UserError("spiking_airnet with joined=True has no whitening; train it with joined=False, then use compression.join_stem")
        self._whitening.weight.copy_(whitening(x_TNCHW.flatten(0, 1), PATCH))

    @torch.no_grad()
    def joined_state(self) -> dict[str, Tensor]:
        """The state of the same network with `joined`, its stem's weights summed in float64; of a joined one its own."""
        if self.joined:
            return self.state_dict()
        inner, outer = self._whitening.weight.double(), self.stem_conv[1].get_parameter("weight").double()
        side = PATCH + 2
        weight = inner.new_zeros(len(outer), self.in_channels, side, side)
        for y in range(3):
            for x in range(3):
                weight[:, :, y : y + PATCH, x : x + PATCH] += torch.einsum("om,mcij->ocij", outer[:, :, y, x], inner)
        rest = {name: value for name, value in self.state_dict().items() if not name.startswith("stem_conv.")}
        norm = {f"stem_conv.1.{name}": value for name, value in self.stem_conv[2].state_dict().items()}
        return {"stem_conv.0.weight": weight.to(self._whitening.weight.dtype), **norm, **rest}

    @property
    def _whitening(self) -> FixedConv2d:
        return cast(FixedConv2d, self.stem_conv[0])


def block(n_in: int, n_out: int, neuron: MakeNeuron, pool: Callable[[], nn.Module]) -> nn.Sequential:
    """conv-BN-SN-pool-conv-BN-SN: s_TNCHW -> s_TN(n_out)(H // 2)(W // 2)."""
    return nn.Sequential(conv_norm(n_in, n_out, kernel=3), neuron(n_out), pool(), conv_norm(n_out, n_out, kernel=3), neuron(n_out))


class _WithShortcut(nn.Sequential):
    """The parts of `block`, and the mean that takes the shortcut."""

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """SN(w + mean(u)), u and w the two convolutions' currents."""
        first, neuron, pool, second, last, mean = self
        u = first(s_TNCHW)
        return cast(Tensor, last(second(pool(neuron(u))) + mean(u)))


def shortcut_block(n_in: int, n_out: int, neuron: MakeNeuron, pool: Callable[[], nn.Module]) -> nn.Sequential:
    """`block` with its shortcut; the same parameters by the same names."""
    return _WithShortcut(*block(n_in, n_out, neuron, pool), layer.AvgPool2d(2, step_mode="m"))


def pool_of(neuron: str) -> Callable[[], nn.Module]:
    """OR for spikes, the maximum for the real numbers of an ANN."""
    return partial(layer.MaxPool2d, 2, step_mode="m") if neuron == "relu" else partial(OrPool2d, 2)


MODELS: dict[str, Callable[..., SpikingModel]] = {"spiking_airnet": AirNet}
