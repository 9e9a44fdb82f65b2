"""Two processes on one network over loopback, as torchrun starts them, against one; and slices by hand."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from snn5.config import Train
from snn5.errors import UserError
from snn5.models import initialise
from snn5.neurons import PLIF
from snn5.training import Fit, Group, Samples, distributed, fit, once

ROOT = Path(__file__).parents[2]
STEPS, N = 2, 22  # batches of 8, 8 and 6; with a slice of 3 samples, no batch norm sees what one process sees
SETTINGS = Train(
    model="toy", epochs=3, batch_size=8, lr=1e-2, shift_pixels=1, flip=True, mixup=0.5, ema_decay=0.9, clip_norm=0.5, guard_epochs=0
)


class Toy(nn.Module):
    """conv-(norm)-PLIF-linear, the neurons' state forgotten before each batch."""

    num_classes = 3

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4) if norm else nn.Identity()
        self.neuron, self.head, self.unused = PLIF(tau=1.5, v_threshold=0.3), nn.Linear(4 * 36, 3), nn.Linear(2, 2)
        initialise(self, torch.Generator().manual_seed(0))

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        self.neuron.reset()
        current_NCHW = self.norm(self.conv(x_TNCHW.flatten(0, 1)))
        s_TNCHW = self.neuron(current_NCHW.view(*x_TNCHW.shape[:2], 4, 6, 6))
        return self.head(s_TNCHW.flatten(2))


def noise(n: int, seed: int) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    x_NTCHW = torch.randint(0, 256, (n, STEPS, 1, 6, 6), generator=generator, dtype=torch.uint8)
    return Samples(x_NTCHW=x_NTCHW, y_N=torch.randint(0, 3, (n,), generator=generator), scale=64.0)


def trained(norm: bool, resume: Path | None = None, stop: int = -1) -> Fit:
    def extra(step: int) -> Tensor:
        if step == stop:
            raise KeyboardInterrupt
        return torch.zeros(())

    generator = torch.Generator().manual_seed(0)
    model = Toy(norm)
    found = fit(model, noise(N, 0), noise(8, 1), SETTINGS, generator=generator, resume=resume, every_s=0.0, extra_loss=extra, guard=False)
    if not all(torch.equal(value, found.last[name]) for name, value in model.state_dict().items()):
        raise RuntimeError("the model does not end with the last weights")
    return found


def worker(folder: Path) -> None:
    """What each of torchrun's processes does: three trainings, one after the other, the last in two parts."""
    torch.use_deterministic_algorithms(True)
    for norm in (False, True):
        torch.save(vars(trained(norm)), folder / f"norm{norm}-rank{os.environ['RANK']}.pt")
    try:
        trained(True, folder / "resume.pt", stop=4)
    except KeyboardInterrupt:
        torch.save(vars(trained(True, folder / "resume.pt")), folder / f"resumed-rank{os.environ['RANK']}.pt")
    with distributed() as group:
        torch.save([group.rank, group.size, group.mean(torch.tensor(float(group.rank)))], folder / f"group-rank{group.rank}.pt")
    with distributed():
        found = once(lambda: [int(os.environ["RANK"]), torch.get_num_threads()])
    torch.save([found, torch.get_num_threads()], folder / f"once-rank{os.environ['RANK']}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes left their results."""
    found = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--local-addr=127.0.0.1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    with (found / "said").open("wb") as said:
        run = subprocess.Popen([*command, __file__, str(found)], env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        run.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)  # torchrun's processes too, where they hang
        run.wait()
    assert run.returncode == 0, (found / "said").read_text()
    return found


def left(folder: Path, name: str, rank: int) -> Fit:
    return Fit(**torch.load(folder / f"{name}-rank{rank}.pt", weights_only=True))


def same(a: Fit, b: Fit) -> bool:
    figures = [(f.best_epoch, f.val, f.val_loss, f.curves, f.rates) for f in (a, b)]
    states = [(a.best, b.best), (a.last, b.last)]
    return figures[0] == figures[1] and all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in states)


@pytest.mark.parametrize("name", ["normFalse", "normTrue", "resumed"])
def test_all_ranks_end_with_the_same_bits(folder: Path, name: str) -> None:
    assert same(left(folder, name, 0), left(folder, name, 1))


def test_two_processes_train_what_one_does(folder: Path) -> None:
    """Without batch norm only the order of the gradient's sum differs."""
    alone, two = trained(False), left(folder, "normFalse", 0)
    for name, value in alone.last.items():
        assert torch.allclose(two.last[name], value, rtol=0, atol=2e-5), name
    moved = max((value - Toy(False).state_dict()[name]).abs().max().item() for name, value in alone.last.items())
    assert moved > 0.02  # a thousand times the tolerance
    assert two.best_epoch == alone.best_epoch
    for a, b, within in ((two.rates["neuron"], alone.rates["neuron"], 1e-2), (two.curves["train/loss"], alone.curves["train/loss"], 1e-5)):
        assert [value for _, value in a] == pytest.approx([value for _, value in b], abs=within)


def test_the_norms_statistics_are_rank_0s(folder: Path) -> None:
    """Half of the samples: not those of one process, but the same on both (above)."""
    alone, two = trained(True), left(folder, "normTrue", 0)
    assert not torch.allclose(two.last["norm.running_var"], alone.last["norm.running_var"], rtol=1e-6, atol=0)
    assert torch.equal(two.last["norm.num_batches_tracked"], alone.last["norm.num_batches_tracked"])


def test_two_processes_go_on_where_they_were_stopped(folder: Path) -> None:
    assert same(left(folder, "resumed", 0), left(folder, "normTrue", 0)) and not (folder / "resume.pt").exists()


def test_the_group_is_opened_and_closed(folder: Path) -> None:
    assert [torch.load(folder / f"group-rank{rank}.pt") for rank in (0, 1)] == [[0, 2, torch.tensor(0.5)], [1, 2, torch.tensor(0.5)]]


def test_work_that_is_done_once_is_the_firsts_with_all_threads(folder: Path) -> None:
    assert [torch.load(folder / f"once-rank{rank}.pt") for rank in (0, 1)] == [[[0, 2], 1]] * 2


# --- one process, and slices


def test_alone_nothing_happens() -> None:
    with distributed() as group:
        assert group == Group() and group.smallest_batch == 2
    model, value = Toy(False), torch.ones(())
    assert group.wrap(model) is model and group.slice(7) == slice(0, 7) and group.weigh(value, 7) is value
    threads = torch.get_num_threads()
    assert (
        group.from_first(lambda: 3) == 3
        and once(torch.get_num_threads) == threads == torch.get_num_threads()
        and not torch.distributed.is_initialized()
    )


@pytest.mark.parametrize(("n", "size"), [(8, 2), (7, 2), (6, 3), (11, 4)])
def test_slices_and_weights(n: int, size: int) -> None:
    """Every sample is one rank's; the ranks' weighted means average to the batch's mean."""
    groups = [Group(rank=rank, size=size) for rank in range(size)]
    values = torch.arange(float(n)) ** 2
    parts = [values[group.slice(n)] for group in groups]
    assert torch.equal(torch.cat(parts), values) and max(map(len, parts)) - min(map(len, parts)) <= 1
    weighted = [group.weigh(part.mean(), n) for group, part in zip(groups, parts, strict=True)]
    assert torch.stack(weighted).mean().item() == pytest.approx(values.mean().item())


def test_a_batch_needs_two_samples_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Group(rank=1, size=4).smallest_batch == 8
    for wrong in ("two", "-1"):
        monkeypatch.setenv("WORLD_SIZE", wrong)
        with pytest.raises(UserError, match=f"WORLD_SIZE='{wrong}'; need a whole number, as torchrun sets it"), distributed():
            pass


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
