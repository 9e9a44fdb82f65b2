"""What has no integer form on these chips, why, and what is nearest to it that has."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from snn5.errors import NotPortable
from snn5.models import LSTMState, MatMul
from snn5.neurons import GLIF, AdaptiveLIF, DynamicGLIF, QuantisedReLU

LIF_LIKE = "train it with neuron='plif', 'lif' or 'if', v_reset=0"
REASONS: dict[type[nn.Module], tuple[str, str]] = {
    DynamicGLIF: ("its gates depend on its input, and a neuron of the chips has constants", LIF_LIKE),
    GLIF: ("it resets by subtracting, charges by time-dependent conductances and leaks linearly", LIF_LIKE),
    AdaptiveLIF: ("its threshold follows its own activity", LIF_LIKE),
    MatMul: (
        "it multiplies two activations as matrices, and synapses of the chips are constants",
        "take Q-K token attention, e.g. model='spikingformer_4_256_qk', whose product is an AND of spikes",
    ),
    LSTMState: ("an LSTM has sigmoids and products of real numbers", "take spiking cells, temporal=['stfe', ...], or a sew_resnet"),
    nn.LayerNorm: ("it divides by a deviation that depends on the sample", "take a model with batch norms, which fold into weights"),
    nn.ReLU: ("it answers real numbers: this is an ANN twin", "port the spiking network"),
    QuantisedReLU: ("it answers real numbers: this is an ANN twin", "port the spiking network"),
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One layer that cannot be ported: its name, its kind, why, and the nearest choice that can."""

    layer: str
    kind: str
    reason: str
    nearest: str


def reason_for(module: nn.Module) -> tuple[str, str] | None:
    """Why a module is known not to be portable, and the nearest choice; None if nothing is known against it."""
    return next((REASONS[cls] for cls in type(module).__mro__ if cls in REASONS), None)


def not_portable(model: str, problems: Iterable[Problem]) -> NotPortable:
    """One error that names every layer, those with the same reason together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for p in problems:
        groups.setdefault((p.kind, p.reason, p.nearest), []).append(p.layer)
    lines = [
        f"  {kind} ({', '.join(dict.fromkeys(layers))}): {reason}; nearest: {nearest}" for (kind, reason, nearest), layers in groups.items()
    ]
    return NotPortable("\n".join([f"{model} cannot be ported to whole numbers as it is:", *lines]))
