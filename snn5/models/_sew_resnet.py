"""SEW-ResNet (P1.1): residual networks of spike-element-wise blocks, for ImageNet (depth 18 to 152) and for small images (8 to 110).

The published neuron of the ImageNet networks is `if`: integrate-and-fire, V_th 1, hard reset. They were trained without zero_init.
The paper has no networks for CIFAR; `sew_resnet{8,20,56,110}` are its block in He et al.'s CIFAR layout.
Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, arXiv 2102.04159.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from snn5.models._base import SpikingModel
from snn5.models._resnet import LAYOUTS, Layout, ResNet
from snn5.models._sew_block import SEWBlock


class SEWResNet(ResNet):
    """SEW-ResNet: for 1000 classes 11 689 512 (18), 21 797 672 (34), 25 557 032 (50), 44 549 160 (101) and 60 192 808 (152) parameters.

    Args:
        layout, width, small_stem, neuron, neuron_args: as `ResNet`.
        connect: `add`, `and` or `iand`.
        zero_init: every block that keeps its shape starts as the identity.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        width: int | None = None,
        small_stem: bool | None = None,
        connect: str = "add",
        zero_init: bool = False,
        neuron: str = "if",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        make_block = partial(SEWBlock, connect=connect)
        super().__init__(
            layout=layout, make_block=make_block, width=width, small_stem=small_stem, neuron=neuron, neuron_args=neuron_args, **shape
        )
        self.zero_init = zero_init
        self.after_initialise()

    def after_initialise(self) -> None:
        """Identity blocks, if asked for."""
        for block in self.blocks if self.zero_init else ():
            block.start_as_identity(self.time_steps)


MODELS: dict[str, Callable[..., SpikingModel]] = {
    f"sew_resnet{depth}": partial(SEWResNet, layout=layout) for depth, layout in LAYOUTS.items()
}
