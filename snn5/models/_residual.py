"""Residual blocks with the neuron behind the sum, as in Spiking-ResNet-19 and GLIF's ResNet-18: O = SN(F(S) + W S)."""

from torch import Tensor, nn


class PostSumBlock(nn.Module):
    """neuron(branch(s) + shortcut(s)): the sum is a current, what leaves the block are spikes.

    Args:
        branch: F, conv-norm-neuron-conv-norm.
        shortcut: W, without a neuron.
        neuron: the neuron layer of the sum.

    Shape: s_TNCHW -> s_TN(C_out)(H/stride)(W/stride).
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module, neuron: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut, self.neuron = branch, shortcut, neuron

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """SN(F(S) + W S)."""
        return self.neuron(self.branch(s_TNCHW) + self.shortcut(s_TNCHW))
