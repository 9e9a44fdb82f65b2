"""`snn5 bench train`: fair sides, honest figures. What the figures are is for a quiet machine to say."""

import json
from pathlib import Path

import pytest
import torch
from spikingjelly.activation_based import functional
from typer.testing import CliRunner

from snn5 import bench
from snn5.bench import Row, _train
from snn5.bench._measure import in_turn, row
from snn5.bench._memory import peak
from snn5.bench._network import network
from snn5.bench._neurons import given, neuron_alone, stock_neuron
from snn5.cli import app
from snn5.errors import UserError
from snn5.neurons import LIF

TINY = _train.Sizes(neurons=((3, 2, 40),), linear=(5, 2, 8), images=(2, 2, 3, 8, 8), widths=(4, 4), repeats=2, processes=1, steps=1)


def a_row(**changes: object) -> Row:
    return Row(**{"name": "a", "baseline": "b", "unit": "ms", "theirs": 9.0, "ours": 3.0, "ratio": 3.0, "low": 2.0, "high": 4.0,
                  "target": 2.5, "repeats": 3} | changes)  # type: ignore[arg-type]  # fmt: skip


def test_sides_are_measured_in_turn_after_one_call_each() -> None:
    calls: list[str] = []
    found = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4 and [len(found[k]) for k in "ab"] == [3, 3] and min(found["a"]) >= 0


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    found = row("x", "y", [10.0, 100.0, 12.0], [5.0, 50.0, 3.0], 2.5)
    assert (found.theirs, found.ours, found.ratio, found.low, found.high, found.repeats) == (12.0, 5.0, 2.0, 2.0, 4.0, 3)
    assert not found.reached and a_row(target=3.0).reached


def test_both_networks_are_the_same_network() -> None:
    """The same weights give the same logits and nearly the same gradients: neither side has less to do."""
    x, grads, logits = given(2, 2, 3, 8, 8), [], []
    nets = [network(make, (4, 4)) for make in (stock_neuron, LIF)]
    nets[1].load_state_dict(nets[0].state_dict())
    for net in nets:
        functional.reset_net(net)
        logits.append(net(x))
        grads.append(torch.autograd.grad(logits[-1].square().sum(), list(net.parameters())))
    assert torch.equal(*logits) and logits[0].abs().max() > 0
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def test_peak_counts_tensors_that_live_at_once() -> None:
    kept: list[torch.Tensor] = []

    def once() -> None:
        kept.clear()
        for _ in range(3):
            torch.empty(2**20)  # 4 MiB, gone at once
        kept.append(torch.empty(2**19) + torch.empty(2**19))  # three of 2 MiB at once

    assert peak(once) == pytest.approx(6.0, abs=0.1)


def test_the_neuron_needs_at_most_half_of_the_memory() -> None:
    """Exact figures, so they can be held by a test: [T, N, F] of 1 MiB."""
    theirs, ours = (peak(neuron_alone(make, (4, 16, 4096))) for make in (stock_neuron, LIF))
    assert 1.9 < ours < 2.6 and theirs > 2 * ours


def test_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_train, "computes_bf16", lambda device: True)
    said: list[str] = []
    rows = bench.train(sizes=TINY, say=said.append)
    assert len(said) == 4 and len(rows) == 2 + 1 + 5 + 1
    stock, stock_low, last = "SpikingJelly", "SpikingJelly bf16", "bf16, channels last"
    names = [(row.name.partition("], ")[2], row.baseline) for row in rows if row.name.startswith("conv net")]
    assert names == [("fp32", stock), ("bf16", stock), ("bf16", stock_low), (last, stock), (last, stock_low)]
    targets = [row.target for row in rows if row.name.startswith("conv net")]
    assert targets[0] == 1.0 and sorted([targets[1:3], targets[3:]]) == [[1.0, 1.0], [2.5, 1.3]]
    assert len({(r.name, r.baseline) for r in rows}) == len(rows)
    assert all(r.theirs > 0 and r.ours > 0 and r.low <= r.ratio <= r.high for r in rows)
    bench.write(rows, tmp_path / "bench.json")
    found = json.loads((tmp_path / "bench.json").read_text())
    assert len(found["rows"]) == len(rows) and found["machine"]["threads"] == torch.get_num_threads()
    with pytest.raises(UserError, match=r"cannot write .*nowhere.*; name a file in a folder that exists"):
        bench.write(rows, tmp_path / "nowhere" / "bench.json")


def test_without_bf16_instructions_only_fp32_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """There bf16 is emulated, many times slower than FP32: a figure that no training here would show."""
    monkeypatch.setattr(_train, "computes_bf16", lambda device: False)
    said: list[str] = []
    rows = [row for row in bench.train(sizes=TINY, say=said.append) if row.name.startswith("conv net")]
    assert said[-1].startswith("No bf16 figures") and {row.target for row in rows} == {1.0}
    assert [(row.name.partition("], ")[2], row.baseline) for row in rows] == [
        ("fp32", "SpikingJelly"),
        ("fp32, channels last", "SpikingJelly"),
    ]


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bool] = []

    def train(*, quick: bool, say: object) -> list[Row]:
        asked.append(quick)
        return [a_row(), a_row(unit="MiB", ratio=1.5)]

    monkeypatch.setattr(bench, "train", train)
    done = CliRunner().invoke(app, ["bench", "train", "--quick", "--json", str(tmp_path / "x.json")])
    assert done.exit_code == 0 and asked == [True], done.output
    assert "9 ms" in done.output and "3 MiB" in done.output and "1.50" in done.output
    assert [r["reached"] for r in json.loads((tmp_path / "x.json").read_text())["rows"]] == [True, False]
