"""Three counters on the same networks: ours, SpikingJelly's op_counter and NeuroBench 2.3's harness; equal where all are right.

The networks run step by step, as NeuroBench needs it; figures of SpikingJelly are totals of the batch and are divided here.
Where the tools differ, the test says which figure is whose, so that a new version of either is noticed.
"""

from typing import Any

import pytest
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import TorchModel
from spikingjelly.activation_based import base, functional, layer, neuron
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, MemoryAccessCounter, SynOpCounter
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from snn5.benchmark import EnergyModel, Memory, OperationCounter, Operations, count_operations, packed_bytes, params_nnz
from snn5.models import MatMul, create_model


def over_time(net: nn.Module, x_TNI: Tensor) -> Tensor:
    functional.reset_net(net)
    return torch.stack([net(x) for x in x_TNI]).sum(0)


def ours(net: nn.Module, x_TNI: Tensor) -> Operations:
    with torch.no_grad(), OperationCounter(net) as counter:
        over_time(net, x_TNI)
    return counter.operations(x_TNI.shape[1])


def spikingjelly(net: nn.Module, x_TNI: Tensor) -> dict[str, float]:
    """Additions and multiplications per sample."""
    counters = {"acs": SynOpCounter(), "macs": MACCounter(), "bytes": MemoryAccessCounter()}
    with torch.no_grad(), DispatchCounterMode(list(counters.values())):
        over_time(net, x_TNI)
    return {name: counter.get_total() / x_TNI.shape[1] for name, counter in counters.items()}


class Stepwise(TorchModel):
    """What NeuroBench calls with [N, T, ...] and sees step by step; `time_first` leaves the axes as this project has them."""

    time_first = False

    def __call__(self, batch: Tensor) -> Tensor:
        return over_time(self.net, batch if self.time_first else batch.transpose(0, 1))


def neurobench(net: nn.Module, x_TNI: Tensor, *, time_first: bool = False, batch: int = 4) -> dict[str, Any]:
    model = Stepwise(net)
    model.add_activation_module(base.MemoryModule)
    model.time_first = time_first
    x = x_TNI if time_first else x_TNI.transpose(0, 1)
    data = DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=len(x) if time_first else batch)
    metrics = [[Footprint, ConnectionSparsity, ParameterCount], [ActivationSparsity, SynapticOperations]]
    with torch.no_grad():
        found: dict[str, Any] = Benchmark(model, data, [], [], metrics).run(quiet=True)
    return {**found, **found["SynapticOperations"]}


def spikes(*shape: int, seed: int = 0, rate: float = 0.3) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(seed))


def network(seed: int = 0) -> nn.Sequential:
    """Two convolutions (one with stride) and a linear layer, IF neurons between; spikes everywhere."""
    parts = (
        *(nn.Conv2d(2, 4, 3, padding=1, bias=False), neuron.IFNode(v_threshold=0.5)),
        *(nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), neuron.IFNode(v_threshold=0.5)),
        *(nn.Flatten(), nn.Linear(6 * 4 * 4, 5, bias=False)),
    )
    generator = torch.Generator().manual_seed(seed)
    for part in parts:
        if not isinstance(part, nn.Flatten | base.MemoryModule):
            nn.init.normal_(part.weight, mean=0.05, std=0.3, generator=generator)
    return nn.Sequential(*parts).eval()


X = spikes(3, 8, 2, 8, 8, seed=5)


def pruned(net: nn.Sequential, keep: float = 0.25) -> nn.Sequential:
    for i, part in enumerate(net):
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.data *= spikes(*part.weight.shape, seed=20 + i, rate=keep)
    return net


# --- by hand

BY_HAND = torch.tensor([[[1.0, 1.0, 0.0]], [[0.0, 1.0, 1.0]]])


def two_layers() -> nn.Sequential:
    """Linear(3, 2), IF with threshold 1, Linear(2, 1). Step 1: spikes 1 0; step 2: currents 2 and 3, spikes 1 1."""
    net = nn.Sequential(nn.Linear(3, 2, bias=False), neuron.IFNode(), nn.Linear(2, 1, bias=False))
    net[0].weight.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    net[2].weight.data = torch.ones(1, 2)
    return net.eval()


def test_all_three_by_hand() -> None:
    """Inputs meet 1 + 0 and 0 + 2 non-zero weights (4 and 4 in all), hidden spikes 1 and 2; dense 2 (6 + 2)."""
    found = ours(two_layers(), BY_HAND)
    assert (found.total("acs"), found.total("macs"), found.total("dense")) == (1 + 2 + 1 + 2, 0, 16)
    assert found.total("any_weight") == 4 + 4 + 1 + 2
    assert (found.updates, found.neurons["1"].spikes) == (2 * 2, 3)
    theirs = neurobench(two_layers(), BY_HAND)
    assert (theirs["Effective_ACs"], theirs["Effective_MACs"], theirs["Dense"]) == (6, 0, 16)
    assert theirs["ActivationSparsity"] == 1 - 3 / 4
    assert spikingjelly(two_layers(), BY_HAND)["acs"] == 11  # zero weights are work to it


def test_memory_traffic_by_hand() -> None:
    """At 1 pJ a bit: 6 additions fetch a weight and move a partial sum twice, 4 + 3 spikes are written and read as addresses of 16 bits,
    4 updates move a potential twice and multiply once. SpikingJelly moves every tensor once, spikes or not."""
    bit = Memory(sram=((2.0**40, 64.0),))
    assert EnergyModel(weight_bits={}, memory=bit).memory_pj(ours(two_layers(), BY_HAND)) == pytest.approx(
        6 * (0.9 + 32 + 2 * 32) + (4 + 3) * 2 * 16 + 4 * (4.6 + 2 * 32)
    )
    silent = torch.zeros_like(BY_HAND)
    assert EnergyModel(weight_bits={}, memory=bit).memory_pj(ours(two_layers(), silent)) == pytest.approx(4 * (4.6 + 2 * 32))
    assert spikingjelly(two_layers(), silent)["bytes"] == spikingjelly(two_layers(), BY_HAND)["bytes"] > 0


# --- equal


@pytest.mark.parametrize("seed", range(3))
def test_all_three_agree_on_spikes_and_dense_weights(seed: int) -> None:
    """Padding, stride and batches of 8 (NeuroBench: twice 4)."""
    net = network(seed)
    found, theirs, others = ours(net, X), neurobench(net, X), spikingjelly(net, X)
    assert found.total("acs") == found.total("any_weight") == pytest.approx(theirs["Effective_ACs"]) == pytest.approx(others["acs"])
    assert found.total("dense") == pytest.approx(theirs["Dense"])
    assert found.total("acs") > 1000 and found.total("macs") == theirs["Effective_MACs"] == others["macs"] == 0
    fired = sum(n.spikes for n in found.neurons.values())
    assert theirs["ActivationSparsity"] == pytest.approx(1 - fired / found.updates, abs=1e-4)


def test_sizes_agree_with_neurobench() -> None:
    net = network()
    theirs = neurobench(net, X)
    assert theirs["ParameterCount"] == params_nnz(net) == sum(p.numel() for p in net.parameters())
    assert theirs["Footprint"] == packed_bytes(net.state_dict(), {"0": 32, "2": 32, "5": 32})
    pruned(net)
    sparser = neurobench(net, X)
    assert sparser["ConnectionSparsity"] == pytest.approx(1 - params_nnz(net) / theirs["ParameterCount"], abs=1e-4)
    # zeros are stored in full by NeuroBench's count; ours packs them
    assert sparser["Footprint"] == theirs["Footprint"] > 2 * packed_bytes(net.state_dict(), {"0": 32, "2": 32, "5": 32})


def test_real_numbers_are_multiplications_to_all() -> None:
    """Effective ones to us and to NeuroBench; dense ones with the padding to SpikingJelly."""
    conv = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=False)).eval()
    x = X * torch.rand(X.shape, generator=torch.Generator().manual_seed(1))
    found, theirs = ours(conv, x), neurobench(conv, x)
    assert (found.total("macs"), found.total("acs")) == (pytest.approx(theirs["Effective_MACs"]), 0) and theirs["Effective_ACs"] == 0
    assert spikingjelly(conv, x)["macs"] == found.total("padded") > found.total("dense") == theirs["Dense"] > found.total("macs")


# --- different, and known to be


def test_pruned_weights_are_no_work_to_us_and_neurobench_but_to_spikingjelly() -> None:
    net = pruned(network())
    found, theirs, others = ours(net, X), neurobench(net, X), spikingjelly(net, X)
    assert found.total("acs") == pytest.approx(theirs["Effective_ACs"])
    assert found.total("any_weight") == pytest.approx(others["acs"])
    assert others["acs"] > 3 * found.total("acs") > 0
    assert found.total("dense") == theirs["Dense"] == ours(network(), X).total("dense")  # of the shape, whatever the weights


def test_one_pixel_that_is_no_spike() -> None:
    """Its step turns into multiplications for NeuroBench and SpikingJelly, the other steps stay additions; to us the layer is one kind."""
    x = X.clone()
    x[0, 0, 0, 0, 0] = 0.5
    stem = nn.Sequential(network()[0])
    before, found, theirs, others = ours(stem, X), ours(stem, x), neurobench(stem, x, batch=8), spikingjelly(stem, x)
    assert theirs["Effective_MACs"] > 0 and theirs["Effective_ACs"] == pytest.approx(ours(stem, x[1:]).total("acs"))
    assert found.total("macs") == pytest.approx(theirs["Effective_MACs"] + theirs["Effective_ACs"]) and found.total("acs") == 0
    assert found.total("macs") == pytest.approx(before.total("acs"), rel=1e-3)
    assert others["acs"] == pytest.approx(theirs["Effective_ACs"])
    assert others["macs"] == before.total("padded") / 3  # all of one step, padding included


def test_summed_spikes_of_a_residual_are_additions_to_us_alone() -> None:
    """Counts 0, 1, 2 at a layer: two spikes are two additions to us, one multiplication to NeuroBench, a dense product to SpikingJelly."""
    linear, a, b = nn.Sequential(nn.Linear(20, 10, bias=False)), spikes(1, 8, 20, seed=1, rate=0.5), spikes(1, 8, 20, seed=2, rate=0.5)
    found, theirs, others = ours(linear, a + b), neurobench(linear, a + b, batch=8), spikingjelly(linear, a + b)
    assert found.layers["0"].kind == "integer" and found.total("macs") == 0
    assert found.total("acs") == 10 * (a + b).sum().item() / 8
    assert theirs["Effective_MACs"] == 10 * int((a + b).count_nonzero()) / 8 < found.total("acs") and theirs["Effective_ACs"] == 0
    assert (others["acs"], others["macs"]) == (0, 20 * 10)


class Attention(nn.Module):
    """q k' v on [T, N, tokens, channels] of spikes, one linear layer before."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.inner, self.outer = nn.Linear(6, 6, bias=False), MatMul(), MatMul()

    def forward(self, x_NLD: Tensor) -> Tensor:
        q_TNLD = (self.q(x_NLD) > 0).to(x_NLD)[None]
        return self.outer(self.inner(q_TNLD, x_NLD[None].mT), x_NLD[None])[0]


def test_attention_is_counted_by_us_and_spikingjelly_but_not_by_neurobench() -> None:
    """Spikes on spikes: the sum of the result. Counts on spikes: as many additions as counted to us; one to SpikingJelly."""
    net, x = Attention().eval(), spikes(1, 8, 5, 6, seed=3, rate=0.5)
    found, theirs, others = ours(net, x), neurobench(net, x, batch=8), spikingjelly(net, x)
    inner, outer, q = (found.layers[name] for name in ("inner", "outer", "q"))
    assert theirs["Effective_ACs"] == q.acs and theirs["Dense"] == q.dense
    with torch.no_grad():
        q_NLD = (net.q(x[0]) > 0).float()
    assert (inner.kind, inner.acs) == ("binary", (q_NLD @ x[0].mT).sum().item() / 8)
    assert (outer.kind, outer.acs) == ("integer", (q_NLD @ x[0].mT @ x[0]).sum().item() / 8)
    met = 5 * x.sum().item() / 8  # every spike of v meets 5 rows of counts, zeros among them
    assert others["acs"] == pytest.approx(q.acs + inner.acs + met) and others["macs"] == 0


def test_time_first_batches_are_divided_by_the_wrong_axis_in_neurobench() -> None:
    """[T, N, ...] = 3 x 8 given as it is: NeuroBench divides its sums by 3, not by 8."""
    net = network()
    right, wrong = neurobench(net, X), neurobench(net, X, time_first=True)
    assert wrong["Effective_ACs"] == pytest.approx(right["Effective_ACs"] * 8 / 3)
    assert ours(net, X).total("acs") == pytest.approx(right["Effective_ACs"])


def test_a_static_image_is_paid_once_by_us_and_at_every_step_where_a_network_is_unrolled() -> None:
    """Float multiplications of the first layer, which is computed once and kept over time: a third of what three steps would be."""
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=4).eval()
    image = torch.rand(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    found = count_operations(model, image).layers["stem_conv.0"]
    stem: Any = model.get_submodule("stem_conv.0")
    alone = nn.Sequential(nn.Conv2d(1, stem.out_channels, 3, padding=1, bias=False)).eval()
    alone[0].weight.data = stem.weight.data
    unrolled = image.repeat(3, 1, 1, 1, 1)
    assert found.kind == "float" and 3 * found.macs == pytest.approx(neurobench(alone, unrolled)["Effective_MACs"])
    assert 3 * found.padded == spikingjelly(alone, unrolled)["macs"]
    assert 3 * found.dense == ours(alone, unrolled).total("dense")


def test_batches_make_no_difference() -> None:
    """Sample by sample or all at once; NeuroBench's sparsity of activations used to see the first sample of a batch only."""
    net = network()
    whole, single = ours(net, X), [ours(net, X[:, i : i + 1]) for i in range(8)]
    for name in ("acs", "dense", "any_weight", "inputs_nonzero"):
        assert whole.total(name) == pytest.approx(sum(one.total(name) for one in single) / 8)
    assert whole.updates == sum(one.updates for one in single) / 8
    assert layer.Conv2d is not nn.Conv2d  # SpikingJelly's layers are subclasses, which the rules must find by their bases
    assert count_operations(layer.Conv2d(2, 4, 3, padding=1, step_mode="m"), X).total("acs") > 0
