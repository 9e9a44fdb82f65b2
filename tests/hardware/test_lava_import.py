"""Lava behind the import shim."""

import dataclasses
import subprocess
import sys

import pytest

from snn5.hardware import lava_importable

# Fixed point: the threshold is vth * 2**6 = 1280; with du = dv = 0 the bias 5 * 2**6 = 320 adds up, and 5 * 320 is the first sum above it.
LIF = """
from snn5.hardware import lava_importable
with lava_importable():
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.lif.process import LIF
    from lava.proc.monitor.process import Monitor
lif, monitor = LIF(shape=(1,), bias_mant=5, bias_exp=6, vth=20, du=0, dv=0), Monitor()
monitor.probe(lif.s_out, 11)
lif.run(condition=RunSteps(num_steps=11), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
spikes = monitor.get_data()[lif.name]["s_out"][:, 0]
lif.stop()
print([step for step, spike in enumerate(spikes, start=1) if spike])
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_lava_needs_the_shim() -> None:
    assert "mutable default" in python("import lava.magma.runtime.runtime").stderr


def test_lava_runs_behind_it() -> None:
    done = python(LIF)
    assert done.stdout.strip() == "[5, 10]", done.stderr


def test_dataclasses_are_themselves_again() -> None:
    before = dataclasses.dataclass
    with pytest.raises(RuntimeError), lava_importable():
        raise RuntimeError
    assert dataclasses.dataclass is before


def test_nobody_else_gets_a_hash() -> None:
    with lava_importable():

        @dataclasses.dataclass
        class Ours:
            x: int = 0

        @dataclasses.dataclass(order=True)
        class Ordered:
            x: int = 0

    assert Ours.__hash__ is None
    assert Ordered.__hash__ is None
    assert Ordered(1) < Ordered(2)


def test_theirs_do() -> None:
    with lava_importable():
        theirs = dataclasses.dataclass(type("Theirs", (), {"__annotations__": {"x": int}, "x": 0, "__module__": "lava.some.module"}))
        frozen = dataclasses.dataclass(frozen=True)(type("Frozen", (), {"__annotations__": {"x": int}, "__module__": "lava.some.module"}))
    assert hash(theirs(1)) == hash(theirs(1))
    assert hash(frozen(1)) == hash(frozen(1))
