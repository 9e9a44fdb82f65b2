from pathlib import Path

import numpy as np
import pytest

from snn5.errors import UserError
from snn5.hardware import IntegerNetwork, Population, Readout, Synapses, load_integer, save_integer


def net() -> IntegerNetwork:
    shared = np.arange(-8, 10, dtype=np.int32).reshape(2, 1, 3, 3)
    a, b = (Synapses(source=source, kind="conv", weight=shared, padding=1, stride=2, groups=2) for source in ("input", "input"))
    one = Population(name="a", shape=(2, 2, 2), synapses=(a, b), bias=np.array([1, -2]), threshold=np.array([3, 4]), decay=77, once=True)
    head = Synapses(source="a", kind="dense", weight=np.ones((3, 8), np.int32))
    out = Readout(synapses=(head,), bias=np.array([0, 0, 2**40]), scale=0.125)
    return IntegerNetwork(populations=(one,), readout=out, input_shape=(2, 3, 3), time_steps=2, cutoff=(2**62, -5), exact=True)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_integer(net(), tmp_path / "net.npz")
    found = load_integer(tmp_path / "net.npz")
    assert (found.input_shape, found.time_steps, found.cutoff, found.exact) == ((2, 3, 3), 2, (2**62, -5), True)
    one = found.populations[0]
    assert (one.name, one.shape, one.decay, one.once, one.bias.tolist(), one.threshold.tolist()) == (
        "a",
        (2, 2, 2),
        77,
        True,
        [1, -2],
        [3, 4],
    )
    assert [(s.source, s.kind, s.stride, s.padding, s.groups, s.weight.dtype) for s in one.synapses] == 2 * [
        ("input", "conv", 2, 1, 2, np.int32)
    ]
    assert one.synapses[0].weight is one.synapses[1].weight  # they are added first
    assert (found.readout.scale, found.readout.bias.tolist()) == (0.125, [0, 0, 2**40])
    x = np.arange(36).reshape(2, 1, 2, 3, 3)
    assert (found.run(x).logits_TNK == net().run(x).logits_TNK).all()


def test_the_bytes_depend_on_the_network_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_integer(net(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.npz: No such file"):
        load_integer(tmp_path / "none.npz")
    for content in (b"", b"no archive"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"bad\.npz .*give a file of save_integer"):
            load_integer(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(UserError, match="holds no network in whole numbers"):
        load_integer(tmp_path / "other.npz")
    with pytest.raises(UserError, match="name a file in a folder that exists"):
        save_integer(net(), tmp_path / "no" / "net.npz")
