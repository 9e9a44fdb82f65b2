"""Kernels that other processes compiled: each kind of neuron gets its own, whoever made the others."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
import torch
from snn5.neurons._fused import Dynamics, multi_step

KINDS = {  # two neurons without decay of the input, whose surrogates differ
    "plif": ({"tau": None, "kind": 1}, True),
    "lif": ({"tau": 1.3, "kind": 0}, False),
}

def gradients(name):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(4, 1300, generator=draw).bfloat16().requires_grad_()
    own, leaks = KINDS[name]
    k = torch.tensor(0.5, requires_grad=True) if leaks else None
    dynamics = Dynamics(decay_input=False, v_threshold=1.0, v_reset=0.0, detach_reset=False, alpha=4.0, **own)
    s, v = multi_step(x, 0.0, k, dynamics)
    (s.float().sum() + v.sum()).backward()
    return [float(x.grad.double().sum()), float(x.grad.double().abs().sum()), None if k is None else float(k.grad)]

for name in sys.argv[1:]:
    print(name, gradients(name))
"""


def told(cache: Path, *names: str) -> list[str]:
    """What a process of its own, with this cache, says of these neurons, one after the other."""
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, *names]
    return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_process_runs_what_two_others_compiled(tmp_path: Path) -> None:
    """Numba's symbols are a name and a number that every process counts anew; with one name for all, one kind got the other's code."""
    [plif], [lif] = told(tmp_path, "plif"), told(tmp_path, "lif")
    assert plif[5:] != lif[4:]
    assert told(tmp_path, "plif", "lif") == [plif, lif]
    assert told(tmp_path, "lif", "plif") == [lif, plif]
