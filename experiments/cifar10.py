"""P1, target 1: CIFAR-10 on two CPU cores, a spiking network in as few minutes as it takes.

    SNN5_DATA_ROOT=... python -m experiments.cifar10 --profile cifar10_fast
    SNN5_DATA_ROOT=... torchrun --nproc-per-node 2 -m experiments.cifar10 --profile cifar10_fast

The second shares each batch between two processes, one core each, which is faster where other programs want the cores, too. Profiles (in
params.yaml, `p1_fast`): cifar10_fast (half an hour on two free cores), cifar10_hour, cifar10_guided (90 minutes: its ReLU twin first, from
whose weights it starts and to whose answers it listens), cifar10 (6 hours), cifar10_gpu (larger, for one GPU).
Protocol: 5 % of the training images are validation, which alone chooses the epoch and T; the test images are read once, after the last
step. Reported are the chosen epoch and the last, at each T, plain; with test-time flip (the mean over an image and its mirror image) apart.
Interrupt it at will: the same command goes on from the last whole epoch and ends as if nothing had happened, to the last bit (same
machine, processes and threads). Out: experiments/results/cifar10.json and .cache/experiments/cifar10/PROFILE-seedS/chosen.safetensors
(and twin.safetensors, where there was one).
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from experiments._clock import Clock
from experiments._frames import frames_of
from experiments._guide import GuidedPlan, guided, trained_twin
from experiments._hand_over import v_threshold_of
from experiments._start import start
from experiments._static import Tested, network, test_of, write
from snn5 import config
from snn5.config import Config
from snn5.models import initialise
from snn5.reproducible import seed_of
from snn5.training import Evaluation, PacePlan, distributed, fit, own_device, samples

NAME, KEPT = "cifar10", Path(".cache/experiments/cifar10")
RESULT = Path("experiments/results/cifar10.json")


def main(chosen: Config, seed: int, result: Path = RESULT, kept: Path = KEPT) -> None:
    """Train or go on, then test and write."""
    settings, folder = chosen.p1_fast, kept / f"{chosen.profile}-seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock(folder / "clock.json")
    splits, device = frames_of(chosen), own_device()
    model = network(settings.train, splits.train, settings.pace.steps[0])
    generator = torch.Generator().manual_seed(seed_of(NAME, seed))
    initialise(model, generator)
    model.to(device)
    train, val = (samples(split, device) for split in (splits.train, splits.val))
    with distributed() as group:
        before, total = settings.guide.epochs, settings.guide.epochs + settings.train.epochs

        def note(epoch: int, evaluation: Evaluation) -> None:
            who, T = ("twin", 1) if epoch < before else ("network", settings.pace.steps_of(epoch - before))
            entry = clock.note(epoch, who=who, T=T, val=evaluation.accuracy)
            left = (total - 1 - epoch) * entry["wall_min"] / (epoch + 1)
            if group.rank == 0:
                text = f"val {100 * evaluation.accuracy:.2f} %, {entry['wall_min']:.1f} min, processors {entry['cpu_min']:.1f} min"
                tell(f"epoch {epoch + 1}/{total}, {who}, T={T}: {text}, about {left:.0f} min left")

        plan = GuidedPlan(settings) if before else PacePlan(settings.pace)
        if before and not (folder / "twin.pt").is_file():
            (folder / "training.pt").unlink(missing_ok=True)  # it would answer at once, and the minutes would be the twin's alone
        how: dict[str, Any] = {"resume": folder / "training.pt", "every_s": float("inf"), "keep_finished": True, "plan": plan}
        own = torch.Generator().manual_seed(seed_of(NAME, seed, "twin"))
        twin = None
        if before:
            v_threshold_of(model)  # before the twin's hours
            twin = trained_twin(model, train, val, settings, generator=own, report=note, resume=folder / "twin.pt")
        with nullcontext() if twin is None else guided(model, twin, train, settings) as pull:
            how |= {"report": lambda epoch, found: note(before + epoch, found), "extra_loss": pull}
            trained = fit(model, train, val, settings.train, generator=generator, **how)
        if group.rank == 0:
            machine = {"processes": group.size, "threads": torch.get_num_threads(), "device": device.type}
            tested = Tested(settings=settings, model=model, fit=trained, splits=splits, seed=seed, device=device, twin=twin)
            write(result, chosen.profile, test_of(tested, folder / "chosen.safetensors"), clock.epochs, machine)


def tell(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default="cifar10_fast", help="of params.yaml")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start(lambda: main(config.load(profile=asked.profile), asked.seed))
