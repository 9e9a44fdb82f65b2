"""Spiking TCN: a temporal convolutional network of spikes, for sound and other sequences without an image (P1, P7.2).

    x0[t] = SN(BN(W_in x[t]))                                                   (the whole frame of a step, or the channels of a sound)
    x_l[t] = x_{l-1}[t] + SN(BN(sum_j W_lj x_{l-1}[t - j d_l])),   j = 0..taps - 1                    (l = 1..blocks)
    logits[t] = W x_blocks[t] + b

A kernel's tap j is a synapse whose spikes arrive j d_l steps late: causal, so a step's answer depends on no later frame. What came before
the first step is silence. Blocks add spikes, as SEW-ResNet's do.
Sources: Bai, Kolter, Koltun, An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence Modeling, 2018, arXiv
1803.01271 (the network); Hammouamri, Khalfaoui-Hassani, Masquelier, Learning Delays in Spiking Neural Networks using Dilated Convolutions
with Learnable Spacings, ICLR 2024, arXiv 2306.17670 (delays as temporal convolutions of spikes, on the Spiking Heidelberg Digits).
"""

from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import base, layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of


class Past(base.MemoryModule):
    """The last P frames [N, P, C, H, W], None before the first step: forgotten by `functional.reset_net`. No spiking neuron: no `v`."""

    frames: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_memory("frames", None)


class Delays(nn.Module):
    """Each step beside earlier ones: y[t] = (x[t], x[t - d], ..., x[t - (taps - 1) d]), with zeros before the first step.

    Args:
        taps: at least 1. dilation: d, at least 1.
        constant: the input has one step that stands for all time, as an ANN twin's has: every copy is x.

    Shape: x_TNCHW -> [T, N, taps C, H, W]. The last (taps - 1) d steps stay until `functional.reset_net`.
    """

    def __init__(self, taps: int, dilation: int, *, constant: bool = False) -> None:
        super().__init__()
        self.taps, self.dilation, self.constant, self.past = taps, dilation, constant, Past()

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Carries the past."""
        if self.constant:
            return x_TNCHW.repeat(1, 1, self.taps, 1, 1)
        steps, reach = len(x_TNCHW), (self.taps - 1) * self.dilation
        _, n, *shape = x_TNCHW.shape
        past_NPCHW = x_TNCHW.new_zeros(n, reach, *shape) if self.past.frames is None else self.past.frames
        whole_SNCHW = torch.cat([past_NPCHW.transpose(0, 1), x_TNCHW])
        self.past.frames = whole_SNCHW[steps:].transpose(0, 1)
        starts = (reach - tap * self.dilation for tap in range(self.taps))
        return torch.cat([whole_SNCHW[start : start + steps] for start in starts], dim=2)

    def extra_repr(self) -> str:
        """What it was made from."""
        return f"taps={self.taps}, dilation={self.dilation}"


class DelayBlock(nn.Module):
    """x + SN(BN(W delays(x))).

    Shape: s_TNCHW -> the same.
    """

    def __init__(self, channels: int, delays: Delays, neuron: MakeNeuron) -> None:
        super().__init__()
        self.delays = delays
        self.branch = nn.Sequential(conv_norm(delays.taps * channels, channels, kernel=1), neuron(channels))

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """Whole numbers."""
        return s_TNCHW + self.branch(self.delays(s_TNCHW))


class SpikingTCN(SpikingModel):
    """With T steps of C channels and no image (`image_size` 1): C w + 2 w + blocks (taps w^2 + 2 w) + w K + K parameters, w the width.

    Args:
        width: w, neurons in each layer.
        blocks, taps: see above; a block reaches back (taps - 1) d_l steps.
        dilation: d_l = dilation^(l - 1), 2 as published; 1: every block hears each of the last steps.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        blocks: int = 2,
        taps: int = 5,
        dilation: int = 2,
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        whole_numbers(width=width, blocks=blocks, taps=taps, dilation=dilation)
        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = nn.Sequential(
            layer.Conv2d(self.in_channels, width, self.image_size, bias=False, step_mode="m"), layer.BatchNorm2d(width, step_mode="m")
        )
        self.stem_neuron = make_neuron(width)
        reaches = (Delays(taps, dilation**block, constant=neuron == "relu") for block in range(blocks))
        self.blocks = nn.Sequential(*(DelayBlock(width, delays, make_neuron) for delays in reaches))
        self.head = layer.Linear(width, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """All of a step's pixels and channels to each neuron, and a norm: [T, N, w, 1, 1]."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, blocks, one linear layer per step."""
        return self.head(self.blocks(self.stem_neuron(current_TNCHW)).flatten(2))


MODELS: dict[str, Callable[..., SpikingModel]] = {"spiking_tcn": SpikingTCN}
