"""The energy meter (G8): published figures, spikes everywhere, spikes nowhere; and every model can be counted."""

import pytest
import torch
from small_models import Case, N, T, alive, every_architecture, lively, neurons_of
from spikingjelly.activation_based import layer
from torch import Tensor, nn

from snn5.benchmark import FP32, EnergyModel, LayerOperations, Operations, count_operations
from snn5.models import MatMul, ann_twin


def of_layers(**layers: tuple[float, float]) -> Operations:
    """Operations of layers with these (MACs, ACs)."""
    sizes = {"inputs_nonzero": 0.0, "outputs": 0.0, "input_size": 1, "output_size": 1, "weights": 1}
    return Operations(
        layers={
            name: LayerOperations(
                kind="float" if macs else "binary", dense=macs + acs, padded=0.0, macs=macs, acs=acs, any_weight=0.0, **sizes
            )
            for name, (macs, acs) in layers.items()
        }
    )


def test_g8_published_energy() -> None:
    """Spikingformer-8-512's log: 0.347329512 GMAC and 6.51754094 GAC are 7.4635026 mJ."""
    by_hand_mj = (4.6 * 0.347329512e9 + 0.9 * 6.51754094e9) * 1e-9
    assert by_hand_mj == pytest.approx(7.4635026, abs=5e-8)
    assert FP32.energy_pj(macs=0.347329512e9, acs=6.51754094e9) * 1e-9 == pytest.approx(by_hand_mj, rel=1e-12)
    network = of_layers(stem=(0.3e9, 0.0), blocks=(0.0, 6.51754094e9), head=(0.047329512e9, 0.0))
    assert EnergyModel(weight_bits={}).fp32_pj(network) * 1e-9 == pytest.approx(by_hand_mj, rel=1e-12)


def dense_by_hand(kernel: int, pixels: int) -> int:
    """Products inside the image of a "same" convolution with one channel in and out: taps per axis, squared."""
    return sum(sum(0 <= i + d < pixels for d in range(-(kernel // 2), kernel // 2 + 1)) for i in range(pixels)) ** 2


class Product(nn.Module):
    """a b of a split input."""

    def __init__(self) -> None:
        super().__init__()
        self.matmul = MatMul()

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        return self.matmul(x_TNCHW[:, :, :4], x_TNCHW[:, :, 4:])


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...], int]] = {
    "conv1x1": (layer.Conv2d(4, 6, 1, bias=False, step_mode="m"), (4, 5, 5), 4 * 6 * 25),
    "conv3x3": (layer.Conv2d(4, 6, 3, padding=1, bias=False, step_mode="m"), (4, 5, 5), 4 * 6 * dense_by_hand(3, 5)),
    "linear": (layer.Linear(12, 7, step_mode="m"), (12,), 12 * 7),
    "matmul": (Product(), (8, 3, 3), 4 * 3 * 3 * 3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_g8_ones_cost_t_times_dense_and_zeros_nothing(name: str) -> None:
    net, shape, dense = LAYERS[name]
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(0.1 + torch.rand(p.shape, generator=torch.Generator().manual_seed(0)))  # no weight is zero
    ones = count_operations(net, torch.ones(T, N, *shape))
    zeros = count_operations(net, torch.zeros(T, N, *shape))
    assert (ones.total("acs"), ones.total("macs"), ones.total("dense")) == (T * dense, 0.0, T * dense)
    assert (zeros.total("acs"), zeros.total("macs"), zeros.total("dense")) == (0.0, 0.0, T * dense)
    energy = EnergyModel(weight_bits={})
    assert energy.fp32_pj(ones) == pytest.approx(0.9 * T * dense) and energy.fp32_pj(zeros) == 0.0
    assert energy.fp32_pj(zeros, dense=True) == pytest.approx(4.6 * T * dense)


def test_g8_synops_are_rate_times_t_times_dense() -> None:
    """Firing rate x T x FLOPs holds exactly where every input meets as many weights: a 1x1 convolution."""
    net, shape, dense = LAYERS["conv1x1"]
    with torch.no_grad():
        net.weight.fill_(0.5)
    s = torch.bernoulli(torch.full((T, N, *shape), 0.3), generator=torch.Generator().manual_seed(1))
    rate = s.mean().item()
    assert 0.2 < rate < 0.4
    assert count_operations(net, s).total("acs") == pytest.approx(rate * T * dense, rel=1e-6)


@every_architecture
def test_every_model_can_be_counted(case: Case) -> None:
    """Per sample, whatever the batch; no layer costs more than dense except for counts above 1; a static stem is paid for once."""
    model, x_TNCHW = lively(case)
    counted = count_operations(model, x_TNCHW)
    assert counted.neurons.keys() == neurons_of(model).keys()
    assert all(0 < neuron.rate < 1 and neuron.updates == T * neuron.neurons for neuron in counted.neurons.values())
    for name, one in counted.layers.items():
        assert one.macs + one.acs > 0 and (one.macs == 0 or one.acs == 0), name
        assert one.kind == "integer" or one.macs + one.acs <= one.dense * (1 + 1e-9), name
        assert (one.acs == 0) is (one.kind == "float"), name
    halves = [count_operations(model, x) for x in x_TNCHW.split([2, N - 2], dim=1)]
    together = sum(h.total("dense") * n for h, n in zip(halves, (2, N - 2), strict=True)) / N
    assert counted.total("dense") == pytest.approx(together, rel=1e-9)


@every_architecture
def test_the_twin_costs_as_much_as_one_dense_step(case: Case) -> None:
    """The same layers, T times fewer dense products, all of them multiplications; where T shapes the weights it shapes the costs, too."""
    model, x_TNCHW = lively(case)
    twin = alive(ann_twin(model), x_TNCHW)
    snn, ann = count_operations(model, x_TNCHW), count_operations(twin, x_TNCHW)
    assert snn.layers.keys() == ann.layers.keys() and not ann.neurons
    shaped_by_t = ("dta.", ".steps.")
    for name in snn.layers:
        if not any(part in name for part in shaped_by_t):
            assert snn.layers[name].dense == pytest.approx(T * ann.layers[name].dense, rel=1e-9), name


@every_architecture
def test_a_black_static_image_costs_the_stem_nothing(case: Case) -> None:
    """And a static image is paid for once, not T times."""
    model, x_TNCHW = lively(case)
    dark = count_operations(model, torch.zeros_like(x_TNCHW[:1]))
    moving = count_operations(model, x_TNCHW)
    stem = next(name for name in moving.layers if name in ("stem_conv.0", "stages.0.down.conv"))
    assert dark.layers[stem].macs + dark.layers[stem].acs == 0 < moving.layers[stem].macs
    assert dark.layers[stem].dense * T == pytest.approx(moving.layers[stem].dense)
