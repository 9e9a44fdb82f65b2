"""P8.3's experiment: neurons that see patterns, whose inputs then grow fourfold and then fall to a quarter.

Shapes: T steps, C inputs, n neurons, K patterns.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from snn5.bio._readout import accuracy, fit
from snn5.bio.homeostasis._measures import responses, selectivity, settled_after, window_rates
from snn5.bio.homeostasis._population_kernel import Control, Looks, Sliding, run
from snn5.config import Homeostasis
from snn5.record import Run

GAINS = {"x1": 1.0, "x4": 4.0, "x0.25": 0.25}  # one phase each; the last is a fall to a sixteenth
EVERY = 100  # steps between two looks
SPREAD = 0.3  # sd over mean of the first weights


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Which rules are on."""

    threshold: str = ""  # "", "log" or "additive"
    bcm: bool = False


VARIANTS = {
    "none": Variant(),
    "threshold": Variant(threshold="log"),
    "additive": Variant(threshold="additive"),
    "bcm": Variant(bcm=True),
    "both": Variant(threshold="log", bcm=True),
}


def patterns(settings: Homeostasis, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Poisson spikes uint8 [T, C] of patterns that take turns, in a new order each round, and the number of the pattern in each step [T].

    Pattern k excites the k-th block of C / K inputs.
    """
    k, shown = settings.patterns, settings.pattern_steps
    rounds = -(-steps // (k * shown))
    order = torch.cat([torch.randperm(k, generator=generator) for _ in range(rounds)])
    pattern_T = order.repeat_interleave(shown)[:steps]
    block_C = torch.arange(settings.inputs) * k // settings.inputs
    p_KC = torch.where(block_C == torch.arange(k)[:, None], settings.high_per_ms, settings.low_per_ms)
    return (torch.rand(steps, settings.inputs, generator=generator) < p_KC[pattern_T]).to(torch.uint8), pattern_T


def trial(settings: Homeostasis, variant: Variant, seed: int) -> Run:
    """A long phase at gain 1, then one at 4 and one at a quarter; figures of each phase and of the way back into it."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [settings.first_steps, settings.steps, settings.steps]
    x_TC, pattern_T = patterns(settings, sum(lengths), generator)
    gain_T = torch.cat([torch.full((length,), gain, dtype=torch.float64) for length, gain in zip(lengths, GAINS.values(), strict=True)])
    shape = (settings.neurons, settings.inputs)
    weight = settings.weight * (1 + SPREAD * torch.randn(shape, dtype=torch.float64, generator=generator)).clamp_min(0.0)
    threshold = torch.ones(settings.neurons, dtype=torch.float64)
    spikes, *seen = run(
        x_TC.numpy(),
        gain_T.numpy(),
        weight.numpy(),
        threshold.numpy(),
        math.exp(-1.0 / settings.tau_ms),
        settings.refractory,
        _control(settings, variant),
        _sliding(settings, variant),
        EVERY,
    )
    looks, spikes_Tn = Looks(*seen), torch.from_numpy(spikes)
    run_made = Run()
    starts = [0, lengths[0], lengths[0] + lengths[1]]
    for name, start, length in zip(GAINS, starts, lengths, strict=True):
        phase = slice(start, start + length)
        run_made.metrics |= {f"{name}/{key}": value for key, value in _phase(settings, spikes_Tn[phase], pattern_T[phase]).items()}
    if variant.bcm:
        run_made.metrics |= _following(looks, settings)
    run_made.metrics["weight_growth"] = float(looks.norm_L[-1] / looks.norm_L[0])
    window = settings.window
    run_made.curves["rate"] = [(k * window, float(rate)) for k, rate in enumerate(window_rates(spikes_Tn, window))]
    scale = window // EVERY
    run_made.curves["threshold"] = [(k * window, float(v)) for k, v in enumerate(looks.threshold_L[scale - 1 :: scale])]
    return run_made


def _phase(settings: Homeostasis, spikes_Tn: Tensor, pattern_T: Tensor) -> dict[str, float]:
    """Figures of one phase: the way back over all of it, the rest over its second half."""
    rates = window_rates(spikes_Tn, settings.window)
    target, half = settings.rate_per_ms, len(spikes_Tn) // 2
    late_Tn, late_T = spikes_Tn[half:], pattern_T[half:]
    rate = float(late_Tn.double().mean())
    judged = rates[settings.back_steps // settings.window :]
    found = {
        "rate": rate,
        "error": abs(rate / target - 1),
        "error_after": float((judged / target - 1).abs().max()),
        "settled_steps": min(settled_after(rates, target, settings.window), float(len(spikes_Tn))),
        "selectivity": float(selectivity(responses(late_Tn, late_T, settings.patterns)).mean()),
    }
    shows = len(late_Tn) // settings.pattern_steps
    counts = late_Tn[: shows * settings.pattern_steps].view(shows, settings.pattern_steps, -1).sum(1, dtype=torch.float64)
    label = late_T[: shows * settings.pattern_steps : settings.pattern_steps]
    if rate > 0:
        readout = fit(counts[: shows // 2], label[: shows // 2], settings.patterns)
        found["test/acc"] = accuracy(readout(counts[shows // 2 :]), label[shows // 2 :])
    else:
        found["test/acc"] = 1 / settings.patterns  # nothing fires: any answer is a guess
    return found


def _following(looks: Looks, settings: Homeostasis) -> dict[str, float]:
    """How far BCM's sliding threshold lies from the second moment over the last half of the first phase, relative, mean over neurons."""
    last = settings.first_steps // EVERY
    theta_n, moment_n = (torch.from_numpy(kept[last // 2 : last]).mean(0) for kept in (looks.theta_Ln, looks.moment_Ln))
    alive = moment_n > 0
    return {"bcm/theta_error": float((theta_n[alive] / moment_n[alive] - 1).abs().mean())}


def _control(settings: Homeostasis, variant: Variant) -> Control:
    if not variant.threshold:
        return Control()
    log = variant.threshold == "log"
    return Control(eta=settings.eta if log else settings.additive_eta, rate=settings.rate_per_ms, logarithmic=float(log))


def _sliding(settings: Homeostasis, variant: Variant) -> Sliding:
    if not variant.bcm:
        return Sliding(rate=settings.bcm_rate_per_ms)
    return Sliding(
        eta=settings.bcm_eta,
        rate=settings.bcm_rate_per_ms,
        fade_rate=math.exp(-1.0 / settings.bcm_tau_rate_ms),
        fade_theta=math.exp(-1.0 / settings.bcm_tau_theta_ms),
        maximum=settings.bcm_max,
    )
