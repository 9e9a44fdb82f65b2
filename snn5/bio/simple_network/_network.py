"""BioSNN: layers of excitatory and inhibitory neurons that obey Dale's law and learn by local rules.

Shapes: T steps, N samples, C inputs, n neurons of a layer, excitatory ones first.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snn5.bio.learning_rules import Hard, InhibitorySTDP, IntrinsicPlasticity, PairSTDP, Rule, Soft
from snn5.bio.simple_network._layer import Layer, LayerState, Neurons, Rules, Wiring
from snn5.bio.simple_network._layer_kernel import Inhibition, Pair, Threshold, run
from snn5.errors import UserError


class Trace(NamedTuple):
    """What a long run of one layer left.

    Attributes:
        spikes_Tn: uint8. current_T2: mean excitatory and inhibitory current into excitatory neurons, each step.
        inhibition: sum of its magnitudes onto excitatory neurons, every `every` steps. violations: of Dale's law and of the wiring, then:
            magnitudes that are negative or lie where there is no synapse.
    """

    spikes_Tn: Tensor
    current_T2: Tensor
    inhibition: Tensor
    violations: Tensor


class BioSNN(nn.Module):
    """Layers in a row; only excitatory neurons reach the next layer.

    Called with spikes [T, N, C] it gives the last layer's excitatory spikes [T, N, e], from silence. In train mode the projections learn
    by their rules; after `eval()` weights and thresholds are frozen. `simulate` is the same for one long recording, in compiled code.

    Args:
        layer_configs: one `{"n_e": ..., "n_i": ...}` per layer. input_size: C.
        neurons, wiring: of all layers. synaptic_rule: the rule of a kind of projection (`input->e`, `input->i`, `e->e`, `e->i`, `i->e`,
            `i->i`), None for those that do not learn. homeostatic_rule: of the thresholds.
        generator: of the wiring.

    Raises:
        UserError: no layers, an unknown key, or a layer without excitatory neurons.
    """

    def __init__(
        self,
        layer_configs: Sequence[Mapping[str, int]],
        input_size: int,
        *,
        neurons: Neurons | None = None,
        wiring: Wiring | None = None,
        synaptic_rule: Rules = lambda kind: None,
        homeostatic_rule: IntrinsicPlasticity | None = None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if not layer_configs or not all(set(one) == {"n_e", "n_i"} for one in layer_configs):
            raise UserError(f'layer_configs={list(layer_configs)}; need at least one layer, each {{"n_e": ..., "n_i": ...}}')
        senders = [input_size, *(one["n_e"] for one in layer_configs[:-1])]
        self.layers = nn.ModuleList(
            Layer(
                below,
                one["n_e"],
                one["n_i"],
                neurons=neurons or Neurons(),
                wiring=wiring or Wiring(),
                rules=synaptic_rule,
                homeostasis=homeostatic_rule,
                name=f"layer {place}",
                generator=generator,
            )
            for place, (below, one) in enumerate(zip(senders, layer_configs, strict=True))
        )
        self.states: list[LayerState] | None = None

    def reset(self) -> None:
        """Silence, and no traces; weights, thresholds and what rules call slow stay."""
        self.states = None
        for layer in self.layers:
            for projection in layer.projections.values():
                projection.reset()

    def step(self, x_NC: Tensor) -> list[Tensor]:
        """One step of all layers: the spikes [N, n] of each. It goes on where the last step ended."""
        if self.states is None:
            self.states = [layer.silent(len(x_NC)) for layer in self.layers]
        below_NC, spikes = x_NC, []
        for place, layer in enumerate(self.layers):
            spikes_Nn, self.states[place] = layer.step(below_NC, self.states[place])
            spikes.append(spikes_Nn)
            below_NC = spikes_Nn[:, : layer.n_e]
        return spikes

    def forward(self, x_TNC: Tensor) -> Tensor:
        """Spikes of the inputs -> spikes of the last layer's excitatory neurons, from silence."""
        self.reset()
        last = self.layers[-1]
        return torch.stack([self.step(x_NC)[-1][:, : last.n_e] for x_NC in x_TNC])

    @torch.no_grad()
    def simulate(self, x_TC: Tensor, *, every: int = 100) -> list[Trace]:
        """One recording through all layers, from silence; weights and thresholds end as the rules leave them.

        Args:
            x_TC: spikes 0 or 1. every: steps between two looks at the inhibition.

        Raises:
            UserError: a rule that the compiled code does not know; use the module itself.
        """
        self.reset()
        traces, below_TC = [], x_TC.to(torch.uint8).contiguous()
        for layer in self.layers:
            traces.append(_simulate(layer, below_TC, every, self.training))
            below_TC = traces[-1].spikes_Tn[:, : layer.n_e].contiguous()
        return traces


def _simulate(layer: Layer, x_TC: Tensor, every: int, learns: bool) -> Trace:
    e, n = layer.n_e, layer.n_e + layer.n_i
    dtype = layer.theta.numpy().dtype
    rules = {kind: layer.projection(kind).rule if learns else None for kind in ("input->e", "e->e", "i->e")}
    fixed = [kind for kind in ("input->i", "e->i", "i->i") if learns and layer.projection(kind).rule is not None]
    if fixed:
        raise UserError(f"{layer.name}: {fixed[0]} learns, which compiled runs do not know; call the network itself, step by step")
    into = torch.cat([layer.projection(f"input->{target}").magnitude for target in "ei"]).numpy().copy()
    own = (layer.weight * layer.sign).numpy().copy()
    masks = torch.cat([layer.projection(f"input->{target}").mask for target in "ei"]).numpy(), layer.mask.numpy()
    sizes = (layer.senders, e, e, e, layer.n_i, e)
    homeostasis = layer.homeostasis if learns else None
    spikes_Tn, current_T2, looks = run(
        x_TC.numpy(),
        np.zeros(layer.senders, np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, dtype),
        layer.theta.numpy(),
        into,
        own,
        *masks,
        e,
        layer.neurons.fade,
        layer.neurons.refractory,
        np.zeros(n, np.int64),
        tuple(np.zeros(size, dtype) for size in sizes),
        _pair(layer, rules["input->e"]),
        _pair(layer, rules["e->e"]),
        _inhibition(layer, rules["i->e"]),
        Threshold()
        if homeostasis is None
        else Threshold(homeostasis.eta, homeostasis.rate_per_ms * homeostasis.dt_ms, homeostasis.lowest, homeostasis.highest),
        every,
    )
    for place, target in enumerate("ei"):
        rows = slice(0, e) if place == 0 else slice(e, n)
        layer.projection(f"input->{target}").magnitude.copy_(torch.from_numpy(into[rows]))
        layer.projection(f"e->{target}").magnitude.copy_(torch.from_numpy(own[rows, :e]))
        layer.projection(f"i->{target}").magnitude.copy_(torch.from_numpy(own[rows, e:]))
    return Trace(torch.from_numpy(spikes_Tn), torch.from_numpy(current_T2), *torch.from_numpy(looks).unbind(1))


def _pair(layer: Layer, rule: Rule | None) -> Pair:
    if rule is None:
        return Pair()
    bounds = rule.bounds
    if not isinstance(rule, PairSTDP) or not (isinstance(bounds, Hard) or (isinstance(bounds, Soft) and bounds.power == 1)):
        raise UserError(
            f"{layer.name}: compiled runs know PairSTDP with hard bounds or soft ones of power 1, not {rule}; call the network itself"
        )
    plus, minus = (math.exp(-rule.dt_ms / tau) for tau in (rule.tau_plus_ms, rule.tau_minus_ms))
    return Pair(rule.a_plus, rule.a_minus, plus, minus, bounds.maximum, float(isinstance(bounds, Soft)))


def _inhibition(layer: Layer, rule: Rule | None) -> Inhibition:
    if rule is None:
        return Inhibition()
    if not isinstance(rule, InhibitorySTDP) or not isinstance(rule.bounds, Hard):
        raise UserError(f"{layer.name}: compiled runs know InhibitorySTDP with hard bounds, not {rule}; call the network itself")
    return Inhibition(rule.eta, rule.alpha, math.exp(-rule.dt_ms / rule.tau_ms), rule.bounds.maximum)
