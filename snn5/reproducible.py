"""What makes a result a function of its settings: seeds of its own for every draw, one thread, deterministic algorithms."""

import ctypes
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_VARIABLES = {  # for libraries that are loaded later
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # torch asks for it where deterministic algorithms meet CUDA
}


def seed_of(*parts: object) -> int:
    """A 32 bit seed of its own for every sequence of `parts`: the first four bytes of sha256(part/part/...)."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:4], "big")


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, BLAS and OpenMP, deterministic algorithms only; what was set before comes back at the end."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    variables = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(_VARIABLES)
    try:
        with threadpool_limits(1):
            torch.set_num_threads(1)
            torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(True), which imports the compiler for 2 s
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def keep_memory() -> None:
    """Let glibc keep freed blocks: every training step would return large ones and fault them in again (Linux; else nothing)."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
