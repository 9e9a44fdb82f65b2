"""SEW-ResNet with the CIFAR stem (P1.1): residual connections between spikes.

With A = F(S_in) the spikes of the residual branch, a block answers O = g(A, S_in):

    add:  O = A + S_in          (integers; identity when A = 0, so no gradient vanishes)
    and:  O = A * S_in          (binary)
    iand: O = (1 - A) * S_in    (binary)

A branch is conv3x3-BN-SN-conv3x3-BN-SN; where the shape changes, the shortcut is conv1x1-BN-SN: a spiking neuron is part of it.
Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, arXiv 2102.04159. The paper has no CIFAR nets; this is
its block in He et al.'s CIFAR layout (3 stages of n blocks, depth 6n + 2).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError, unknown
from snn5.models._base import SpikingModel
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of


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
    """Two convolutions with neurons, joined to the identity by `connect`.

    Shape: s_TNCHW -> s_TN(C_out)(H/stride)(W/stride).
    """

    def __init__(self, n_in: int, n_out: int, *, stride: int, connect: str, neuron: MakeNeuron) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            conv_norm(n_in, n_out, kernel=3, stride=stride), neuron(n_out), conv_norm(n_out, n_out, kernel=3), neuron(n_out)
        )
        changes = stride != 1 or n_in != n_out
        self.shortcut = nn.Sequential(conv_norm(n_in, n_out, kernel=1, stride=stride), neuron(n_out)) if changes else nn.Identity()
        self.connect = CONNECTIONS[connect]

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """g(A, S)."""
        return self.connect(self.branch(s_TNCHW), self.shortcut(s_TNCHW))


class SEWResNet(SpikingModel):
    """SEW-ResNet of depth 6n + 2 for small images.

    Args:
        blocks: n, residual blocks in each of the three stages.
        width: channels of the first stage; the others have 2x and 4x.
        connect: `add`, `and` or `iand`.
        neuron, neuron_args: the neuron's registered name and its arguments.
    """

    def __init__(
        self,
        *,
        blocks: int,
        width: int = 16,
        connect: str = "add",
        neuron: str = "plif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        if connect not in CONNECTIONS:
            raise unknown("connection", connect, CONNECTIONS)
        if not isinstance(width, int) or width < 1:
            raise UserError(f"width={width}; need a whole number of channels, at least 1")

        make_neuron = neurons_of(neuron, self.time_steps, neuron_args)
        self.stem_conv = conv_norm(self.in_channels, width, kernel=3)
        self.stem_neuron = make_neuron(width)
        stages, channels = [], width
        for stage in range(3):
            for block in range(blocks):
                out = width * 2**stage
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(SEWBlock(channels, out, stride=stride, connect=connect, neuron=make_neuron))
                channels = out
        self.blocks = nn.Sequential(*stages)
        self.head = layer.Linear(channels, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv3x3-BN."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """Neurons, blocks, global average pooling, one linear layer per step."""
        s_TNCHW = self.blocks(self.stem_neuron(current_TNCHW))
        return self.head(s_TNCHW.mean((-2, -1)))


# depth = 6 blocks + 2
MODELS: dict[str, Callable[..., SpikingModel]] = {f"sew_resnet{6 * n + 2}": partial(SEWResNet, blocks=n) for n in (1, 3, 9, 18)}
