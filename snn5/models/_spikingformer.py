"""Spikingformer (P1.2): a vision transformer in which every convolution but the first, and every attention product, sees spikes.

Tokenizer, D/8 -> D/4 -> D/2 -> D -> D channels, all convolutions 3x3 with norm; the last log2(patch_size) of the four behind the stem come
after a max-pool (3x3, stride 2):

    stem conv-BN  -  4 times: SN (- pool) - conv-BN         Spikingformer: the maximum of spikes
    stem conv-BN  -  4 times: (pool -) SN - conv-BN         CML: the maximum of currents, whose gradient has no ties

then `depth` blocks (see `_spikingformer_block`), the mean over the tokens and a linear head per step, both on real numbers: no neuron ends
the network. The published neuron is `lif` (tau 2; 1.5 for event cameras).

`initialise` draws the convolutions Kaiming-normal where the authors keep PyTorch's default: each has a batch norm behind it, so the scale
makes no difference to what the network answers. The two layer norms per block that the authors' program has and never uses are left out.

Source: Zhou C. et al., Spikingformer, arXiv 2304.11954; Zhou C. et al., CML, arXiv 2305.05954. Written anew from the formulas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models._base import SpikingModel
from snn5.models._checks import whole_numbers
from snn5.models._parts import MakeNeuron, conv_norm, neurons_of
from snn5.models._spikingformer_block import SpikingformerBlock

PATCH_SIZES = (1, 2, 4, 8, 16)
LEAKY = ("lif", "plif", "adaptive_lif")  # neurons whose `tau` is a time constant in steps


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A published network: sizes, and `tau` where it is not the neuron's own."""

    dim: int
    depth: int
    heads: int
    patch_size: int
    tau: float | None = None


def tokenizer_layers(n_in: int, dim: int, *, patch_size: int, cml: bool, neuron: MakeNeuron) -> tuple[nn.Sequential, nn.Sequential]:
    """The stem, and what is behind it from the first neurons on."""
    widths = (dim // 8, dim // 4, dim // 2, dim, dim)
    first_pool = len(widths) - 1 - PATCH_SIZES.index(patch_size)
    layers: list[nn.Module] = [*conv_norm(n_in, widths[0], kernel=3)]
    for i, (a, b) in enumerate(pairwise(widths)):
        pool = [layer.MaxPool2d(3, 2, 1, step_mode="m")] if i >= first_pool else []
        layers += [*pool, neuron(a)] if cml else [neuron(a), *pool]
        layers.append(conv_norm(a, b, kernel=3))
    stem = 3 if cml and first_pool == 0 else 2
    return nn.Sequential(*layers[:stem]), nn.Sequential(*layers[stem:])


class Spikingformer(SpikingModel):
    """Spikingformer, 4 152 106 (4_256), 5 762 746 (2_384) and 9 320 122 (4_384) parameters for CIFAR-10, those of the neurons apart.

    Args:
        layout: the published network. cml: pool currents instead of spikes. tokens: Q-K token attention (`_qk`), which chips can run.
        dim: D, a multiple of 8 and of `heads`. depth: blocks. heads: of the attention. mlp_ratio: hidden channels of an MLP over D.
        patch_size: pixels of a token's edge, 1, 2, 4, 8 or 16; an image of n pixels gives ceil(n / patch_size)^2 tokens.
            None, for any of these: as published.
        neuron, neuron_args: the neuron's registered name and its arguments, which go before the published tau and the attention's V_th.

    Raises:
        UserError: sizes that do not fit each other.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        cml: bool,
        tokens: bool = False,
        dim: int | None = None,
        depth: int | None = None,
        heads: int | None = None,
        mlp_ratio: int = 4,
        patch_size: int | None = None,
        neuron: str = "lif",
        neuron_args: dict[str, Any] | None = None,
        **shape: int,
    ) -> None:
        super().__init__(**shape)
        dim = layout.dim if dim is None else dim
        depth = layout.depth if depth is None else depth
        heads = layout.heads if heads is None else heads
        patch_size = layout.patch_size if patch_size is None else patch_size
        whole_numbers(dim=dim, depth=depth, heads=heads, mlp_ratio=mlp_ratio)
        if dim % 8:
            raise UserError(f"dim={dim}; need a multiple of 8, since the stem has dim/8 channels")
        if dim % heads:
            raise UserError(f"heads={heads} does not divide dim={dim}; need heads that share the channels evenly")
        if patch_size not in PATCH_SIZES:
            raise UserError(f"patch_size={patch_size}; need one of {', '.join(map(str, PATCH_SIZES))}")
        tau = {} if layout.tau is None or neuron not in LEAKY else {"tau": layout.tau}
        make_neuron = neurons_of(neuron, self.time_steps, {**tau, **(neuron_args or {})})
        self.stem_conv, self.tokenizer = tokenizer_layers(self.in_channels, dim, patch_size=patch_size, cml=cml, neuron=make_neuron)
        self.blocks = nn.Sequential(*(SpikingformerBlock(dim, heads, mlp_ratio * dim, make_neuron, tokens=tokens) for _ in range(depth)))
        self.head = layer.Linear(dim, self.num_classes, step_mode="m")

    def stem(self, x_TNCHW: Tensor) -> Tensor:
        """conv3x3-BN (CML with patch_size 16: and a pool)."""
        return self.stem_conv(x_TNCHW)

    def run(self, current_TNCHW: Tensor) -> Tensor:
        """The rest of the tokenizer, blocks, mean over the tokens, one linear layer per step."""
        x_TNCHW = self.blocks(self.tokenizer(current_TNCHW))
        return self.head(x_TNCHW.mean((-2, -1)))


LAYOUTS = {
    "4_256": Layout(dim=256, depth=4, heads=8, patch_size=4),
    "2_384": Layout(dim=384, depth=2, heads=12, patch_size=4),
    "4_384": Layout(dim=384, depth=4, heads=12, patch_size=4),  # for CIFAR-100 the authors take heads=8
    "8_384": Layout(dim=384, depth=8, heads=8, patch_size=16),  # ImageNet, these three
    "8_512": Layout(dim=512, depth=8, heads=8, patch_size=16),
    "8_768": Layout(dim=768, depth=8, heads=8, patch_size=16),
    "dvs_2_256": Layout(dim=256, depth=2, heads=16, patch_size=16, tau=1.5),
}
MODELS: dict[str, Callable[..., SpikingModel]] = {
    f"spikingformer_{name}{suffix}": partial(Spikingformer, layout=layout, cml=cml, tokens=tokens)
    for name, layout in LAYOUTS.items()
    for suffix, cml, tokens in (("", False, False), ("_cml", True, False), ("_qk", False, True))
}
