"""Is a network stable: rates, irregularity, correlation, balance of currents, drift, and Dale's law.

Shapes: T steps, n neurons.
"""

import torch
from torch import Tensor

from snn5.bio._diagnostics import cv_isi
from snn5.bio.simple_network._layer import Layer
from snn5.bio.simple_network._network import Trace
from snn5.errors import UserError

SILENT, RUNAWAY = 1e-4, 0.3  # spikes per neuron and step
WINDOW, BIN = 50, 10  # steps: of a population rate, of the counts that are correlated


def dale_violations(weight: Tensor, mask: Tensor, sign_p: Tensor) -> int:
    """Synapses [receiver, sender] against the sign of their sender, or where there is none."""
    against = weight * sign_p < 0
    outside = (weight != 0) & ~mask
    return int((against | outside).sum())


def correlation(spikes_Tn: Tensor, bin_steps: int = BIN) -> float:
    """Mean correlation of two neurons' spike counts in bins, over all pairs of neurons whose counts vary; 0 where there is no pair."""
    bins = len(spikes_Tn) // bin_steps
    count_nB = spikes_Tn[: bins * bin_steps].view(bins, bin_steps, -1).sum(1, dtype=torch.float64).T
    count_nB = count_nB[count_nB.var(1) > 0]
    m = len(count_nB)
    if m < 2:
        return 0.0
    return float((torch.corrcoef(count_nB).sum() - m) / (m * (m - 1)))


def highest_rate(spikes_Tn: Tensor, window: int = WINDOW) -> float:
    """The highest mean rate of the population in any window of consecutive steps, spikes per neuron and step."""
    total_T = torch.cat([torch.zeros(1, dtype=torch.float64), spikes_Tn.double().mean(1).cumsum(0)])
    window = min(window, len(spikes_Tn))
    return float((total_T[window:] - total_T[:-window]).max()) / window


def stability(trace: Trace, layer: Layer, start: int) -> dict[str, float]:
    """The report of one layer over steps `start` to the end.

    Returns:
        `rate_e`, `rate_i` (spikes per neuron and step), `rate_max` (of the excitatory ones, in 50 steps), `runaway` (1: above 0.3 for 50
        steps), `silent` (1: below 1e-4), `cv_isi` (0 where no neuron fires three times), `correlation`, `net_current` = |I_E + I_I| / |I_E|
        into excitatory neurons, `violations` of Dale's law over the whole run, `inhibition_kept` = least sum of inhibitory magnitudes over
        the first look's (1 without inhibition).

    Raises:
        UserError: no steps are left.
    """
    if not 0 <= start < len(trace.spikes_Tn):
        raise UserError(f"start={start} of {len(trace.spikes_Tn)} steps leaves nothing to look at")
    spikes_Tn = trace.spikes_Tn[start:]
    own_Te, other_Ti = spikes_Tn[:, : layer.n_e], spikes_Tn[:, layer.n_e :]
    plus, minus = trace.current_T2[start:].mean(0).tolist()
    rate = float(own_Te.double().mean())
    often = bool((own_Te.sum(0, dtype=torch.int64) >= 3).any())
    found = {
        "rate_e": rate,
        "rate_max": highest_rate(own_Te),
        "silent": float(rate < SILENT),
        "cv_isi": cv_isi(own_Te[:, None]) if often else 0.0,
        "correlation": correlation(own_Te),
        "net_current": abs(plus - minus) / plus if plus else 0.0,
        "violations": float(trace.violations.max()) + dale_violations(layer.weight, layer.mask, layer.sign),
        "inhibition_kept": float(trace.inhibition.min() / trace.inhibition[0]) if float(trace.inhibition[0]) else 1.0,
    }
    found["runaway"] = float(found["rate_max"] > RUNAWAY)
    return found | ({"rate_i": float(other_Ti.double().mean())} if layer.n_i else {})


def check_alive(report: dict[str, float], name: str) -> None:
    """Stop at a silent or runaway layer: what is measured on it means nothing.

    Raises:
        UserError: names the layer.
    """
    if report["silent"]:
        raise UserError(
            f"{name} is silent: {report['rate_e']:.2g} spikes per neuron and step, below {SILENT:g}; raise the input's strength"
        )
    if report["runaway"]:
        raise UserError(f"{name} runs away: {report['rate_max']:.2g} spikes per neuron and step over {WINDOW} steps, above {RUNAWAY:g}; "
                        "raise the inhibition or lower the input's strength")  # fmt: skip
