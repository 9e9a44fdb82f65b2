"""DTA-SNN (P1.4): MS-ResNet-18 with dual temporal-channel-wise attention, once, at the stem.

    y = DTA(stem(x)),   logits = MSResNet18's blocks and head on y

The first operation of every block's branch is a neuron, so of the convolutions only the first block's shortcut sees DTA's real numbers.
That block's first neuron fires at 0.5, unless the neurons' v_threshold is given or they take their input whole (decay_input=False).
Source: Kim et al., DTA: Dual Temporal-channel-wise Attention for Spiking Neural Networks, WACV 2025, arXiv 2503.10052.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from snn5.models._base import SpikingModel
from snn5.models._checks import all_steps_at_once
from snn5.models._dta import DTA
from snn5.models._ms_resnet import MSResNet18


class DTAResNet18(MSResNet18):
    """MS-ResNet-18 behind a DTA: 12 993 336 parameters for CIFAR-10 at T = 6, those of the neurons apart.

    Args:
        width, neuron, neuron_args: as `MSResNet18`.
        dilated_kernel: 1 as the authors' program, 3 as their paper.

    Not causal: it sees all T steps at once, so it cannot run step by step, and another T needs a new model.
    """

    causal = False

    def __init__(
        self,
        *,
        width: int = 64,
        dilated_kernel: int = 1,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(width=width, neuron=neuron, neuron_args=neuron_args, **shape)
        if (neuron_args or {}).get("decay_input", True):
            # DTA's output is below 1: a neuron that takes 1/tau = 1/2 of it would never reach a threshold of 1. The authors' neuron,
            # mem/2 + x > 1, is that neuron at half the threshold.
            self.blocks[0].branch[0] = self.make_neuron(width, v_threshold=0.5)
        self.dta = DTA(width, self.time_steps, self.make_neuron(width), dilated_kernel=dilated_kernel)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """DTA, then the backbone.

        Raises:
            UserError: another number of steps than T.
        """
        all_steps_at_once("DTA", current_TNCHW, self.time_steps)
        return super().run(self.dta(current_TNCHW))


MODELS: dict[str, Callable[..., SpikingModel]] = {"dta_ms_resnet18": DTAResNet18}
