"""The frozen networks that the regression gate measures: small, pruned, and with arithmetic that is the same on every machine.

    python -m experiments.gate_fixture

Trained on digits (frames, T = 4), norms folded, half of the weights pruned by size, the rest put on multiples of 2^-6 (biases: 2^-8).
Inputs are multiples of 1/16, LIF with tau = 2 halves, pooling is over 2^k pixels: every sum is a whole number of 2^-22 and below 4, or
of a larger unit, so float32 holds it without rounding and no order of summation changes a spike. Hence counts are gated exactly.
Out: docs/baselines/<name>.safetensors. Run it again only to change the fixtures; then move the baseline (`snn5 gate move`).
"""

import sys
from typing import Any

import torch

from experiments._start import start
from snn5 import checkpoint
from snn5.checkpoint import Checkpoint, Transform
from snn5.compression import calibration_samples, fold_norms, prune
from snn5.config import Train
from snn5.datasets import load
from snn5.gates import FOLDER
from snn5.inference import calibrate_cutoff
from snn5.reproducible import one_thread, seed_of
from snn5.training import train_one

TIME_STEPS, SPARSITY, WEIGHT_UNIT, BIAS_UNIT, EPSILON = 4, 0.5, 2.0**-6, 2.0**-8, 0.01
NEURON = {"tau": 2.0, "v_threshold": 0.5}
COMMON: dict[str, Any] = {"epochs": 16, "batch_size": 32, "lr": 6e-3, "label_smoothing": 0.1, "neuron": "lif"}
NETWORKS = {
    "sew": Train(model="sew_resnet8", model_args={"width": 8, "neuron_args": NEURON}, **COMMON),
    "former": Train(model="spikingformer_4_256", model_args={"dim": 32, "depth": 1, "heads": 2, "neuron_args": NEURON}, **COMMON),
}


def on_grid(source: Checkpoint) -> Checkpoint:
    """The folded network with its weights and biases on their grids; zeros stay zeros."""
    made = fold_norms(source)
    state = dict(made.state)
    for name, value in made.state.items():
        unit = WEIGHT_UNIT if name.endswith(".weight") else BIAS_UNIT
        state[name] = (value / unit).round() * unit
    args = {"weight_unit": WEIGHT_UNIT, "bias_unit": BIAS_UNIT}
    return Checkpoint(card=made.after(Transform(name="gate_fixture", args=args)).card, state=state)


def main() -> None:
    """Train and write all networks."""
    splits = load("digits", time_steps=TIME_STEPS)
    for name, settings in NETWORKS.items():
        trained, run = train_one(settings, splits, time_steps=TIME_STEPS, seed=seed_of("gate", name), guard=False)
        calibration = calibration_samples(splits.train, per_class=10, generator=torch.Generator().manual_seed(0))
        pruned, _ = prune(trained, calibration, sparsity=SPARSITY, method="sbc_sequential")
        made = on_grid(pruned)
        if name == "sew":  # gated up to each sample's exit; the other one runs all steps
            made = calibrate_cutoff(made, splits.train, epsilon=EPSILON, keep_out=(splits.val, splits.test))
        path = FOLDER / f"{name}.safetensors"
        checkpoint.save(made, path)
        sys.stdout.write(f"{path}: {path.stat().st_size} bytes, {100 * run.metrics['test/acc']:.1f} % before pruning and rounding\n")


def on_one_thread() -> None:
    """`main`, whatever the number of cores."""
    with one_thread():
        main()


if __name__ == "__main__":
    start(on_one_thread)
