import pytest
import torch
from neurobench.metrics.utils.layers import single_layer_MACs
from spikingjelly.activation_based import layer, neuron
from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter
from torch import Tensor, nn

from snn5.benchmark import RULES, OperationCounter, Work, count_operations, cross_check
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model


def spikes(*shape: int, seed: int = 0, rate: float = 0.2) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(seed))


def spikingjelly_synops(module: nn.Module, x: Tensor) -> int:
    counter = SynOpCounter()
    with torch.no_grad(), DispatchCounterMode([counter]):
        module(x)
    return counter.get_total()


def small_net(connect: str = "add", in_channels: int = 2, time_steps: int = 3) -> SpikingModel:
    """A residual net that spikes in every layer, as trained ones do: more current than initialisation gives."""
    shape = {"in_channels": in_channels, "num_classes": 5, "image_size": 8, "time_steps": time_steps}
    model = create_model("sew_resnet20", width=4, connect=connect, neuron="lif", **shape)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 4.0)
            nn.init.constant_(module.bias, 1.0)
    return model.eval()


# --- numbers worked out by hand


@pytest.mark.parametrize(
    ("x", "kind", "macs", "acs", "any_weight"),
    [
        ([1.0, 1.0, 0.0], "binary", 0, 1, 4),  # x_0 meets one non-zero weight, x_1 none; each meets two weights
        ([2.0, 0.0, 1.0], "integer", 0, 2 * 1 + 1 * 2, 2 * 2 + 1 * 2),  # two spikes are two additions
        ([0.5, 0.0, 1.0], "float", 1 + 2, 0, 4),
        ([-1.0, 0.0, 1.0], "float", 1 + 2, 0, 4),  # a negative number is no count of spikes
        ([0.0, 0.0, 0.0], "binary", 0, 0, 0),
    ],
)
def test_linear_by_hand(x: list[float], kind: str, macs: int, acs: int, any_weight: int) -> None:
    linear = nn.Linear(3, 2, bias=True)
    linear.weight.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    found = count_operations(linear, torch.tensor(x)[None, None]).layers[""]
    assert (found.kind, found.macs, found.acs, found.any_weight, found.dense) == (kind, macs, acs, any_weight, 6)


def test_convolution_by_hand_at_the_border() -> None:
    """3x3 kernel on 3x3 pixels, padding 1: a corner meets 4 weights, an edge 6, the centre 9; stride 2 leaves the 4 corner outputs."""
    x = torch.zeros(1, 1, 1, 3, 3)
    x[..., 0, 0] = x[..., 1, 1] = 1.0
    conv = layer.Conv2d(1, 1, 3, padding=1, step_mode="m")
    found = count_operations(conv, x).layers[""]
    assert (found.acs, found.dense, found.padded) == (4 + 9, 4 * 4 + 4 * 6 + 9, 81)
    strided = count_operations(layer.Conv2d(1, 1, 3, stride=2, padding=1, step_mode="m"), x).layers[""]
    assert (strided.acs, strided.dense, strided.padded) == (1 + 4, 16, 36)


def test_neuron_updates_and_rate_by_hand() -> None:
    """IF neurons that get their input as it is: 2 steps x 3 neurons, of which 2 spike in the first step and none in the second."""
    net = nn.Sequential(layer.Linear(3, 3, bias=False, step_mode="m"), neuron.IFNode(step_mode="m"))
    nn.init.eye_(net[0].weight)
    found = count_operations(net, torch.tensor([[[1.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]]))
    assert (found.updates, found.neurons["1"].spikes, found.neurons["1"].neurons) == (6, 2, 3)
    assert found.rates == {"1": pytest.approx(1 / 3)}


# --- properties


@pytest.mark.parametrize("module", [layer.Conv2d(2, 4, 3, padding=1, step_mode="m"), layer.Conv2d(2, 4, 3, stride=2, step_mode="m")])
def test_all_ones_make_every_addition_and_zeros_none(module: nn.Module) -> None:
    ones, steps = torch.ones(3, 2, 2, 8, 8), 3
    found, one_step = count_operations(module, ones), count_operations(module, ones[:1])
    assert found.total("acs") == found.total("dense") == steps * one_step.total("dense") > 0
    silent = count_operations(module, torch.zeros_like(ones))
    assert (silent.total("acs"), silent.total("macs"), silent.total("dense")) == (0, 0, found.total("dense"))


def test_per_sample_figures_do_not_depend_on_the_batch() -> None:
    """Sums over single samples give the same figures: nothing is divided by T, and the kind of a layer holds for all calls."""
    model, x_TNCHW = small_net(in_channels=1), torch.rand(1, 6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    x_TNCHW[:, [0, 5]] = (x_TNCHW[:, [0, 5]] > 0.5).float()  # on their own, the first and the last sample look like spikes
    whole = count_operations(model, x_TNCHW)
    with torch.no_grad(), OperationCounter(model) as counter:
        for i in range(6):
            model(x_TNCHW[:, i : i + 1])
    single = counter.operations(6)
    for name, found in whole.layers.items():
        other = single.layers[name]
        assert (found.kind, found.dense, found.input_size) == (other.kind, other.dense, other.input_size)
        # batch 1 and batch 6 take other convolution kernels, whose rounding may flip a spike at the threshold
        assert found.macs == pytest.approx(other.macs, rel=1e-3)
        assert found.acs == pytest.approx(other.acs, rel=1e-3)
    assert single.layers["stem_conv.0"].kind == "float"
    assert whole.updates == single.updates


def test_a_static_image_passes_the_stem_once_and_events_at_every_step() -> None:
    image = count_operations(small_net(), torch.rand(1, 2, 2, 8, 8)).layers
    events = count_operations(small_net(), torch.rand(3, 2, 2, 8, 8)).layers
    assert events["stem_conv.0"].dense == 3 * image["stem_conv.0"].dense
    assert events["head"].dense == image["head"].dense == 3 * 16 * 5


def test_the_twin_has_the_dense_macs_of_one_step() -> None:
    x = torch.rand(1, 2, 2, 8, 8)
    one_step = small_net(time_steps=1)
    twin = count_operations(ann_twin(one_step).eval(), x)
    assert twin.total("dense") == count_operations(one_step, x).total("dense")
    assert twin.total("acs") == 0 and twin.neurons == {}
    assert all(found.kind == "float" for found in twin.layers.values())


def test_pruning_scales_the_additions_by_what_is_left() -> None:
    linear, x = nn.Linear(400, 300), spikes(1, 8, 400)
    before = count_operations(linear, x).total("acs")
    linear.weight.data *= spikes(300, 400, seed=1, rate=0.25)
    after = count_operations(linear, x)
    assert after.total("acs") / before == pytest.approx(0.25, rel=0.03)
    assert after.total("any_weight") == before


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv1d(2, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(2, 3, 3, padding="same"),
        nn.Conv3d(2, 3, (1, 3, 3), padding=(0, 1, 1)),
    ],
    ids=lambda c: f"{type(c).__name__}-{c.padding_mode}-{c.groups}",
)
def test_fanout_is_the_sum_of_a_binary_convolution(conv: nn.Module) -> None:
    """Second way to the same number: convolve the 0/1 masks and add up all outputs."""
    weight = conv.weight.data
    weight *= spikes(*weight.shape, seed=1, rate=0.5)
    x = spikes(3, weight.shape[1] * conv.groups, *[7] * (weight.ndim - 2), rate=0.4)
    found = count_operations(conv, x).layers[""]
    expected = conv._conv_forward(x, (weight != 0).float(), None).sum().item()
    assert found.acs * x.shape[1] == pytest.approx(expected, rel=1e-6) and expected > 0


# --- parity with two other counters


@pytest.mark.parametrize("seed", range(3))
def test_anchor_against_spikingjelly_and_neurobench(seed: int) -> None:
    """Conv2d(2->4, 3, padding 1) on (T, N, C, H, W) = (4, 3, 2, 8, 8): dense 46 464 (55 296 with padding); zero weights differ by tool."""
    conv, x = nn.Conv2d(2, 4, 3, padding=1), spikes(4, 3, 2, 8, 8, seed=seed)
    flat = x.flatten(0, 1)
    whole = layer.Conv2d(2, 4, 3, padding=1, step_mode="m")
    whole.load_state_dict(conv.state_dict())

    def figures() -> tuple[float, float, float, float]:
        found = count_operations(whole, x).layers[""]
        return tuple(round(3 * v) for v in (found.acs, found.any_weight, found.dense, found.padded))  # type: ignore[return-value]

    neurobench, is_spiking = single_layer_MACs(flat, conv)
    dense, _ = single_layer_MACs(flat, conv, total=True)
    acs = spikingjelly_synops(conv, flat)
    assert is_spiking and figures() == (acs, acs, dense, 55296) == (neurobench, acs, 46464, 55296)
    for module in (conv, whole):
        module.weight.data *= spikes(4, 2, 3, 3, seed=7, rate=0.25)
    pruned, _ = single_layer_MACs(flat, conv)
    assert figures() == (pruned, acs, dense, 55296)
    assert 0 < pruned < 0.5 * acs and spikingjelly_synops(conv, flat) == acs
    # one pixel that is no spike makes the layer a float layer for all three
    x[0, 0, 0, 0, 0] = 0.5
    assert count_operations(whole, x).total("acs") == 0 == spikingjelly_synops(conv, flat)
    assert not single_layer_MACs(flat, conv)[1]


def test_residual_net_against_neurobench_layer_by_layer() -> None:
    model, x = small_net("iand"), spikes(3, 4, 2, 8, 8)
    inputs: dict[str, Tensor] = {}
    modules = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    for name, module in modules.items():
        module.register_forward_pre_hook(lambda _, args, name=name: inputs.__setitem__(name, args[0]))
    found = count_operations(model, x).layers
    for name, module in modules.items():
        bare = nn.Conv2d if isinstance(module, nn.Conv2d) else nn.Linear
        copy = bare.__new__(bare)
        copy.__dict__ = {**module.__dict__, "_forward_hooks": {}, "_forward_pre_hooks": {}}
        operations, is_spiking = single_layer_MACs(inputs[name].flatten(0, 1), copy)
        assert is_spiking == (found[name].kind == "binary")
        assert found[name].acs + found[name].macs == pytest.approx(float(operations) / 4)
    assert {f.kind for f in found.values()} == {"binary", "float"}  # IAND keeps the wires binary; the head sees averages


@pytest.mark.parametrize("connect", ["iand", "add"])
def test_residual_net_against_spikingjelly(connect: str) -> None:
    model, x = small_net(connect), spikes(3, 4, 2, 8, 8)
    check = cross_check(model, x)
    assert check["synops_difference"] == check["macs_padded_difference"] == 0
    assert check["synops"] > 0 and check["macs_padded"] > 0
    # spikes that ADD has summed are invisible to SpikingJelly's SynOps
    assert (check["integer_acs"] > 0) == (connect == "add")
    if connect == "iand":
        assert check["synops"] == spikingjelly_synops(model, x) == round(count_operations(model, x).total("acs") * 4)


def test_summed_spikes_cost_as_much_as_the_spikes_one_by_one() -> None:
    linear, a, b = nn.Linear(20, 10), spikes(1, 4, 20, seed=1, rate=0.5), spikes(1, 4, 20, seed=2, rate=0.5)
    both = count_operations(linear, a + b)
    assert both.layers[""].kind == "integer"
    assert both.total("acs") == count_operations(linear, a).total("acs") + count_operations(linear, b).total("acs")


# --- the seam, and errors


def test_a_registered_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.mT

    monkeypatch.setitem(
        RULES, Product, lambda _module, inputs, out: Work(dense=float(out.numel() * inputs[0].shape[-1]), nonzero=5.0, integer=False)
    )
    found = count_operations(Product(), torch.rand(1, 2, 3, 4))
    assert (found.total("dense"), found.total("macs")) == (3 * 3 * 4, 2.5)


def test_errors() -> None:
    with pytest.raises(UserError, match=r"no counting rule for layer '1' \(ConvTranspose2d\); add one"):
        OperationCounter(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(1, 1, 3)))
    with pytest.raises(UserError, match="0 layers ran on 1 samples"):
        OperationCounter(nn.Linear(1, 1)).operations(1)
    with pytest.raises(UserError, match=r"shape \[1, 4, 4\]; need \[N, C, ...\]"):
        count_operations(nn.Conv2d(1, 1, 3), torch.rand(1, 4, 4))


def test_hooks_are_gone_after_an_error() -> None:
    linear = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), OperationCounter(linear):
        linear(torch.zeros(1, 3))
    assert not linear._forward_hooks
