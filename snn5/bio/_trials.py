"""One liquid, one seed, one task: wire it, show it the samples, fit the read-out, and measure.

Shapes: T steps, N samples, C inputs, p features. A sample set is a pair (x_TNC uint8, y_N int64).
"""

import torch
from torch import Tensor

from snn5.bio._diagnostics import branching, cv_isi, effective_rank, guard, population_rates, separation
from snn5.bio._features import bin_counts, features, window_counts
from snn5.bio._liquid import Liquid
from snn5.bio._observe import BATCH, Activity, digest, observe
from snn5.bio._online import fit_online
from snn5.bio._plastic import train_liquid
from snn5.bio._readout import Readout, accuracy, fit, solution_macs
from snn5.bio._synops import raster_points, synops
from snn5.bio._tasks import OrderTask, draw, prototypes
from snn5.config import Liquid as Settings
from snn5.config import Plasticity
from snn5.record import Run

Samples = tuple[Tensor, Tensor]
ORDER_TRAIN, ORDER_TEST = 300, 600
_PROBE = 64  # samples whose whole raster is looked at
_POINTS = 3000  # of the raster that is kept for drawing


def recordings_trial(
    settings: Settings,
    train: Samples,
    val: Samples,
    test: Samples,
    *,
    classes: int,
    seed: int,
    batch: int = BATCH,
    online: bool = True,
    learning: Plasticity | None = None,
) -> Run:
    """Recordings of an event camera: accuracy with the read-out fitted to the training set alone, and what an answer costs.

    With `learning` the liquid first learns from the training set without labels (`train_liquid`), and is then frozen.

    Raises:
        UserError: a population is silent or saturated.
    """
    sensor = tuple(train[0].shape[2:])
    (x_train, y_train), (x_val, y_val), (x_test, y_test) = ((x.flatten(2), y) for x, y in (train, val, test))
    generator = torch.Generator().manual_seed(seed)
    rate = _rate(x_train, settings)
    liquid = Liquid(x_train.shape[2], settings, input_rate=rate, generator=generator, sensor=sensor if len(sensor) == 3 else None)
    if learning is not None:
        liquid = train_liquid(liquid, x_train, learning, generator)
    read = features(settings)
    seen = observe(liquid, x_train, read, batch=batch)
    guard(population_rates(seen.spikes_Nn, liquid.sign, seen.steps))
    readout = fit(seen.features_Np, y_train, classes)
    of_val, of_test = (observe(liquid, x, read, batch=batch) for x in (x_val, x_test))
    backwards = observe(liquid, x_test.flip(0), read, batch=batch)
    scores = readout(of_test.features_Np)
    run = Run(metrics=_costs(liquid, of_test, readout) | _training(liquid, seen, readout, learning))
    run.metrics |= {
        "val/acc": accuracy(readout(of_val.features_Np), y_val),
        "test/acc": accuracy(scores, y_test),
        "test/acc_reversed": accuracy(readout(backwards.features_Np), y_test),
        "liquid/separation": separation(of_test.features_Np, y_test),
        "liquid/effective_rank": effective_rank(of_test.features_Np),
    }
    if online:
        run.metrics["test/acc_online"] = accuracy(fit_online(seen.features_Np, y_train, classes)(of_test.features_Np), y_test)
    probe = liquid.simulate(x_test[:, :_PROBE])[0]
    run.metrics |= {"liquid/branching": branching(probe), "liquid/cv_isi": cv_isi(probe)}
    hashes = (digest(*liquid.buffers()), seen.sha256, of_test.sha256, digest(readout.weight_pK, readout.bias_K), digest(scores.argmax(1)))
    run.details |= {
        "n_test": len(y_test),
        "alpha": readout.alpha,
        "sha256": dict(zip(("wiring", "train", "test", "readout", "predictions"), hashes, strict=True)),
        "raster": {"points": raster_points(probe[:, 0], _POINTS), "label": int(y_test[0]), "columns": ["neuron", "step"]},
    }
    return run


def counts_trial(train: Samples, test: Samples, *, classes: int, bins: int) -> Run:
    """The same read-out on the input itself: spikes of each channel, over the whole window and in the liquid's bins."""
    run = Run(details={"n_test": len(test[1])})
    for name, parts in {"test/acc": 1, "test/acc_bins": bins}.items():
        (x_train, y_train), (x_test, y_test) = ((bin_counts(x.flatten(2), parts), y) for x, y in (train, test))
        readout = fit(x_train, y_train, classes)
        run.metrics |= {name: accuracy(readout(x_test), y_test), f"cost/{name.split('/')[1]}_macs": float(readout.macs)}
    return run


def order_trial(
    settings: Settings, task: OrderTask, *, seed: int, bins: int, alive: bool = True, learning: Plasticity | None = None
) -> Run:
    """The order task: the liquid's read-out, the input counts' (which must stay at chance), and the same test samples backwards.

    With `learning` the liquid first learns from the training set without labels (`train_liquid`), and is then frozen.

    Raises:
        UserError: a population is silent or saturated, unless `alive` is False, where that is a finding.
    """
    generator = torch.Generator().manual_seed(seed)
    _, (x_train, y_train), (x_test, y_test) = order_sets(task, generator, dt_ms=settings.dt_ms)
    liquid = Liquid(task.inputs, settings, input_rate=_rate(x_train, settings), generator=generator)
    if learning is not None:
        liquid = train_liquid(liquid, x_train, learning, generator)
    read = features(settings, bins)
    seen, of_test, backwards = (observe(liquid, x, read) for x in (x_train, x_test, x_test.flip(0)))
    if alive:
        guard(population_rates(seen.spikes_Nn, liquid.sign, seen.steps))
    readout = fit(seen.features_Np, y_train, task.classes)
    counted = fit(seen.inputs_NC, y_train, task.classes)
    costs = _costs(liquid, of_test, readout) | _training(liquid, seen, readout, learning)
    run = Run(metrics=costs, details={"n_test": len(y_test), "alpha": readout.alpha})
    run.metrics |= {
        "test/acc": accuracy(readout(of_test.features_Np), y_test),
        "test/acc_reversed": accuracy(readout(backwards.features_Np), y_test),
        "test/acc_input_counts": accuracy(counted(of_test.inputs_NC), y_test),
    }
    return run


def order_sets(task: OrderTask, generator: torch.Generator, *, dt_ms: float) -> tuple[Tensor, Samples, Samples]:
    """The task's prototypes, its training and its test samples, all drawn from `generator`."""
    times = prototypes(task, generator)
    train, test = (draw(task, times, n, dt_ms=dt_ms, generator=generator) for n in (ORDER_TRAIN, ORDER_TEST))
    return times, train, test


def _rate(x_TNC: Tensor, settings: Settings) -> float:
    return float(window_counts(x_TNC).sum()) / x_TNC.numel() / settings.dt_ms


def _costs(liquid: Liquid, seen: Activity, readout: Readout) -> dict[str, float]:
    rates = population_rates(seen.spikes_Nn, liquid.sign, seen.steps)
    synops_N = synops(seen.inputs_NC, seen.spikes_Nn, liquid.weight_in, liquid.weight)
    return {
        "cost/synops": float(synops_N.double().mean()),
        "cost/spikes": float(seen.spikes_Nn.sum(1).double().mean()),
        "cost/spike_rate": float(seen.spikes_Nn.double().mean()) / seen.steps,
        "cost/readout_macs": float(readout.macs),
        "cost/neuron_updates": float(seen.steps * len(liquid.sign)),
        **{f"liquid/rate_{name}": rate for name, rate in rates.items()},
    }


def _training(liquid: Liquid, seen: Activity, readout: Readout, learning: Plasticity | None) -> dict[str, float]:
    """SynOps of every pass over the training set (plastic ones counted with the weights that they ended with), and MACs of the read-out."""
    plastic = learning is not None and any((learning.eta_threshold, learning.eta_stdp, learning.eta_inhibition))
    passes = 1 + (learning.epochs if learning is not None and plastic else 0)
    total = float(synops(seen.inputs_NC, seen.spikes_Nn, liquid.weight_in, liquid.weight).sum())
    samples, features = len(seen.features_Np), seen.features_Np.shape[1]
    return {"cost/train_synops": passes * total, "cost/train_macs": solution_macs(samples, features, readout.weight_pK.shape[1])}
