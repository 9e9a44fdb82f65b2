"""P4 to P6 on the network of experiments.cifar10: sparse, pruned, quantised, cut off; four rivals; whole numbers, the engine, its times.

    SNN5_DATA_ROOT=... torchrun --nproc-per-node 2 -m experiments.cifar10_chain --profile cifar10_guided --seed 0

Each process has one thread. Begun with .cache/experiments/cifar10/PROFILE-seedS/chosen.safetensors and the ReLU twin beside it, both with a
joined stem (snn5/models/_airnet.py), the network at the T of experiments/cifar10_chain.yaml, whose settings were fixed before any test
figure was seen. The chain and the rivals are P6's (snn5/stages/_chain.py). Validation chooses the cutoff's epsilon and the width of the
whole numbers; trained steps keep the last epoch; test is read last. The engine (snn5/inference/engine) is held against the exact reference
on the first PARITY test images, answers all of them, and is timed as `snn5 bench infer` does it: one sample, one thread, against the dense
twin in PyTorch and in ONNX Runtime and the same network in SpikingJelly.
Interrupt it at will: the same command goes on with the next step. Out: experiments/results/cifar10_chain.json; the networks in
.cache/experiments/cifar10_chain/PROFILE-seedS.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cifar10
from experiments._chain import ChainPlan, Kept, Networks, rival_epochs, row_of, settings_of, together
from experiments._frames import frames_of
from experiments._start import start
from snn5 import bench, checkpoint, config
from snn5._settings import read_yaml
from snn5.checkpoint import Checkpoint
from snn5.compression import join_stem
from snn5.config import Config
from snn5.datasets import Split
from snn5.errors import NotPortable, UserError
from snn5.files import md5, read_json, write_json
from snn5.hardware import IntegerNetwork, to_integer
from snn5.inference import engine
from snn5.parallel import Tick, run_jobs
from snn5.reproducible import seed_of
from snn5.stages._chain import shown_for
from snn5.stages._chain_record import measured
from snn5.training import Group, distributed

NAME, PARITY, BITS = "cifar10_chain", 100, (8, 7, 6, 5, 4)
SETTINGS, RESULT = Path(f"experiments/{NAME}.yaml"), Path(f"experiments/results/{NAME}.json")
COMMAND = f"torchrun --nproc-per-node 2 -m experiments.{NAME} --profile PROFILE --seed SEED"
KEPT = Path(f".cache/experiments/{NAME}")


@dataclass(frozen=True, kw_only=True)
class Plan(ChainPlan):
    """What experiments/cifar10_chain.yaml says; `chain.frames` are the epochs.

    Attributes:
        time_steps: T of the network, at which it is trained on, too.
    """

    time_steps: int


def plan(path: Path = SETTINGS) -> Plan:
    """The settings."""
    raw = read_yaml(path)
    return Plan(**settings_of(raw, path), time_steps=raw["time_steps"], calibrated=raw["calibrated"])


def main(chosen: Config, seed: int, asked: Plan, *, result: Path = RESULT, begun: Path = cifar10.KEPT, kept: Path = KEPT) -> None:
    """Make what is missing, measure all, and put the profile's entry into the result file."""
    splits, own, effort = frames_of(chosen), f"{chosen.profile}-seed{seed}", asked.chain.frames
    files = [begun / own / f"{name}.safetensors" for name in ("chosen", "twin")]
    if files[0].is_file() and not files[1].is_file():
        raise UserError(f"{files[1]} is missing: the chain needs a network that had a guide; train one with --profile cifar10_guided")
    network, twin = (join_stem(checkpoint.load(file)) for file in files)
    first = shown_for(network, asked.time_steps)
    with distributed() as group:
        keep = keeper(kept / own, {"settings": asdict(asked), "from": [md5(file) for file in files]}, group)

        def make(_name: str, tick: Tick) -> tuple[Networks, Networks]:
            return together(asked, effort, first, twin, splits, seed_of(NAME, seed), tick=tick, kept=keep)

        total = effort.epochs + effort.quantised_epochs + 2 * rival_epochs(effort)
        [(steps, anns)] = run_jobs(make, [own], label=NAME, total=total)
    if group.rank:
        return
    rows = {name: row_of(found) for name, found in measured(steps, anns, splits.test, seed).items()}
    entry = {"profile": chosen.profile, "seed": seed, "settings": asdict(asked), "processes": group.size, "rows": rows}
    runs = read_json(result)["runs"] if result.is_file() else {}
    made = {own: entry | ported(steps["cutoff"], splits.val, splits.test)}
    write_json(result, {"command": COMMAND, "runs": dict(sorted((runs | made).items()))})


def keeper(folder: Path, used: dict[str, Any], group: Group) -> Kept:
    """Networks by name from `folder` if they were made there with what is `used`, else made and, by the first process, put there."""

    def there(files: Iterable[Path]) -> bool:
        return group.from_first(lambda: all(file.is_file() for file in files))

    def prepare() -> None:
        note = folder / "used.json"
        if not note.is_file() or read_json(note) != used:
            for old in folder.glob("*.safetensors"):
                old.unlink()
            write_json(note, used)

    def kept(names: tuple[str, ...], make: Callable[[], Networks]) -> Networks:
        files = {name: folder / f"{name}.safetensors" for name in names}
        if there(files.values()):
            return {name: checkpoint.load(file) for name, file in files.items()}
        made = make()
        if group.rank == 0:
            for name, one in made.items():
                checkpoint.save(one, files[name])
        return made

    group.from_first(prepare)
    return kept


def ported(final: Checkpoint, val: Split, test: Split) -> dict[str, Any]:
    """The last network in whole numbers: parity and accuracy of the engine, and its times."""
    few = replace(test, x_TNCHW=test.x_TNCHW[:, :PARITY], y_N=test.y_N[:PARITY], index_N=test.index_N[:PARITY])
    bits, network = in_whole_numbers(final, val)
    ready, some = engine.compile(network), few.x_TNCHW.astype(np.int64)
    answer, found, wanted = ready(test.x_TNCHW.astype(np.int32)), ready(some, early=False, record=True), network.run(some)
    pairs: list[tuple[Any, Any]] = [(found.logits_TNK, wanted.logits_TNK)]
    pairs += [(found.spikes[name], spikes) for name, spikes in wanted.spikes.items()]
    parity = {"n": len(few), "differences": sum(int((a != b).sum()) for a, b in pairs), "compared": sum(a.size for a, _ in pairs)}
    right, steps = answer.prediction_N == test.y_N, float(answer.step_N.mean())
    reached = {"test/acc": float(right.mean()), "test/acc_first": float(right[:PARITY].mean()), "cost/steps_mean": steps}
    times = bench.to_json(bench.infer([(final, few)], widths=(), bits=bits))
    return {"engine": {**reached, "n": len(test), "bits": bits}, "parity": parity, "times": times}


def in_whole_numbers(final: Checkpoint, val: Split) -> tuple[int, IntegerNetwork]:
    """With as many bits a weight, 8 at most, as keep every potential within 24 on the validation images; layers of fewer bits stay exact.

    Images of 8 bits times weights of 8 bits can be too large for the chips' potentials where a stem has filters of unequal size.
    """
    for bits in BITS:
        network = to_integer(final, bits=bits)
        try:
            engine.compile(network)(val.x_TNCHW.astype(np.int32))
        except NotPortable:
            continue
        return bits, network
    raise UserError(f"no width from {BITS[0]} to {BITS[-1]} bits keeps the potentials of {final.card.model} within 24 bits")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default="cifar10_guided", help="of params.yaml")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start(lambda: main(config.load(profile=asked.profile), asked.seed, plan()))
