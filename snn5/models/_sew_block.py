"""The spike-element-wise block: a residual connection between spikes.

With A = F(S_in) the spikes of the residual branch, a block answers O = g(A, S_in):

    add:  O = A + S_in          (integers; identity when A = 0, so no gradient vanishes)
    and:  O = A * S_in          (binary; identity when A = 1)
    iand: O = (1 - A) * S_in    (binary; identity when A = 0)

Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, arXiv 2102.04159.
"""

from collections.abc import Callable

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.errors import UserError, unknown
from snn5.models._parts import MakeNeuron, conv_norm
from snn5.models._resnet import branch_layers


def add(branch: Tensor, identity: Tensor) -> Tensor:
    """O = A + S."""
    return branch + identity


def and_(branch: Tensor, identity: Tensor) -> Tensor:
    """O = A * S."""
    return branch * identity


def iand(branch: Tensor, identity: Tensor) -> Tensor:
    """O = (1 - A) * S. The branch is the inverted one."""
    return (1 - branch) * identity


CONNECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"add": add, "and": and_, "iand": iand}


class SEWBlock(nn.Module):
    """Two 3x3 convolutions (or a bottleneck's three), each with norm and neurons, joined to the identity by `connect`.

    Where the shape changes, the shortcut is conv1x1-BN-SN: a spiking neuron is part of it.

    Shape: s_TNCHW -> s_TN(C_out)(H/stride)(W/stride).

    Raises:
        UserError: an unknown connection.
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, connect: str, neuron: MakeNeuron, bottleneck: bool = False) -> None:
        super().__init__()
        if connect not in CONNECTIONS:
            raise unknown("connection", connect, CONNECTIONS)
        layers = branch_layers(n_in, n_out, stride=stride, bottleneck=bottleneck, neuron=neuron)
        self.branch = nn.Sequential(*layers, neuron(n_out))
        changes = stride != 1 or n_in != n_out
        self.shortcut = nn.Sequential(conv_norm(n_in, n_out, kernel=1, stride=stride), neuron(n_out)) if changes else nn.Identity()
        self.connect = CONNECTIONS[connect]

    @torch.no_grad()
    def start_as_identity(self, time_steps: int) -> None:
        """Let the branch answer 0 (AND: 1) whatever goes in: gamma of its last norm 0, beta 0 (AND: what keeps its neurons firing)."""
        norm: nn.BatchNorm2d = self.branch[-2][1]
        nn.init.zeros_(norm.weight)
        beta = firing_current(self.branch[-1], norm.bias[:, None, None], time_steps) if self.connect is and_ else 0.0
        nn.init.constant_(norm.bias, beta)

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """g(A, S)."""
        return self.connect(self.branch(s_TNCHW), self.shortcut(s_TNCHW))


@torch.no_grad()
def firing_current(neuron: nn.Module, like_C11: Tensor, time_steps: int) -> float:
    """The smallest of 1, 2, 4, ... that, as a constant current, makes every neuron answer 1 in every step from rest.

    1 for integrate-and-fire; 2 for a leaky neuron with H[0] = X / tau, tau = 2 and V_th = 1.

    Raises:
        UserError: 1024 is not enough.
    """
    for exponent in range(11):
        current_TNCHW = torch.full_like(like_C11, 2.0**exponent).expand(time_steps, 1, *like_C11.shape)
        answer_TNCHW = neuron(current_TNCHW)
        functional.reset_net(neuron)
        if bool((answer_TNCHW == 1).all()):
            return 2.0**exponent
    raise UserError(f"zero_init with connect='and' needs neurons that can fire in every step; {neuron} does not even at a current of 1024")
