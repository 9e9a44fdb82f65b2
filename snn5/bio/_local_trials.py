"""The local classifier, one seed, and what all seeds say together.

Shapes: N samples, T steps, C inputs, n neurons, K classes. A sample set is a pair (intensities_NC in 0..1, y_N int64).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from snn5.bio._claims import Claim, at_least, verdicts
from snn5.bio._local import Pool, learn, name_neurons, new_pool, show, vote
from snn5.bio._observe import digest
from snn5.bio._paired import paired_gain
from snn5.bio._readout import accuracy
from snn5.coding import rate
from snn5.config import Local as Settings
from snn5.errors import UserError
from snn5.record import Run
from snn5.statistics import summarise

Samples = tuple[Tensor, Tensor]
LOCAL_VARIANTS: Mapping[str, Mapping[str, Any]] = {"stdp": {}, "no_stdp": {"eta": 0.0}, "no_homeostasis": {"eta_threshold": 0.0}}


def local_trial(settings: Settings, train: Samples, val: Samples, test: Samples, *, classes: int, seed: int) -> Run:
    """Learn without labels, name the neurons by the training set, then read validation and test with everything frozen.

    Raises:
        UserError: the pool fell silent.
    """
    generator = torch.Generator().manual_seed(seed)
    x_train, x_val, x_test = (rate(x_NC, settings.time_steps).to(torch.uint8) for x_NC, _ in (train, val, test))
    pool = learn(new_pool(x_train.shape[2], settings, generator), x_train, settings, generator)
    seen = show(pool, x_train, settings)[0]
    if not int(seen.sum()):
        raise UserError(
            f"no neuron fires at p8_local.threshold={settings.threshold:g}: the pool is silent; lower it or raise p8_local.tau_m_ms"
        )
    share_nK = name_neurons(seen, train[1], classes)
    run = Run()
    for side, x_TNC, (_, y_N) in (("train", x_train, train), ("val", x_val, val), ("test", x_test, test)):
        counts_Nn = show(pool, x_TNC, settings)[0]
        scores_NK = vote(counts_Nn, share_nK)
        run.metrics[f"{side}/acc"] = accuracy(scores_NK, y_N)
    run.metrics |= _costs(x_test, counts_Nn, pool, settings) | {"local/neurons_used": float((seen.sum(0) > 0).double().mean())}
    run.details |= {
        "n_test": len(test[1]),
        "sha256": {"pool": digest(*pool), "names": digest(share_nK), "predictions": digest(scores_NK.argmax(1))},
        "fields": {"side": math.isqrt(pool.weight_nC.shape[1]), "weights": _fields(pool, share_nK)},
    }
    return run


def local_verdict(groups: Mapping[str, Sequence[Run]], again: Run, *, target: float) -> tuple[dict[str, float], list[Claim]]:
    """Means over seeds, what STDP and homeostasis are worth seed by seed (95 % interval, Student's t), and the claims.

    Args:
        groups: the runs of each of `LOCAL_VARIANTS`, one per seed and in the seeds' order. again: the first of `stdp` made a second time.
        target: least accuracy.

    Returns:
        Summary figures (`<variant>/...`, `compare/...`, `verdict/...`: 1 met, 0 missed) and the claims as rows for the report.
    """
    summary: dict[str, float] = {}
    for variant, runs in groups.items():
        summary |= summarise(runs, prefix=f"{variant}/")
    for other in ("no_stdp", "no_homeostasis"):
        mean, sd, half = paired_gain(groups["stdp"], groups[other])
        summary |= {f"compare/acc_over_{other}": mean, f"compare/acc_over_{other}_sd": sd, f"compare/acc_over_{other}_ci95": half}
    first = groups["stdp"][0]
    same = first.metrics == again.metrics and first.details["sha256"] == again.details["sha256"]
    least = {
        other: summary[f"compare/acc_over_{other}"] - summary[f"compare/acc_over_{other}_ci95"] for other in ("no_stdp", "no_homeostasis")
    }
    claims = [
        at_least("deterministic", "same seed: same weights, names and predictions", float(same), 1.0),
        at_least("accuracy", "accuracy by local rules alone, mean over seeds", summary["stdp/test/acc"], target),
        at_least("worst", "accuracy of the worst seed", min(run.metrics["test/acc"] for run in groups["stdp"]), target),
        at_least("stdp", "accuracy that STDP adds, lower end of the 95 % interval", least["no_stdp"], 0.0),
        at_least("homeostasis", "accuracy that homeostasis adds, lower end of the 95 % interval", least["no_homeostasis"], 0.0),
    ]
    return summary | verdicts(claims), claims


def _costs(x_TNC: Tensor, counts_Nn: Tensor, pool: Pool, settings: Settings) -> dict[str, float]:
    """Each input spike reaches all neurons, each spike of the pool inhibits all the others."""
    neurons = settings.neurons
    spikes = float(counts_Nn.sum(1).double().mean())
    inputs = float(x_TNC.sum((0, 2), dtype=torch.float64).mean())
    return {
        "cost/input_spikes": inputs,
        "cost/spikes": spikes,
        "cost/spike_rate": spikes / neurons / settings.time_steps,
        "cost/synops": inputs * neurons + spikes * (neurons - 1),
        "cost/neuron_updates": float(neurons * settings.time_steps),
        "model/params": float(pool.weight_nC.numel() + pool.threshold_n.numel()),
    }


def _fields(pool: Pool, share_nK: Tensor, each: int = 3) -> list[dict[str, Any]]:
    """The weights of the `each` surest neurons of every class, rounded for drawing."""
    found = []
    for label in range(share_nK.shape[1]):
        for neuron in share_nK[:, label].argsort(descending=True, stable=True)[:each].tolist():
            found.append({"label": label, "weights": [round(w, 3) for w in pool.weight_nC[neuron].tolist()]})
    return found
