"""A kernel on several threads, which take its pieces of work one by one."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import torch

ALONE = 1 << 16  # below so many numbers waking a thread costs more than it saves

_pool: tuple[int, int, ThreadPoolExecutor] | None = None  # process, threads, pool


def spread(kernel: Callable[..., Any], pieces: int, numbers: int, *args: Any) -> None:
    """Call `kernel(counter, *args)` here and, if torch may use more threads and the work is worth it, on more threads.

    Whoever is free takes the next piece, so a busy core delays nobody. The pool belongs to the process: a forked one makes its own.

    Args:
        kernel: takes pieces from `counter` (int64) until there are none left, and holds no lock meanwhile. No thread is in it any more
            when this returns or raises.
        pieces, numbers: how many pieces there are, and how many numbers they have in all.
    """
    counter = np.zeros(1, np.int64)
    helpers = 0 if numbers < ALONE else min(torch.get_num_threads(), pieces) - 1
    started = [_threads(helpers).submit(kernel, counter, *args) for _ in range(helpers)]
    try:
        kernel(counter, *args)
    finally:
        begun = [future for future in started if not future.cancel()]  # one that has not begun has nothing left to do
        try:
            wait(begun)
        finally:
            wait(begun)  # interrupted, too: they write into memory that is the caller's
    for future in begun:
        future.result()


def _threads(count: int) -> ThreadPoolExecutor:
    global _pool
    if _pool is None or _pool[0] != os.getpid() or _pool[1] < count:
        _pool = (os.getpid(), count, ThreadPoolExecutor(count, thread_name_prefix="snn5-neurons"))
    return _pool[2]
