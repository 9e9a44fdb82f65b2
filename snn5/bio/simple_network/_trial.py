"""P8.2's experiment: one network, one seed, several ways to learn; a steady input, then the same with twice the rate; digits to tell apart.

Shapes: T steps, N samples, C inputs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.bio._readout import accuracy, fit
from snn5.bio._synops import raster_points
from snn5.bio.learning_rules import Hard, InhibitorySTDP, PairSTDP, Rule, Soft
from snn5.bio.simple_network._layer import Neurons, Rules, Wiring
from snn5.bio.simple_network._network import BioSNN
from snn5.bio.simple_network._stability import check_alive, stability
from snn5.config import Dale
from snn5.record import Run

Samples = tuple[Tensor, Tensor]  # spikes uint8 [T, N, C], labels [N]
EVERY = 10  # steps between two looks at the weights
_POINTS = 3000  # of the raster that is kept for drawing
_RASTER = 500  # steps of it


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What a network has and what of it learns."""

    inhibition: bool = True
    excitatory_stdp: bool = False
    inhibitory_stdp: bool = False


VARIANTS = {
    "istdp": Variant(excitatory_stdp=True, inhibitory_stdp=True),
    "frozen": Variant(),
    "stdp": Variant(excitatory_stdp=True),
    "e_only": Variant(inhibition=False),
}


def rules(settings: Dale, variant: Variant) -> Rules:
    """The rule of each kind of projection: pair STDP from below and among excitatory neurons, Vogels' rule from I to E."""
    strength = dict(zip(("input->e", "e->e"), (settings.strengths[0], settings.strengths[2]), strict=True))

    def rule(kind: str) -> Rule | None:
        if kind == "i->e" and variant.inhibitory_stdp:
            return InhibitorySTDP(
                eta=settings.inhibitory_eta, rate_per_ms=settings.rate_per_ms, bounds=Hard(maximum=settings.inhibitory_max)
            )
        if kind in strength and variant.excitatory_stdp:
            return PairSTDP(a_plus=settings.a_plus, a_minus=settings.a_minus, bounds=Soft(maximum=2 * strength[kind] or 1.0))
        return None

    return rule


def network(settings: Dale, variant: Variant, inputs: int, generator: torch.Generator) -> BioSNN:
    """One layer, wired by `generator`."""
    return BioSNN(
        [{"n_e": settings.n_e, "n_i": settings.n_i if variant.inhibition else 0}],
        inputs,
        neurons=Neurons(),
        wiring=Wiring(density=settings.density, strength=tuple(settings.strengths)),
        synaptic_rule=rules(settings, variant),
        generator=generator,
    )


def steady_trial(settings: Dale, variant: Variant, seed: int) -> Run:
    """A Poisson input of one rate for `steps`, then of twice that rate for as long; figures are of the last quarter of each half.

    Raises:
        UserError: a layer is silent or runs away at the first rate.
    """
    generator = torch.Generator().manual_seed(seed)
    net = network(settings, variant, settings.inputs, generator)
    layer, start = net.layers[0], settings.steps * 3 // 4
    norm = _norm(net)
    before, after = (
        torch.rand(settings.steps, settings.inputs, generator=generator) < factor * settings.input_rate_per_ms for factor in (1.0, 2.0)
    )
    first = net.simulate(before, every=EVERY)[0]
    report = stability(first, layer, start)
    check_alive(report, f"{layer.name} ({settings.n_e} excitatory neurons)")
    middle = _norm(net)
    held = {name: tensor.clone() for name, tensor in net.state_dict().items() if torch.is_tensor(tensor)}
    second = net.simulate(after, every=EVERY)[0]
    doubled = stability(second, layer, start)
    metrics = {f"steady/{name}": value for name, value in report.items()} | {f"doubled/{name}": value for name, value in doubled.items()}
    metrics |= {
        "rate_ratio": doubled["rate_e"] / report["rate_e"],
        "weight_drift": middle / norm - 1,
        "dale/violations": report["violations"] + doubled["violations"],
        "dale/inhibition_kept": min(report["inhibition_kept"], doubled["inhibition_kept"]),
    }
    net.load_state_dict(held, strict=False)
    net.eval()
    frozen = stability(net.simulate(after, every=EVERY)[0], layer, start)
    metrics["rate_ratio_frozen_then"] = frozen["rate_e"] / report["rate_e"]
    rate_T = torch.cat([first.spikes_Tn, second.spikes_Tn])[:, : layer.n_e].double().mean(1)
    window = settings.steps // 50
    curve = [(k * window, float(value)) for k, value in enumerate(rate_T.view(-1, window).mean(1))]
    raster = raster_points(first.spikes_Tn[-_RASTER:], _POINTS)
    return Run(metrics=metrics, curves={"rate_e": curve}, details={"raster": {"points": raster, "n_e": layer.n_e}})


def digits_trial(settings: Dale, variant: Variant, train: Samples, test: Samples, *, classes: int, seed: int) -> Run:
    """Learn without labels from all training images in a row, freeze, and read the excitatory counts out by ridge regression."""
    (x_train, y_train), (x_test, y_test) = train, test
    net = network(settings, variant, x_train.shape[2], torch.Generator().manual_seed(seed))
    stream_TC = x_train[: settings.stream_steps].transpose(0, 1).flatten(0, 1)
    trace = net.simulate(stream_TC, every=EVERY)[0]
    net.eval()
    counts = [net(x_TNC).sum(0) for x_TNC in (x_train, x_test)]
    readout = fit(counts[0], y_train, classes)
    rate = float(counts[1].double().mean()) / len(x_test)
    metrics = {"test/acc": accuracy(readout(counts[1]), y_test), "cost/spike_rate": rate, "dale/violations": float(trace.violations.max())}
    return Run(metrics=metrics, details={"n_test": len(y_test)})


def _norm(net: BioSNN) -> float:
    return float(sum((p.magnitude.double() ** 2).sum() for layer in net.layers for p in layer.projections.values())) ** 0.5
