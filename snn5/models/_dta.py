"""Dual temporal-channel-wise attention (DTA): a gate on the spikes of the stem that looks at all T steps.

With X the stem's current, S = SN(X) its spikes and * element by element:

    Y = sigmoid(TNA(X) * TXA(X)) * S

Y is a real number in (0, 1) where S fires and 0 elsewhere. Every step's gate depends on all steps: nothing here can run step by step, and
the weights' shapes depend on T. Written anew from the formulas; the authors' code has no licence.

Source: Kim et al., DTA: Dual Temporal-channel-wise Attention for Spiking Neural Networks, WACV 2025, arXiv 2503.10052.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models._checks import whole_numbers
from snn5.models._parts import Gate


class CrossAttention(nn.Module):
    """T-XA, identical cross attention: TXA = (X + lambda_t a_t) * (X + lambda_c a_c).

    With m[t, c] the mean of X over the image, a_t = sigmoid(Conv(m)): T -> T, 3 taps along the channels; a_c = sigmoid(Conv(m')): C -> C, 6
    taps along the steps; no biases; lambda_t = lambda_c = 1 at the start. 3 T^2 + 6 C^2 + 2 parameters.

    Shape: X_NTCHW -> the same.
    """

    TAPS_C, TAPS_T = 3, 6

    def __init__(self, channels: int, time_steps: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(time_steps, time_steps, self.TAPS_C, bias=False)
        self.over_channels = nn.Conv1d(channels, channels, self.TAPS_T, bias=False)
        self.scale_t, self.scale_c = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
        self.product = Gate()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Both lambdas are 1 again (nothing is drawn)."""
        self.scale_t.fill_(1.0)
        self.scale_c.fill_(1.0)

    def forward(self, x_NTCHW: Tensor) -> Tensor:
        """TXA."""
        m_NTC = x_NTCHW.mean((-2, -1))
        a_t = self.over_time(_same(m_NTC, self.TAPS_C)).sigmoid()[..., None, None]
        a_c = self.over_channels(_same(m_NTC.mT, self.TAPS_T)).mT.sigmoid()[..., None, None]
        return self.product(x_NTCHW + self.scale_t * a_t, x_NTCHW + self.scale_c * a_c)


class NonIdenticalAttention(nn.Module):
    """T-NA: local and global attention over the d = T C maps of all steps together.

        z = GELU(Conv1x1(X))        L = Conv1x1(DWdil(DW5x5(z)))        G = W2 ReLU(W1 mean(z))
        TNA = Conv1x1(G * L * z) + X

    3 (d^2 + d) + 26 d + (k^2 + 1) d + 2 h d parameters with h = d // max(d // 16, 4).

    Args:
        dilated_kernel: k of the depth-wise convolution with dilation 3. The paper means 3, whose taps span 7x7; the authors' program works
            it out as 1, a factor per map, and their parameter counts hold with 1.

    Shape: X_NTCHW -> the same.
    """

    def __init__(self, channels: int, time_steps: int, *, dilated_kernel: int = 1) -> None:
        super().__init__()
        d = channels * time_steps
        hidden = max(1, d // max(d // 16, 4))
        self.first = nn.Conv2d(d, d, 1)
        self.depthwise = nn.Conv2d(d, d, 5, padding=2, groups=d)
        self.dilated = nn.Conv2d(d, d, dilated_kernel, padding=3 * (dilated_kernel // 2), dilation=3, groups=d)
        self.mix = nn.Conv2d(d, d, 1)
        self.squeeze = nn.Linear(d, hidden, bias=False)
        self.excite = nn.Linear(hidden, d, bias=False)
        self.last = nn.Conv2d(d, d, 1)
        self.gate_local, self.gate_global = Gate(), Gate()

    def forward(self, x_NTCHW: Tensor) -> Tensor:
        """TNA."""
        x_NDHW = x_NTCHW.flatten(1, 2)
        z_NDHW = F.gelu(self.first(x_NDHW))
        local_NDHW = self.mix(self.dilated(self.depthwise(z_NDHW)))
        global_ND = self.excite(F.relu(self.squeeze(z_NDHW.mean((-2, -1)))))
        gated_NDHW = self.gate_global(global_ND[..., None, None], self.gate_local(local_NDHW, z_NDHW))
        return (self.last(gated_NDHW) + x_NDHW).unflatten(1, x_NTCHW.shape[1:3])


class DTA(nn.Module):
    """Y = sigmoid(TNA(X) * TXA(X)) * S.

    Args:
        channels: C. time_steps: T; both decide the weights' shapes.
        neuron: makes S of X.
        dilated_kernel: see `NonIdenticalAttention`; odd.

    Shape: current_TNCHW -> y_TNCHW.

    Raises:
        UserError: an even kernel.
    """

    def __init__(self, channels: int, time_steps: int, neuron: nn.Module, *, dilated_kernel: int = 1) -> None:
        super().__init__()
        whole_numbers(dilated_kernel=dilated_kernel)
        if dilated_kernel % 2 == 0:
            raise UserError(f"dilated_kernel={dilated_kernel}; need an odd number: 1 (as the authors' program) or 3 (as their paper)")
        self.neuron = neuron
        self.cross = CrossAttention(channels, time_steps)
        self.non_identical = NonIdenticalAttention(channels, time_steps, dilated_kernel=dilated_kernel)
        self.product, self.gate = Gate(), Gate()

    def forward(self, current_TNCHW: Tensor) -> Tensor:
        """Gate the spikes."""
        x_NTCHW = current_TNCHW.transpose(0, 1)
        gate_NTCHW = self.product(self.non_identical(x_NTCHW), self.cross(x_NTCHW)).sigmoid()
        return self.gate(gate_NTCHW.transpose(0, 1), self.neuron(current_TNCHW))


def _same(x: Tensor, taps: int) -> Tensor:
    """Zeros for a convolution that keeps the length; an even kernel has one more of them at the end."""
    return F.pad(x, ((taps - 1) // 2, taps // 2))
