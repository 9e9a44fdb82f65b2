"""P4 and P5 on the network of experiments.cifar10: quantised, pruned and cut off, without another gradient step.

    SNN5_DATA_ROOT=... python -m experiments.cifar10_compressed --profile cifar10_fast

From .cache/experiments/cifar10/PROFILE-seedS/chosen.safetensors: norms folded; weights of 8 and 4 bits (GPTQ on training images); half of
the weights pruned (`magnitude`, or `sbc` with --method), then 8 bits; of each also with an early exit, its epsilon chosen on validation.
The ReLU twin that guided the training, if one did, is the rival of all.
Every variant has its Measurement on the first test images (`--test`, in the set's order, which is random); nothing is chosen by them.
Out: experiments/results/cifar10_compressed.json.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from experiments._frames import frames_of
from experiments._start import start
from experiments.cifar10 import KEPT, NAME
from snn5 import checkpoint, config
from snn5.benchmark import compare, measure
from snn5.checkpoint import Checkpoint
from snn5.compression import calibration_samples, fold_norms, prune, quantize_one_shot
from snn5.config import Config
from snn5.datasets import Split, Splits
from snn5.files import read_json, write_json
from snn5.inference import choose_cutoff
from snn5.reproducible import seed_of
from snn5.training import Samples

RESULT = Path("experiments/results/cifar10_compressed.json")
PER_CLASS, CALIBRATED, SPARSITY = 20, 2000, 0.5  # images of a class for weights, images in all for exits


def main(chosen: Config, seed: int, *, test: int, method: str, result: Path = RESULT, kept: Path = KEPT) -> None:
    """Measure every variant and put the profile's entry into the result file."""
    splits = frames_of(chosen)
    folder = kept / f"{chosen.profile}-seed{seed}"
    start = checkpoint.load(folder / "chosen.safetensors")
    rules: dict[str, Any] = {"seed": seed, "protocol": "val_selected", "limit": test}
    draw = torch.Generator().manual_seed(seed_of(NAME, "compressed", seed))
    few = calibration_samples(splits.train, per_class=PER_CLASS, generator=draw)
    twin = measure(checkpoint.load(path), splits.test, **rules) if (path := folder / "twin.safetensors").is_file() else None
    measured = {} if twin is None else {"twin": twin.to_json()}
    for name, made in variants(start, few, method):
        cut = _cut(made, splits, chosen, seed)
        for variant, one in ((name, made), (f"{name}_cutoff", cut)):
            found = measure(one, splits.test, **rules)
            measured[variant] = (found if twin is None else compare(found, twin)).to_json()
    entry = {"seeds": [seed], "n": min(test, len(splits.test)), "method": method, "sparsity": SPARSITY, "variants": measured}
    profiles = read_json(result)["profiles"] if result.is_file() else {}
    write_json(
        result,
        {"command": "python -m experiments.cifar10_compressed --profile PROFILE --test N", "profiles": {**profiles, chosen.profile: entry}},
    )


def variants(start: Checkpoint, few: Samples, method: str) -> Iterator[tuple[str, Checkpoint]]:
    """Each by its name."""
    folded = fold_norms(start)
    yield "float", start
    for bits in (8, 4):
        yield f"int{bits}", quantize_one_shot(folded, few, bits=bits)
    pruned, _ = prune(folded, few, sparsity=SPARSITY, method=method)
    yield "pruned_int8", quantize_one_shot(pruned, few, bits=8)


def _cut(made: Checkpoint, splits: Splits, chosen: Config, seed: int) -> Checkpoint:
    """With an early exit, calibrated on training images and chosen on validation."""
    p5, train = chosen.p5, splits.train
    first = Split(x_TNCHW=train.x_TNCHW[:, :CALIBRATED], y_N=train.y_N[:CALIBRATED], index_N=train.index_N[:CALIBRATED], info=train.info)
    limits: dict[str, Any] = {**p5.limits(), "standard_errors": 1.0, "lost_samples": 0}  # as recorded
    return choose_cutoff(made, first, splits.val, epsilons=p5.epsilons, rule=p5.rule, seed=seed, keep_out=(splits.test,), **limits)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default="cifar10_fast", help="of params.yaml")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", type=int, default=2000, help="test images that are measured")
    parser.add_argument("--method", default="magnitude", help="of pruning")
    asked = parser.parse_args()
    start(lambda: main(config.load(profile=asked.profile), asked.seed, test=asked.test, method=asked.method))
