"""P2.3: one network trained four times from the same weights in the same order of samples: rate-coded, TTFS, latched TTFS, ReLU."""

import torch
from torch import Tensor, nn

from snn5.coding._cost import count
from snn5.coding._fit import Fit, Samples, accuracy, fit, share_right
from snn5.coding._latch_net import LatchNet
from snn5.coding._raster import raster
from snn5.coding._rate_net import RateNet
from snn5.config import Coding
from snn5.neurons import TTFS
from snn5.parallel import Tick
from snn5.record import Run


def compare(settings: Coding, train: Samples, val: Samples, test: Samples, *, classes: int, seed: int, tick: Tick) -> dict[str, Run]:
    """Train and judge the four networks of one seed.

    Rate: regular rate code, IF neurons, BPTT. TTFS: trained in continuous time, judged on a clock of T steps per window. Latch: at most
    one spike, too, but all layers share one window of T steps, trained by BPTT as it runs. ReLU: the same training again, without spikes,
    to show that TTFS loses nothing but what the clock rounds away.

    Args:
        settings: T, topology and training, the same for all four.
        seed: of the initial weights and of the order of the samples.
        tick: called once per epoch of each network, 4 x settings.epochs times.

    Returns:
        Runs `rate`, `ttfs`, `latch`, `relu`.
    """
    sizes = [train.x_NI.shape[1], *[settings.hidden] * settings.layers, classes]
    ttfs = TTFS(sizes, generator=torch.Generator().manual_seed(seed))
    relu = ttfs.twin()
    rate = RateNet(relu, time_steps=settings.time_steps)
    latch = LatchNet(sizes, time_steps=settings.time_steps)
    with torch.no_grad():
        for own, start in zip([*latch.weights, *latch.biases], [*ttfs.weights, *ttfs.delays], strict=True):
            own.copy_(start)

    def train_it(model: nn.Module) -> Fit:
        return fit(
            model,
            train,
            val,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            lr=settings.lr,
            label_smoothing=settings.label_smoothing,
            generator=torch.Generator().manual_seed(seed + 1),
            tick=tick,
        )

    trained = {"rate": train_it(rate), "ttfs": train_it(ttfs), "latch": train_it(latch), "relu": train_it(relu)}
    with torch.no_grad():
        runs = {
            "rate": _judge_rate(rate, trained["rate"], settings, sizes, val, test),
            "latch": _judge_rate(latch, trained["latch"], settings, sizes, val, test),
            "ttfs": _judge_ttfs(ttfs, trained["ttfs"], settings, sizes, train, val, test),
            "relu": _judge_relu(relu, trained["relu"], val, test),
        }
        runs["relu"].metrics["test/logit_difference"] = _difference(relu, ttfs, test.x_NI)
    for run in runs.values():
        run.params["time_steps"] = settings.time_steps
    return runs


def _judge_rate(model: RateNet | LatchNet, trained: Fit, settings: Coding, sizes: list[int], val: Samples, test: Samples) -> Run:
    """A network whose layers all work in the same T steps."""
    model.load_state_dict(trained.last)
    last = accuracy(model, test)
    model.load_state_dict(trained.selected)
    trains, logits_NK = model.eval().spikes(test.x_NI)
    metrics = {"val/acc": accuracy(model, val), "test/acc": share_right(logits_NK, test.y_N), "test/acc_last": last}
    neurons = sum(sizes[1:]) * (2 if isinstance(model, LatchNet) else 1)  # potentials every step; a latched layer's held currents, too
    cost = count(trains, sizes[1:])
    metrics |= cost.metrics(time_steps=settings.time_steps, windows=1, updates=settings.time_steps * neurons)
    details = cost.details() | ({} if isinstance(model, LatchNet) else {"raster": raster(trains, serial=False)})
    return Run(params={"epoch": trained.epoch}, metrics=metrics, curves=trained.curves, details=details)


def _judge_ttfs(model: TTFS, trained: Fit, settings: Coding, sizes: list[int], train: Samples, val: Samples, test: Samples) -> Run:
    model.load_state_dict(trained.last)
    _put_on_clock(model, settings, train, val)
    last = accuracy(model, test)
    model.load_state_dict(trained.selected)
    model.time_steps = None
    continuous = accuracy(model, test)
    quantile = _put_on_clock(model, settings, train, val)
    trains, logits_NK = model.spikes(test.x_NI)
    times, closed_NK = model.times(test.x_NI)
    metrics = {
        "val/acc": accuracy(model, val),
        "test/acc": share_right(logits_NK, test.y_N),
        "test/acc_last": last,
        "test/acc_continuous": continuous,
        "test/simulation_error": float((logits_NK - closed_NK).abs().max()),
    }
    hidden = sum(sizes[1:-1])  # updated in the window before and in its own; a read-out potential only in the window before
    cost = count(trains, sizes[1:])
    windows = len(times)
    metrics |= cost.metrics(time_steps=settings.time_steps, windows=windows, updates=settings.time_steps * (2 * hidden + sizes[-1]))
    details = cost.details() | {"raster": raster(trains, serial=True), "windows": model.width_L.tolist()}
    return Run(params={"epoch": trained.epoch, "quantile": quantile}, metrics=metrics, curves=trained.curves, details=details)


def _judge_relu(model: nn.Sequential, trained: Fit, val: Samples, test: Samples) -> Run:
    model.load_state_dict(trained.last)
    last = accuracy(model, test)
    model.load_state_dict(trained.selected)
    metrics = {"val/acc": accuracy(model, val), "test/acc": accuracy(model, test), "test/acc_last": last}
    x, dense, nonzero = test.x_NI, 0, 0.0
    for part in model:
        if isinstance(part, nn.Linear):
            dense += part.weight.numel()
            nonzero += float((x != 0).sum(1).double().mean()) * part.out_features
        x = part(x)
    metrics |= {"cost/macs": float(dense), "cost/macs_nonzero": nonzero}
    return Run(params={"epoch": trained.epoch}, metrics=metrics, curves=trained.curves)


def _put_on_clock(model: TTFS, settings: Coding, train: Samples, val: Samples) -> float:
    """Give `model` a clock and the windows that do best on validation (the widest of the best); returns their quantile."""
    model.eval().time_steps = settings.time_steps
    scores: dict[float, float] = {}
    for quantile in sorted(settings.quantiles, reverse=True):
        model.calibrate(train.x_NI, quantile=quantile, margin=1.0)
        scores[quantile] = accuracy(model, val)
    best = max(scores, key=lambda quantile: scores[quantile])
    model.calibrate(train.x_NI, quantile=best, margin=1.0)
    return best


def _difference(relu: nn.Sequential, ttfs: TTFS, x_NI: Tensor) -> float:
    """Largest difference of a logit between the two networks, each trained for itself, TTFS in continuous time and wide windows."""
    steps, widths = ttfs.time_steps, ttfs.width_L.clone()
    ttfs.time_steps = None
    ttfs.calibrate(x_NI)
    difference = float((relu(x_NI) - ttfs(x_NI)).abs().max())
    ttfs.time_steps = steps
    ttfs.width_L.copy_(widths)
    return difference
