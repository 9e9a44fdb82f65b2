"""Spikingformer's block: attention and MLP that read spikes off a stream of real numbers and add currents to it.

    x <- x + SSA(x)         x <- x + MLP(x)

No softmax, no layer norm, no position. Tokens are pixels; every step attends by itself, time passes through the neurons only. The biases of
projection and MLP, which their norms take away again in training, are the published network's.
Source: Zhou C. et al., Spikingformer, arXiv 2304.11954.
"""

from torch import Tensor, nn

from snn5.models._parts import MakeNeuron, MatMul, conv_norm
from snn5.models._token_attention import TokenAttention

SCALE = 0.125  # a power of two, for any size of the heads
ATTENTION_THRESHOLD = 0.5


def attend(q: Tensor, k: Tensor, v: Tensor, inner: MatMul, outer: MatMul) -> Tensor:
    """q (k' v) = (q k') v, channels before tokens: (v k') q = v (k' q). The cheaper order is taken.

    d^2 L + d^2 L products against L^2 d + L^2 d. On spikes both are sums of at most L d ones: whole numbers, equal to the last bit (in
    float32 below 2^24; not in half precision).

    Args:
        q, k, v: [..., d, L] with d channels of a head and L tokens.
        inner, outer: the first and the second product.

    Returns:
        [..., d, L].
    """
    channels, tokens = q.shape[-2:]
    if channels <= tokens:
        return outer(inner(v, k.mT), q)
    return outer(v, inner(k.mT, q))


class SpikingSelfAttention(nn.Module):
    """SSA(x) = BN(Conv(SN(q (k' v) / 8))) with q, k, v = SN(BN(Conv(SN(x)))), heads side by side; the attention's neurons have V_th = 0.5.

    At spike rates r an element of q (k' v) / 8 is about d L r^3 / 8 with d = D/heads channels and L tokens. In a small network that may
    never reach the threshold, and attention is silent: give it small patches and few heads.

    Args:
        dim: D. heads: divides D; changes no parameter.

    Shape: x_TNCHW -> the same, real numbers both.
    """

    def __init__(self, dim: int, heads: int, neuron: MakeNeuron) -> None:
        super().__init__()
        self.heads = heads
        self.neuron = neuron(dim)
        self.q, self.k, self.v = (nn.Sequential(*conv_norm(dim, dim, kernel=1), neuron(dim)) for _ in range(3))
        self.inner, self.outer = MatMul(), MatMul()
        self.attention_neuron = neuron(dim, v_threshold=ATTENTION_THRESHOLD)
        self.proj = conv_norm(dim, dim, kernel=1, bias=True)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """The current that is added to the stream."""
        s_TNCHW = self.neuron(x_TNCHW)
        q, k, v = (branch(s_TNCHW).flatten(3).unflatten(2, (self.heads, -1)) for branch in (self.q, self.k, self.v))
        y_TNCHW = attend(q, k, v, self.inner, self.outer).reshape(x_TNCHW.shape)
        return self.proj(self.attention_neuron(y_TNCHW * SCALE))


class SpikingMLP(nn.Module):
    """MLP(x) = BN(Conv(SN(BN(Conv(SN(x)))))) with 1x1 convolutions from D to `hidden` channels and back.

    Shape: x_TNCHW -> the same, real numbers both.
    """

    def __init__(self, dim: int, hidden: int, neuron: MakeNeuron) -> None:
        super().__init__()
        self.neuron1, self.fc1 = neuron(dim), conv_norm(dim, hidden, kernel=1, bias=True)
        self.neuron2, self.fc2 = neuron(hidden), conv_norm(hidden, dim, kernel=1, bias=True)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """The current that is added to the stream."""
        return self.fc2(self.neuron2(self.fc1(self.neuron1(x_TNCHW))))


class SpikingformerBlock(nn.Module):
    """Attention, then MLP, each added to the stream.

    Args:
        tokens: Q-K token attention instead of the published one.

    Shape: x_TNCHW -> the same, real numbers both.
    """

    def __init__(self, dim: int, heads: int, hidden: int, neuron: MakeNeuron, *, tokens: bool = False) -> None:
        super().__init__()
        attention = TokenAttention if tokens else SpikingSelfAttention
        self.attention = attention(dim, heads, neuron)
        self.mlp = SpikingMLP(dim, hidden, neuron)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Both residual sums."""
        x_TNCHW = x_TNCHW + self.attention(x_TNCHW)
        return x_TNCHW + self.mlp(x_TNCHW)
