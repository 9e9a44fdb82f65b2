"""What the seeds say together: the figures of P2.3 with their spread, against the claim."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import t as student

from snn5.config import Coding
from snn5.record import Run
from snn5.statistics import mean_sd, summarise

RATIOS = {  # TTFS / rate
    "synops": ("cost/synops",),
    "synops_hidden": ("cost/synops_hidden",),
    "spikes": ("cost/input_spikes", "cost/hidden_spikes"),
    "neuron_updates": ("cost/neuron_updates",),
    "operations": ("cost/synops", "cost/neuron_updates"),
    "latency": ("cost/latency_steps",),
}


def verdict(settings: Coding, by_seed: Sequence[Mapping[str, Run]]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Means over seeds, paired comparisons and the three claims.

    The accuracy is compared seed by seed, with a 95 % interval (Student's t over seeds, half width `_ci95`). All seeds share one test
    set: the interval says how far training varies, not how far another test set would.

    Returns:
        Summary figures (`<code>/...`, `compare/...`, `verdict/...`: 1 met, 0 missed) and the claims as rows for the report.
    """
    summary: dict[str, float] = {}
    for code in ("rate", "ttfs", "latch", "relu"):
        summary |= summarise((runs[code] for runs in by_seed), prefix=f"{code}/")
    for name, parts in RATIOS.items():
        ratios = [_total(runs["ttfs"], parts) / _total(runs["rate"], parts) for runs in by_seed]
        summary[f"compare/{name}_ratio"], summary[f"compare/{name}_ratio_sd"] = mean_sd(ratios)
    for name, parts in RATIOS.items():
        ratios = [_total(runs["latch"], parts) / _total(runs["rate"], parts) for runs in by_seed]
        summary[f"latch/{name}_ratio"], summary[f"latch/{name}_ratio_sd"] = mean_sd(ratios)
    for other in ("rate", "relu"):
        loss = [runs[other].metrics["test/acc"] - runs["ttfs"].metrics["test/acc"] for runs in by_seed]
        mean, sd = mean_sd(loss)
        half = float(student.ppf(0.975, len(loss) - 1)) * sd / math.sqrt(len(loss))
        summary |= {f"compare/acc_loss_to_{other}": mean, f"compare/acc_loss_to_{other}_sd": sd, f"compare/acc_loss_to_{other}_ci95": half}
    loss = [runs["rate"].metrics["test/acc"] - runs["latch"].metrics["test/acc"] for runs in by_seed]
    summary["latch/acc_loss_to_rate"], summary["latch/acc_loss_to_rate_sd"] = mean_sd(loss)
    claims = [
        ("one_spike", "spikes per neuron, at most", max(runs["ttfs"].metrics["cost/spikes_per_neuron_max"] for runs in by_seed), 1.0),
        ("synops", "SynOps as a share of the rate code's, at most", summary["compare/synops_ratio"], settings.max_synops),
        ("accuracy", "accuracy lost to the rate code, at most", summary["compare/acc_loss_to_rate"], settings.max_accuracy_loss),
    ]
    met = {name: value <= limit for name, _, value, limit in claims}
    summary |= {f"verdict/{name}": float(held) for name, held in met.items()}
    summary["verdict/all"] = float(all(met.values()))
    rows = [{"name": name, "claim": text, "measured": value, "limit": limit, "met": met[name]} for name, text, value, limit in claims]
    return summary, rows


def _total(run: Run, parts: Sequence[str]) -> float:
    return math.fsum(run.metrics[part] for part in parts)
