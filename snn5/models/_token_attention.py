"""Q-K token attention: a spike for each token and head says whether the token's K passes. Nothing is multiplied but spikes.

    A[head, token] = SN(sum over the head's channels of Q / 8)        X = A AND K        QKTA(x) = BN(Conv(X))

with Q, K = SN(BN(Conv(SN(x)))); the neurons of A have V_th = 0.5, as in Spikingformer's attention, whose scale this is, too (QKFormer has
none: there one spike of Q opens the gate, and a gate that is always open selects nothing). Linear in the tokens, and the product of two
spikes is an AND, which any chip with neurons has (Spikingformer's own attention multiplies matrices of activations, which none has).
Source: Zhou C. et al., QKFormer, NeurIPS 2024, arXiv 2403.16552 (token attention); here in Spikingformer's block, neurons first.
"""

from torch import Tensor, nn

from snn5.models._parts import Gate, MakeNeuron, conv_norm

SCALE, ATTENTION_THRESHOLD = 0.125, 0.5


class HeadSum(nn.Module):
    """The sum over the channels of each head: [T, N, C, H, W] -> [T, N, heads, H, W]."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """Additions only."""
        return s_TNCHW.unflatten(2, (self.heads, -1)).sum(3)


class HeadSpread(nn.Module):
    """A head's value for each of its channels: [T, N, heads, H, W] -> [T, N, heads * each, H, W]."""

    def __init__(self, each: int) -> None:
        super().__init__()
        self.each = each

    def forward(self, s_TNCHW: Tensor) -> Tensor:
        """Copies."""
        return s_TNCHW.repeat_interleave(self.each, 2)


class TokenAttention(nn.Module):
    """QKTA(x).

    Args:
        dim: D. heads: divides D; changes no parameter.

    Shape: x_TNCHW -> the same, real numbers both.
    """

    def __init__(self, dim: int, heads: int, neuron: MakeNeuron) -> None:
        super().__init__()
        self.neuron = neuron(dim)
        self.q, self.k = (nn.Sequential(*conv_norm(dim, dim, kernel=1), neuron(dim)) for _ in range(2))
        self.total, self.spread, self.gate = HeadSum(heads), HeadSpread(dim // heads), Gate()
        self.attention_neuron = neuron(heads, v_threshold=ATTENTION_THRESHOLD)
        self.proj = conv_norm(dim, dim, kernel=1, bias=True)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """The current that is added to the stream."""
        s_TNCHW = self.neuron(x_TNCHW)
        passes = self.attention_neuron(self.total(self.q(s_TNCHW)) * SCALE)
        return self.proj(self.gate(self.spread(passes), self.k(s_TNCHW)))
