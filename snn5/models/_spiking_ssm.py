"""SpikingSSM (P8.1's rival): a state space for memory, spikes on every wire, a gated linear unit that mixes channels; causal.

    stem      one convolution over the whole frame (the flattened frame times a matrix), norm, neuron: pixels -> D spike trains
    block     y = S4D(s);   u = SN(y / v);   (a, b) = Conv1x1 u;   s <- SN(s + BN(a sigmoid(b)))
    head      one linear layer per step, on spikes

with a threshold v = exp(ln v) learned for each channel. LIF and PLIF start from the published neuron: u' = u / 8 + y, hard reset,
triangular surrogate of width 1; the reset is detached. Decided here: the published blocks add to a stream of real numbers; here a neuron
stands behind each sum, so that blocks send each other zeros and ones, and the norm in front of it. No surrogate network for parallel
training is needed, the neurons' own loop is cheap on a CPU; the linear part trains by Fourier transform. Sequences of vectors are frames of
1 x 1 pixels.

Source: Shen et al., SpikingSSMs: Learning Long Sequences with Sparse and Parallel Spiking State Space Models, AAAI 2025, arXiv 2408.14909.
"""

from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._diagonal_ssm import DiagonalSSM
from snn5.models._parts import Gate, MakeNeuron, neurons_of

TAU = 8 / 7  # of which an eighth is left after a step
PUBLISHED: dict[str, Any] = {"tau": TAU, "decay_input": False, "surrogate": "triangle"}


class Threshold(nn.Module):
    """y / v with v = exp(ln v), one for each channel: a neuron of threshold 1 behind it fires as one of threshold v.

    Shape: y_TND -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_threshold = nn.Parameter(torch.zeros(channels))

    @torch.no_grad()
    def reset_parameters(self, _generator: torch.Generator | None = None) -> None:
        """Thresholds of 1 (nothing is drawn)."""
        self.log_threshold.zero_()

    def forward(self, y_TND: Tensor) -> Tensor:
        """y / v."""
        return y_TND / self.log_threshold.exp()


class SpikingSSMBlock(nn.Module):
    """Memory, neuron, gated mixing of channels, sum, neuron.

    Shape: s_TND11 -> the same, zeros and ones both.
    """

    def __init__(self, width: int, ssm: DiagonalSSM, make_neuron: MakeNeuron) -> None:
        super().__init__()
        self.ssm, self.threshold, self.neuron = ssm, Threshold(width), make_neuron(width)
        self.mix = layer.Conv2d(width, 2 * width, 1, step_mode="m")
        self.gate = Gate()
        self.norm = layer.BatchNorm2d(width, step_mode="m")
        self.sum_neuron = make_neuron(width)

    def forward(self, s_TND11: Tensor) -> Tensor:
        """SN(s + BN(a sigmoid(b)))."""
        y_TND = self.threshold(self.ssm(s_TND11.flatten(2)))
        value, gate = self.mix(self.neuron(y_TND[..., None, None])).chunk(2, dim=2)
        return self.sum_neuron(s_TND11 + self.norm(self.gate(gate.sigmoid(), value)))


class SpikingSSM(SpikingModel):
    """`spiking_ssm`: by default 2 blocks of 128 channels with 16 states each.

    Args:
        width: D, channels of the spike trains. depth: blocks. d_state: states of a channel, even.
        dt_min, dt_max: range of Delta, in steps, see `DiagonalSSM`: channels remember about 2 / dt_max to 2 / dt_min steps.
        parallel: training by Fourier transform; evaluation is step by step in any case.
        neuron, neuron_args: the neuron's registered name and its arguments.

    Raises:
        UserError: width or depth below 1, an odd d_state, or a range that is none.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        depth: int = 2,
        d_state: int = 16,
        dt_min: float = 1e-3,
        dt_max: float = 0.1,
        parallel: bool = True,
        neuron: str = "lif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        whole_numbers(width=width, depth=depth)
        own = PUBLISHED if neuron in ("lif", "plif") else {}
        make_neuron = neurons_of(neuron, self.time_steps, {**own, **(neuron_args or {})})
        self.stem_conv = nn.Sequential(
            layer.Conv2d(self.in_channels, width, self.image_size, bias=False, step_mode="m"), layer.BatchNorm2d(width, step_mode="m")
        )
        self.stem_neuron = make_neuron(width)
        self.blocks = nn.Sequential(
            *(
                SpikingSSMBlock(width, DiagonalSSM(width, d_state=d_state, dt_min=dt_min, dt_max=dt_max, parallel=parallel), make_neuron)
                for _ in range(depth)
            )
        )
        self.head = layer.Linear(width, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """The frame times a matrix, and its norm: [T, N, D, 1, 1]."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neuron, blocks, one linear layer per step."""
        return self.head(self.blocks(self.stem_neuron(current_TNCHW)).flatten(2))


MODELS: dict[str, Callable[..., SpikingModel]] = {"spiking_ssm": SpikingSSM}
