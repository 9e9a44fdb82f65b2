"""P8.1's rival: a spiking state space model trained by gradients, on the liquid's own samples.

Shapes: T steps, N samples, C inputs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from snn5.benchmark import FP32, OperationCounter
from snn5.bio._claims import Claim, at_least, verdicts
from snn5.bio._observe import digest
from snn5.bio._tasks import OrderTask, draw
from snn5.bio._trials import Samples, order_sets
from snn5.config import Train
from snn5.datasets import Split, Splits
from snn5.record import Run
from snn5.statistics import mean_sd, summarise
from snn5.training import evaluate, samples, train_one

ORDER_VAL = 150
BACKWARD = 2  # forward passes that a backward pass costs


def order_splits(task: OrderTask, seed: int, *, dt_ms: float) -> Splits:
    """The samples that `order_trial` trains and tests a liquid on with this seed, and others of the same prototypes to validate on."""
    generator = torch.Generator().manual_seed(seed)
    times, train, test = order_sets(task, generator, dt_ms=dt_ms)
    val = draw(task, times, ORDER_VAL, dt_ms=dt_ms, generator=generator)
    info = {"dataset": "order", "num_classes": task.classes, "scale": 1}
    return Splits(**{side: _split(own, info) for side, own in (("train", train), ("val", val), ("test", test))})


def rival_trial(settings: Train, splits: Splits, *, seed: int, tick: Callable[..., None] = lambda: None) -> Run:
    """Train, take the epoch that validation chose, and count what training and an answer cost.

        training MACs = epochs x samples x (1 + 2) x dense MACs of a forward pass

    A forward pass is counted as the network runs step by step.

    Returns:
        A Run with `test/acc`, `test/acc_last`, `val/acc`, `model/params`, `cost/train_macs`, `cost/synops` (additions), `cost/macs`,
        `cost/energy_pj` (FP32, of both), `cost/neuron_updates`, `cost/spike_rate`; hashes of weights and answers in its details.
    """
    steps, n_train = len(splits.train.x_TNCHW), len(splits.train)
    checkpoint, run = train_one(settings, splits, time_steps=steps, seed=seed, tick=tick, guard=False)
    model = checkpoint.build()
    with OperationCounter(model) as counter:
        tested = evaluate(model, samples(splits.test))
    counted = counter.operations(tested.n)
    macs, acs = counted.total("macs"), counted.total("acs")
    run.metrics |= {
        "cost/train_macs": settings.epochs * n_train * (1 + BACKWARD) * counted.total("dense"),
        "cost/synops": acs,
        "cost/macs": macs,
        "cost/energy_pj": FP32.energy_pj(macs=macs, acs=acs),
        "cost/neuron_updates": counted.updates,
        "cost/spike_rate": sum(n.spikes for n in counted.neurons.values()) / counted.updates,
    }
    run.params |= {"time_steps": steps, "epochs": settings.epochs}
    run.details["sha256"] = {
        "weights": digest(*(checkpoint.state[name] for name in sorted(checkpoint.state))),
        "predictions": digest(tested.prediction_N),
    }
    run.details["n_test"] = tested.n
    return run


def rival_verdict(
    groups: Mapping[str, Sequence[Run]], again: Run, *, reference: str, target: float
) -> tuple[dict[str, float], list[Claim]]:
    """Means over seeds, steadiness (1 - sd / mean, from two seeds on) and the claims.

    Args:
        groups: runs by task, one per seed. again: the first of `reference` made a second time. target: least accuracy on `events`.
    """
    summary: dict[str, float] = {}
    for group, runs in groups.items():
        summary |= summarise(runs, prefix=f"{group}/")
        mean, sd = mean_sd(run.metrics["test/acc"] for run in runs)
        summary[f"{group}/r2/steadiness"] = 1 - sd / mean if mean else 0.0
    first = groups[reference][0]
    same = first.metrics == again.metrics and first.details["sha256"] == again.details["sha256"]
    claims = [
        at_least("deterministic", "same seed: same weights and answers, to the last bit", float(same), 1.0),
        at_least("accuracy", "accuracy on the recordings", summary["events/test/acc"], target),
    ]
    return summary | verdicts(claims), claims


def _split(own: Samples, info: dict[str, Any]) -> Split:
    x_TNC, y_N = own
    x_TNCHW = np.ascontiguousarray(x_TNC.numpy()[..., None, None])
    return Split(x_TNCHW=x_TNCHW, y_N=y_N.numpy(), index_N=np.arange(len(y_N)), info=info)
