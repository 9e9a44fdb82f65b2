"""Spatial-temporal attention aggregator (STAA), the project's reconstruction: no code was published, the text leaves shapes open.

Around one neuron layer, for its current I[t] (t = 1..T):

    X[t] = I[t] + PE                                             PE     position embedding, one learned number per channel and pixel
    X[t] <- X[t] * 2 sigmoid(W_2 ReLU(LN(W_1 c[t])))             GC     global context, c[t] = sum_p softmax_p(W_k X[t])_p X[t]_p
    S[t] = SN(X[t])                                                     the neuron; its spikes are 0 or 1
    O[t] = S[t] g[t],  g = sigmoid(V_2 ReLU(V_1 mean(S)))        SA     step attention, mean(S[t]) over channels and pixels

and in training, each step by itself with probability beta, I[t] goes to the neuron as it is and g[t] = 1 (TSRD). SA looks at all T steps,
so the whole is not causal. O is a real number, the same for all spikes of a sample's step.

Decided here: GC is GCNet's block (three 1x1 convolutions and a bottleneck, as the text says). Gates start near 1 (GC's is 2 sigmoid, SA's
bias starts at 3), so that a neuron is not given half its current and a bypassed step is like the others. The rows of V_1 start as
means: a hidden unit of negative weights would never see a positive sum. Bottlenecks are C/4 (at least 4) and T/4 (at least 1) wide.

Source: Zhang et al., STAA-SNN: Spatial-Temporal Attention Aggregator for Spiking Neural Networks, CVPR 2025, arXiv 2503.02689; Cao et al.,
GCNet, arXiv 1904.11492.
"""

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.models._parts import Gate, MatMul

REDUCTION = 4


class GlobalContext(nn.Module):
    """GC: each channel times a gate in (0, 2) that depends on what the whole image shows: 2 C + 2 C h + 3 h parameters, h = max(4, C/4).

    Shape: x_TNCHW -> the same. Steps do not see each other.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // REDUCTION)
        self.key = layer.Conv2d(channels, 1, 1, bias=False, step_mode="m")  # softmax takes no notice of a bias
        self.pool = MatMul()
        self.squeeze = nn.Linear(channels, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.excite = nn.Linear(hidden, channels)
        self.gate = Gate()

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """x * 2 sigmoid(W_2 ReLU(LN(W_1 c)))."""
        share_TNP1 = self.key(x_TNCHW).flatten(2).softmax(-1)[..., None]
        context_TNC = self.pool(x_TNCHW.flatten(3), share_TNP1)[..., 0]
        gate_TNC = 2 * self.excite(F.relu(self.norm(self.squeeze(context_TNC)))).sigmoid()
        return self.gate(gate_TNC[..., None, None], x_TNCHW)


class StepAttention(nn.Module):
    """SA: the gate of each step, from the mean activity of all of them. With h = max(1, T/4): 2 T h + h + T parameters.

    Shape: s_TNCHW -> gate_TN in (0, 1).
    """

    def __init__(self, time_steps: int) -> None:
        super().__init__()
        hidden = max(1, time_steps // REDUCTION)
        self.squeeze = nn.Linear(time_steps, hidden)
        self.excite = nn.Linear(hidden, time_steps)

    @torch.no_grad()
    def start_alive(self) -> None:
        """Of weights just drawn: hidden units become weighted means of the rates, V_2 has spread 1, gates are around sigmoid(3) = 0.95."""
        self.squeeze.weight.abs_()
        self.squeeze.weight.div_(self.squeeze.weight.sum(1, keepdim=True))
        self.squeeze.bias.zero_()
        self.excite.weight.div_(self.excite.weight.square().mean().sqrt())
        self.excite.bias.fill_(3.0)

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """sigmoid(V_2 ReLU(V_1 mean(S)))."""
        mean_NT = s_TNCHW.mean((2, 3, 4)).mT
        return self.excite(F.relu(self.squeeze(mean_NT))).sigmoid().mT


class STAANeuron(nn.Module):
    """PE, GC, neuron, SA; see above.

    Args:
        channels: C. image_size: H = W of this layer, in pixels. time_steps: T.
        neuron: the neuron layer.
        bypass: beta, 0..1, the probability in training that a step goes without attention.

    The draws come from `seed` and `draws` (training passes done), which are part of the state: a run that goes on from a saved state goes
    on with the same draws, whatever else is random.

    Shape: current_TNCHW -> real numbers of that shape: a spike times its step's gate.
    """

    seed: Tensor
    draws: Tensor

    def __init__(self, channels: int, image_size: int, time_steps: int, neuron: nn.Module, *, bypass: float) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(channels, image_size, image_size))
        self.context = GlobalContext(channels)
        self.neuron = neuron
        self.steps = StepAttention(time_steps)
        self.gate = Gate()
        self.bypass = bypass
        self.register_buffer("seed", torch.zeros((), dtype=torch.int64))
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """PE from normal(0, 0.02) and a new seed, both drawn from `generator`."""
        self.position.normal_(std=0.02, generator=generator)
        self.seed.random_(2**31, generator=generator)
        self.draws.zero_()

    def forward(self, current_TNCHW: Tensor) -> Tensor:
        """Attend, fire, attend."""
        x_TNCHW = self.context(current_TNCHW + self.position)
        if (bypassed_T := self._bypassed(len(current_TNCHW))) is not None:
            x_TNCHW = torch.where(bypassed_T.view(-1, 1, 1, 1, 1), current_TNCHW, x_TNCHW)
        s_TNCHW = self.neuron(x_TNCHW)
        gate_TN = self.steps(s_TNCHW)
        if bypassed_T is not None:
            gate_TN = torch.where(bypassed_T[:, None], 1.0, gate_TN)
        return self.gate(gate_TN[..., None, None, None], s_TNCHW)

    def _bypassed(self, steps: int) -> Tensor | None:
        """Which steps go without attention in this pass: bool_T, or None where none does."""
        if not self.training or self.bypass == 0.0:
            return None
        # An odd factor: neighbouring passes take seeds far from each other, and no two of 2^32 passes the same.
        mixed = (int(self.seed) + int(self.draws) * 0x9E3779B1) % 2**32
        self.draws += 1
        bypassed_T = torch.rand(steps, generator=torch.Generator().manual_seed(mixed)) < self.bypass
        return bypassed_T.to(self.draws.device) if bypassed_T.any() else None
