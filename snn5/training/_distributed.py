"""One network trained by several processes: torchrun starts them, torch's DistributedDataParallel averages their gradients.

    torchrun --nproc-per-node 2 script.py

All ranks draw the same batches and augmentations from the same generator, and each trains on its slice of every batch; so the batches are
those of one process, and so is the gradient, up to the order of its sum. Batch norm alone sees a difference: its statistics are a slice's;
rank 0's running ones are kept. The loss is weighted by the slice's length, since DistributedDataParallel averages ranks, not samples.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snn5.errors import UserError

T = TypeVar("T")

PATIENCE = timedelta(hours=3)  # for what the first process does alone (see `once`)
_openings = count()


@dataclass(frozen=True)
class Group:
    """The processes that train one network. With `size` 1 everything here hands back what it is given.

    Attributes:
        rank: this process, 0 to size - 1. size: processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def smallest_batch(self) -> int:
        """Two samples for each: batch norm needs them."""
        return 2 * self.size

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model`, whose backward pass averages the gradients of all ranks."""
        if self.size == 1:
            return model
        where = next(model.parameters()).device
        return DistributedDataParallel(model, device_ids=[where] if where.type == "cuda" else None, static_graph=True)

    def slice(self, n: int) -> slice:
        """Which of a batch's `n` samples are this rank's: slices that differ by one sample at most."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def weigh(self, loss: Tensor, n: int) -> Tensor:
        """This rank's mean loss, scaled so that the mean over ranks is that over the batch's `n` samples."""
        if self.size == 1:
            return loss
        mine = self.slice(n)
        return loss * ((mine.stop - mine.start) * self.size / n)

    def mean(self, value: Tensor) -> Tensor:
        """The mean over ranks of a scalar, detached, the same on all of them."""
        value = value.detach()
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
            value = value / self.size
        return value

    def same(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rank 0's tensors, on all ranks (in place)."""
        if self.size > 1:
            for value in state.values():
                dist.broadcast(value, src=0)
        return state

    def from_first(self, function: Callable[[], T]) -> T:
        """What `function` answers on rank 0, which alone calls it."""
        if self.size == 1:
            return function()
        answer = [function() if self.rank == 0 else None]
        dist.broadcast_object_list(answer, src=0)
        return answer[0]  # type: ignore[return-value]


@contextmanager
def distributed() -> Iterator[Group]:
    """The processes that torchrun started together with this one; the one process alone where it started none.

    The group (Gloo, and NCCL for what is on CUDA) is opened and closed here, unless it is open already; drop what `Group.wrap` answered
    before leaving. After an error it stays open: others may be in the middle of an exchange, and torchrun ends them all.

    Raises:
        UserError: torchrun's environment variables are no numbers.
    """
    rank, size = (_number(name) for name in ("RANK", "WORLD_SIZE"))
    if size <= 1:
        yield Group()
        return
    if dist.is_initialized():
        yield Group(rank=dist.get_rank(), size=dist.get_world_size())
        return
    # Each opening has a corner of its own in torchrun's store: Gloo would find the addresses of the one before.
    store = dist.PrefixStore(f"snn5/{next(_openings)}", _store(rank, size))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    yield Group(rank=rank, size=size)
    # A DistributedDataParallel that outlived the group would take the last hold of it along with the interpreter's lock, and wait for
    # threads that need that lock. Whoever wrapped a model drops it before leaving; cycles go here.
    gc.collect()
    dist.barrier()
    dist.destroy_process_group()


def once(function: Callable[[], T]) -> T:
    """What `function` answers in torchrun's first process, which alone calls it, with the threads of all: work that is no training."""
    with distributed() as group:

        def with_all_threads() -> T:
            own = torch.get_num_threads()
            torch.set_num_threads(own * group.size)
            try:
                return function()
            finally:
                torch.set_num_threads(own)

        return group.from_first(with_all_threads)


@cache
def _store(rank: int, size: int) -> dist.Store:
    return next(iter(dist.rendezvous("env://", rank, size)))[0]


def own_device() -> torch.device:
    """The GPU that torchrun means for this process (the first without torchrun), or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", _number("LOCAL_RANK"))
    torch.cuda.set_device(device)
    return device


def _number(name: str) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return 1 if name == "WORLD_SIZE" else 0
    if not text.isdecimal():
        raise UserError(f"{name}={text!r}; need a whole number, as torchrun sets it; start with torchrun, or unset it")
    return int(text)
