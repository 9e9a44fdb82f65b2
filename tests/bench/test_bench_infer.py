"""`snn5 bench infer`: the same network on all sides, the rates that were asked for, and the rows."""

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional
from typer.testing import CliRunner

from snn5 import bench
from snn5.bench._infer import FEW, _first, _slopes
from snn5.bench._infer_network import as_torch, images, six
from snn5.bench._infer_rivals import folded, ort_missing, with_stock_neurons
from snn5.bench._measure import row
from snn5.cli import app
from snn5.datasets import Split
from snn5.inference import engine
from snn5.models import ann_twin, create_model

SMALL = (8, 8, 16, 16)


def test_the_rate_is_the_one_asked_for() -> None:
    network, x = six(0.1, widths=SMALL, side=16), images(4, 16)
    found = engine.compile(network)(x, record=True)
    rates = [float(found.spikes[f"conv{i}"].mean()) for i in range(1, 5)]
    assert all(0.08 < rate < 0.12 for rate in rates), rates


def test_spikingjelly_has_the_same_spikes() -> None:
    """Its float potentials are not rounded to 1/64 of a weight, so a spike in a thousand may differ."""
    network, x = six(0.1, widths=SMALL, side=16), images(3, 16, seed=1)
    net = as_torch(network, spiking=True)
    seen: list[torch.Tensor] = []
    for module in net:
        if type(module).__name__ == "LIFNode":
            module.register_forward_hook(lambda _module, _given, out: seen.append(out))
    functional.reset_net(net)
    with torch.inference_mode():
        net(torch.from_numpy(x).float())
    wanted = engine.compile(network)(x, record=True).spikes
    for i, spikes in enumerate(seen, 1):
        assert float((spikes.numpy() != wanted[f"conv{i}"]).mean()) < 2e-3


def test_the_dense_twin_has_the_same_layers() -> None:
    network = six(0.1, widths=SMALL, side=16)
    net = as_torch(network, spiking=False)
    assert net(torch.rand(2, 3, 16, 16)).shape == (2, 10)
    assert [tuple(p.shape) for p in net.parameters()][:2] == [(8, 3, 3, 3), (8,)]


def test_stock_neurons_give_the_same_answers() -> None:
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="plif", width=4).eval()
    stock = with_stock_neurons(model)
    assert {type(m).__module__.split(".")[0] for m in stock.modules() if "LIF" in type(m).__name__} == {"spikingjelly"}
    x = 3 * torch.rand(1, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(model(x), stock(x), atol=1e-5)


def test_a_folded_twin_has_no_norms_and_the_same_answers() -> None:
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="plif", width=4)
    twin, generator = ann_twin(model).eval(), torch.Generator().manual_seed(0)
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
    x = torch.rand(1, 2, 1, 8, 8, generator=generator)
    with torch.inference_mode():
        before = twin(x)
        assert torch.allclose(folded(twin)(x), before, atol=1e-5)
    assert not [m for m in twin.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_the_rows() -> None:
    said: list[str] = []
    rows = bench.infer(quick=True, repeats=2, widths=SMALL, side=16, say=said.append)
    rivals = 2 if ort_missing() else 3
    assert [r.target for r in rows[:rivals]] == ([5.0, 20.0] if ort_missing() else [5.0, 2.0, 20.0])
    assert len(rows) == 2 * rivals + 1 and all(r.theirs > 0 and r.ours > 0 for r in rows[:-1])
    assert rows[-1].name.startswith("time for a million more synaptic operations")
    assert any("is not installed (pip install 'snn5[bench]')" in text for text in said) == bool(ort_missing())


@pytest.mark.parametrize(("n", "count"), [(3, 3), (FEW + 5, FEW)])
def test_no_answer_is_given_to_nobody(n: int, count: int) -> None:
    """A batch of none would be answered, and sooner."""
    x = np.arange(2 * n * 4, dtype=np.uint8).reshape(2, n, 1, 2, 2)
    found = _first(Split(x_TNCHW=x, y_N=np.zeros(n, np.int64), index_N=np.arange(n), info={}))
    assert [one.shape for one in found] == [(2, 1, 1, 2, 2)] * count and (found[1] == x[:, 1:2]).all()


def test_files_come_in_pairs() -> None:
    done = CliRunner().invoke(app, ["bench", "infer", "one.safetensors"])
    assert done.exit_code == 1
    assert "1 files; give pairs" in str(done.stderr)


def test_images_are_whole_numbers() -> None:
    assert images(2, 8).shape == (1, 2, 3, 8, 8) and images(2, 8).dtype == np.int64
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(images(2, 8), images(2, 8, seed=1))


@pytest.mark.parametrize(("ours", "reached"), [(1.0, True), (1.19, True), (1.21, False), (0.84, True), (0.82, False)])
def test_figures_that_should_be_alike_may_differ_by_a_fifth_either_way(ours: float, reached: bool) -> None:
    assert row("slope", "all", [1.0], [ours], 1 / 1.2, most=1.2).reached is reached


def test_slopes_are_taken_turn_by_turn() -> None:
    """FEW answers a turn; the second turn runs at half the clock rate, which must not look like another slope."""
    work = {"a": 1.0, "b": 2.0, "c": 4.0}
    times = {name: [first * FEW, 2 * first * FEW] for name, first in (("a", 1.0), ("b", 2.0), ("c", 7.0))}
    near, far = _slopes(work, times)
    assert near.theirs == 3.0 and near.ours == 1.5  # (7 - 1) / 3 = 2 and 4; (2 - 1) / 1 = 1 and 2
    assert near.ratio == near.low == near.high == 2.0 and not near.reached
    assert far.ratio == far.low == far.high == pytest.approx(0.8) and not far.reached  # (7 - 2) / 2 = 2.5
