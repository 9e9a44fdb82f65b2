"""One network from first weight to checkpoint: the unit of work of every stage that trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from snn5.checkpoint import Card, Checkpoint, Transform, of
from snn5.config import Train
from snn5.datasets import Splits
from snn5.models import ann_twin, create_model, initialise
from snn5.record import Run
from snn5.training._batches import samples
from snn5.training._distributed import own_device
from snn5.training._evaluate import evaluate
from snn5.training._fit import fit
from snn5.training._penalty import Regulariser, penalised
from snn5.training._precision import precision_on


def train_one(
    settings: Train,
    splits: Splits,
    *,
    time_steps: int,
    seed: int,
    twin: bool = False,
    parents: dict[str, str] | None = None,
    tick: Callable[..., None] = lambda: None,
    guard: bool = True,
    resume: Path | None = None,
    keep_finished: bool = False,
    regulariser: Regulariser | None = None,
    strength: float = 0.0,
) -> tuple[Checkpoint, Run]:
    """Train one network, then test two of its epochs: the one chosen on validation and the last.

    The test split is read after the last step of training and decides nothing.

    Args:
        settings: model, neuron and recipe. time_steps: T.
        seed: of the weights, the order and the augmentation.
        twin: train the ReLU twin instead.
        parents: md5 of the data files, for the checkpoint's history.
        tick, guard, resume, keep_finished: see `fit`.
        regulariser, strength: the loss gets `strength` times its penalty (see snn5.compression); 0 is plain training, bit for bit.

    Returns:
        The checkpoint of the epoch chosen on validation, and a Run with `val/acc`, `test/acc` (that epoch), `test/acc_last` (last epoch),
        `train/loss`, `cost/spike_rate` (SNN only), `model/params`, the curves, and in its details the spike rate of every layer: `rates` on
        test, `rates_by_epoch` on validation.
    """
    device = own_device()
    info, shape = splits.train.info, splits.train.x_TNCHW.shape
    arguments: dict[str, Any] = {"in_channels": shape[2], "num_classes": int(info["num_classes"]), "image_size": shape[-1]}
    model = create_model(settings.model, time_steps=time_steps, neuron=settings.neuron, **arguments, **settings.model_args)
    card = Card(
        model=model.name,
        model_args=model.arguments,
        dataset=str(info["dataset"]),
        time_steps=1 if twin else time_steps,
        neuron="relu" if twin else settings.neuron,
        twin=twin,
        preprocessing={"scale": info.get("scale", 1)},
    )
    if twin:
        model = ann_twin(model)
    generator = torch.Generator().manual_seed(seed)
    initialise(model, generator)
    model.to(device)
    train, val, test = (samples(split, device) for split in (splits.train, splits.val, splits.test))
    kept: dict[str, Any] = {"resume": resume, "keep_finished": keep_finished}
    with penalised(model, regulariser, strength) as extra:
        result = fit(model, train, val, settings, generator=generator, tick=tick, extra_loss=extra, guard=guard, **kept)

    last = evaluate(model, test)  # in FP32 whatever it was trained in, as whoever loads the checkpoint runs it
    model.load_state_dict(result.best)
    chosen = evaluate(model, test)
    metrics = {
        "val/acc": result.val,
        "test/acc": chosen.accuracy,
        "test/acc_last": last.accuracy,
        "train/loss": result.curves["train/loss"][-1][1],
        "model/params": float(sum(p.numel() for p in model.parameters())),
    }
    if chosen.rates:
        metrics["cost/spike_rate"] = sum(chosen.rates.values()) / len(chosen.rates)
    run = Run(
        params={
            "seed": seed,
            "best_epoch": result.best_epoch,
            "precision": precision_on(settings.precision, device),
            "n_train": len(train),
            "n_val": len(val),
            "n_test": chosen.n,
        },
        metrics=metrics,
        curves=result.curves,
        details={"rates": chosen.rates, "rates_by_epoch": result.rates},
    )
    args: dict[str, Any] = {"seed": seed, "epoch": result.best_epoch, "loss": settings.loss}
    if regulariser is not None and strength:
        args |= {"regulariser": {"name": type(regulariser).__name__, **vars(regulariser)}, "strength": strength}
    history = Transform(name="train", args=args, parents=parents or {})
    return of(model.cpu(), card).after(history), run
