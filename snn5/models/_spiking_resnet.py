"""Spiking-ResNet: the plain baseline that gets worse with depth, in the layouts of SEW-ResNet.

    O = SN(BN(Conv(SN(BN(Conv(S))))) + W S)       W: identity, or conv1x1-BN where the shape changes, without a neuron

Its gradient is multiplied by the surrogate of every block's outer neuron; ImageNet accuracy falls from 62.3 % (18) to 10.0 % (152) where
SEW-ResNet's rises from 63.2 % to 69.3 % (best epochs on the test set, as published).

With a silent branch a block is SN(S) = S for integrate-and-fire neurons, so zero_init goes with the published neuron `if`. A neuron that
divides its input by tau = 2 never fires at spikes alone (its potential stays below 1), and a network of such blocks starts silent: with
`lif` or `plif` set zero_init=False, or neuron_args={"decay_input": False}.

Source: the baseline of Fang et al., NeurIPS 2021, arXiv 2102.04159.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from snn5.models._base import SpikingModel
from snn5.models._parts import MakeNeuron, conv_norm
from snn5.models._residual import PostSumBlock
from snn5.models._resnet import LAYOUTS, Layout, ResNet, branch_layers


def plain_block(n_in: int, n_out: int, *, stride: int, bottleneck: bool, neuron: MakeNeuron) -> PostSumBlock:
    """Branch, shortcut and the neuron behind their sum."""
    branch = nn.Sequential(*branch_layers(n_in, n_out, stride=stride, bottleneck=bottleneck, neuron=neuron))
    changes = stride != 1 or n_in != n_out
    return PostSumBlock(branch, conv_norm(n_in, n_out, kernel=1, stride=stride) if changes else nn.Identity(), neuron(n_out))


class SpikingResNet(ResNet):
    """Spiking-ResNet; as many parameters as SEW-ResNet, those of the neurons apart.

    Args:
        layout, width, small_stem, neuron, neuron_args: as `ResNet`.
        zero_init: the weight of each branch's last norm starts at 0, so that a block starts as SN(W S).
    """

    def __init__(
        self,
        *,
        layout: Layout,
        width: int | None = None,
        small_stem: bool | None = None,
        zero_init: bool = True,
        neuron: str = "if",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(
            layout=layout, make_block=plain_block, width=width, small_stem=small_stem, neuron=neuron, neuron_args=neuron_args, **shape
        )
        self.zero_init = zero_init
        self.after_initialise()

    def after_initialise(self) -> None:
        """Silent branches, if asked for."""
        for block in self.blocks if self.zero_init else ():
            nn.init.zeros_(block.branch[-1][1].weight)


MODELS: dict[str, Callable[..., SpikingModel]] = {
    f"spiking_resnet{depth}": partial(SpikingResNet, layout=layout) for depth, layout in LAYOUTS.items()
}
