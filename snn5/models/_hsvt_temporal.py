"""Temporal cells of HsVT, one at the end of each stage: spiking (STFE) or RVT's ConvLSTM. Only they carry anything from step to step.

    STFE      s[t] = SN(BN(Conv x[t])),  y[t] = x[t] + BN(Conv s[t])                  2 C^2 + 4 C parameters, the neuron's apart
    ConvLSTM  f, i, o = sigmoid, g = tanh of Conv [x[t], h[t-1]]                      8 C^2 + 4 C parameters
              c[t] = f c[t-1] + i g,  y[t] = h[t] = o tanh c[t]

All convolutions are 1x1. STFE's equations are the project's own: what is public of HsVT names the cell (spiking temporal feature
extraction) and gives no formula.

Source: Xu et al., Hybrid Spiking Vision Transformer for Object Detection with Event Cameras, ICML 2025, arXiv 2505.07715; Gehrig &
Scaramuzza, Recurrent Vision Transformers, CVPR 2023, arXiv 2212.05598.
"""

import torch
from spikingjelly.activation_based import base
from torch import Tensor, nn

from snn5.models._parts import Gate, MakeNeuron, conv_norm


class STFE(nn.Module):
    """y = x + BN(Conv(SN(BN(Conv x)))): what was seen over time, as spikes, added to the features.

    Shape: x_TNCHW -> the same, real numbers both; between the convolutions spikes.
    """

    def __init__(self, channels: int, make_neuron: MakeNeuron) -> None:
        super().__init__()
        self.current = conv_norm(channels, channels, kernel=1)
        self.neuron = make_neuron(channels)
        self.read = conv_norm(channels, channels, kernel=1)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Carries the neuron's state."""
        return x_TNCHW + self.read(self.neuron(self.current(x_TNCHW)))


class LSTMState(base.MemoryModule):
    """h and c of a ConvLSTM, None before the first step: forgotten by `functional.reset_net`. No spiking neuron: there is no `v`."""

    h: Tensor | None
    c: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_memory("h", None)
        self.register_memory("c", None)


def lstm_step(gates_NGHW: Tensor, c_NCHW: Tensor, product: nn.Module) -> tuple[Tensor, Tensor]:
    """One step of an LSTM cell.

    Args:
        gates_NGHW: before their nonlinearity, G = 4 C channels in the order f, i, o, g.
        c_NCHW: the cell of the step before.
        product: (a, b) -> a * b; a module, so that these are counted.

    Returns:
        h[t] and c[t].
    """
    f, i, o, g = gates_NGHW.chunk(4, dim=1)
    c_NCHW = product(f.sigmoid(), c_NCHW) + product(i.sigmoid(), g.tanh())
    return product(o.sigmoid(), c_NCHW.tanh()), c_NCHW


class ConvLSTM(nn.Module):
    """LSTM of each pixel with shared weights.

    Shape: x_TNCHW -> h_TNCHW; the state stays until `functional.reset_net`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 1)
        self.product = Gate()
        self.state = LSTMState()

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Step by step, carrying h and c."""
        h_NCHW, c_NCHW = (torch.zeros_like(x_TNCHW[0]) if memory is None else memory for memory in (self.state.h, self.state.c))
        out = []
        for x_NCHW in x_TNCHW:
            h_NCHW, c_NCHW = lstm_step(self.gates(torch.cat([x_NCHW, h_NCHW], dim=1)), c_NCHW, self.product)
            out.append(h_NCHW)
        self.state.h, self.state.c = h_NCHW, c_NCHW
        return torch.stack(out)
