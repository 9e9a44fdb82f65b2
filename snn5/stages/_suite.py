"""One checkpoint in the suite: cost and accuracy, and whether it uses the order of its input's steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snn5 import checkpoint
from snn5.benchmark import Measurement, measure
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.inference import rule_of, run_until_sure
from snn5.models import predict
from snn5.record import Run
from snn5.training import in_order, samples

BATCH = 64


def row_of(path: Path) -> str:
    """The network's name in the suite: its stage, and its variant where the stage has several.

    data/p1_contrast/dta/checkpoints/plain-seed0.safetensors -> p1_contrast@dta/plain
    """
    folder, variant = path.parent.parent.parts[1:], path.stem.rpartition("seed")[0].rstrip("-")
    return "@".join(folder) + (f"/{variant}" if variant else "")


def suite_run(path: Path, tests: dict[str, Split], seed: int) -> Run:
    """Measure the checkpoint in `path` on the test set of the data it was trained on.

    Args:
        tests: test sets by the name of their data set.

    Raises:
        UserError: it was trained on other data than the pipeline has now.
    """
    source = checkpoint.load(path)
    if source.card.dataset not in tests:
        raise UserError(f"{path} was trained on {source.card.dataset!r}, the pipeline's data are {', '.join(tests)}; run `dvc repro`")
    return figures(source, tests[source.card.dataset], seed, row_of(path))


def figures(source: Checkpoint, test: Split, seed: int, network: str) -> Run:
    """The suite's figures of one network, called `network`, on a test set."""
    m = measure(source, test, seed=seed, protocol="val_selected", batch_size=BATCH)
    metrics = m.metrics() | {f"cost/energy_{kind}_pj": m.energy_pj[kind] for kind in ("int", "memory")}
    metrics["model/params"] = float(sum(p.numel() for p in source.build().parameters()))
    if source.card.cutoff is None:
        metrics["model/dense_macs"] = m.dense_macs  # with an early exit they depend on the samples
    if len(test.x_TNCHW) > 1:
        metrics["test/acc_reversed"] = accuracy(source, replace(test, x_TNCHW=np.ascontiguousarray(test.x_TNCHW[::-1])))
        metrics["test/reversal_change"] = metrics["test/acc_reversed"] - m.accuracy
    curves = {
        "cost/layer_spike_rate": list(enumerate(m.spike_rate.values())),
        "cost/layer_synops": [(i, layer.macs + layer.acs) for i, layer in enumerate(m.layers.values())],
    }
    params = {"seed": seed, "network": network, "n_test": m.n, "T": m.time_steps}
    return Run(params=params, metrics=metrics, curves={k: v for k, v in curves.items() if v}, details=_details(m))


def accuracy(source: Checkpoint, split: Split) -> float:
    """Share of right answers, with the early exit that the checkpoint has."""
    model: Any = source.build()
    rule, right = rule_of(source.card.cutoff), 0
    for x_TNCHW, y_N in in_order(samples(split), BATCH):
        found_N = predict(model(x_TNCHW)) if rule is None else run_until_sure(model, x_TNCHW, rule).prediction_N
        right += int((found_N == y_N).sum())
    return right / len(split)


def _details(m: Measurement) -> dict[str, Any]:
    return {"model": m.model, "dataset": m.data, "n": m.n, "spiking": m.spiking, "rates": m.spike_rate, "neuron_updates": m.neuron_updates}
