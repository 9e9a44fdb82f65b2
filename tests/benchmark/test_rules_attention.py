"""What products of two activations cost: MatMul and Gate by hand, by brute force and in Spikingformer."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, SynOpCounter
from torch import Tensor, nn

from snn5.benchmark import EnergyModel, LayerOperations, OperationCounter, Operations, count_operations, measure
from snn5.datasets import Split
from snn5.models import Gate, MatMul, SpikingModel, ann_twin, create_model


def spikes(*shape: int, seed: int = 0, rate: float = 0.3) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(seed))


def counts(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 4, shape, generator=torch.Generator().manual_seed(seed)).float()


def reals(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spikes(*shape, seed=seed + 1, rate=0.6)


def cost(module: nn.Module, a: Tensor, b: Tensor) -> LayerOperations:
    """Totals of one call."""
    with torch.no_grad(), OperationCounter(module) as counter:
        module(a, b)
    return counter.operations(1).layers[""]


# --- by hand

A = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
B = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("a", "b", "kind", "macs", "acs"),
    [
        (A, B, "binary", 0, 2 * 1 + 1 * 2 + 1 * 1),  # j = 0: two rows meet one column; j = 1: one, two; j = 2: one, one
        (2 * A, B, "integer", 0, 2 * 5),  # a pair of counts m and n is m n additions
        (2 * A, 3 * B, "integer", 0, 6 * 5),
        (A / 2, B, "float", 5, 0),
        (-A, B, "float", 5, 0),
        (0 * A, B, "binary", 0, 0),
        (0 * A, -B, "float", 0, 0),
    ],
)
def test_matmul_by_hand(a: Tensor, b: Tensor, kind: str, macs: int, acs: int) -> None:
    found = cost(MatMul(), a[None, None], b[None, None])
    assert (found.kind, found.dense, found.padded, found.macs, found.acs) == (kind, 2 * 3 * 2, 12, macs, acs)
    assert found.any_weight == macs + acs and found.weights == 0
    assert found.inputs_nonzero == int(a.count_nonzero() + b.count_nonzero())
    assert (found.outputs, found.input_size, found.output_size) == (4, 6 + 6, 4)


@pytest.mark.parametrize(
    ("gate", "kind", "macs", "acs"),
    [
        ([[1.0], [0.0]], "binary", 0, 2),  # a row of spikes passes, the other does not
        ([[2.0], [1.0]], "integer", 0, 2 * 2 + 1),
        ([[0.5], [0.0]], "float", 2, 0),  # real numbers that meet a spike are multiplications
        ([[0.5], [0.25]], "float", 3, 0),
    ],
)
def test_gate_by_hand(gate: list[list[float]], kind: str, macs: int, acs: int) -> None:
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    found = cost(Gate(), torch.tensor(gate)[None, None], x[None, None])
    assert (found.kind, found.dense, found.macs, found.acs) == (kind, 6, macs, acs)
    assert (found.weights, found.outputs, found.input_size, found.output_size) == (0, 6, 2 + 6, 6)


# --- by brute force

MIXES = pytest.mark.parametrize(
    ("make_a", "make_b"), [(spikes, spikes), (spikes, counts), (counts, counts), (reals, spikes), (spikes, reals), (reals, reals)]
)


@MIXES
def test_matmul_pair_by_pair(make_a: Any, make_b: Any) -> None:
    """All products, one after the other; one batch axis broadcasts."""
    a, b = make_a(2, 3, 4, 5, seed=1), make_b(2, 1, 5, 6, seed=2)
    pairs = [(a[t, n, i, j].item(), b[t, 0, j, k].item()) for t, n, i, j, k in product(range(2), range(3), range(4), range(5), range(6))]
    found = cost(MatMul(), a, b)
    whole = all(v >= 0 and v == int(v) for pair in pairs for v in pair)
    assert found.dense == len(pairs)
    assert found.acs == (sum(x * y for x, y in pairs) if whole else 0)
    assert found.macs == (0 if whole else sum(x != 0 and y != 0 for x, y in pairs))
    assert found.acs + found.macs > 0


@MIXES
def test_gate_pair_by_pair(make_a: Any, make_b: Any) -> None:
    gate, x = make_a(2, 3, 4, 1, seed=1), make_b(2, 3, 4, 6, seed=2)
    pairs = [(gate[t, n, c, 0].item(), x[t, n, c, k].item()) for t, n, c, k in product(range(2), range(3), range(4), range(6))]
    found = cost(Gate(), gate, x)
    whole = all(v >= 0 and v == int(v) for pair in pairs for v in pair)
    assert found.dense == len(pairs)
    assert found.acs == (sum(x * y for x, y in pairs) if whole else 0)
    assert found.macs == (0 if whole else sum(x != 0 and y != 0 for x, y in pairs))


def test_a_product_of_spikes_is_its_own_number_of_additions() -> None:
    a, b = spikes(3, 2, 4, 5, seed=1), spikes(3, 2, 5, 7, seed=2)
    assert cost(MatMul(), a, b).acs == (a @ b).sum().item()


def test_the_order_of_three_factors_makes_no_difference_to_the_last_product() -> None:
    """q (k' v) and (q k') v: the second product adds up what comes out, whichever it is."""
    q, k, v = (spikes(2, 3, 8, 16, seed=seed) for seed in range(3))
    first = cost(MatMul(), v @ k.mT, q)
    second = cost(MatMul(), v, k.mT @ q)
    assert first.acs == second.acs == ((v @ k.mT) @ q).sum().item() > 0
    assert (first.kind, second.kind) == ("integer", "integer")


def test_against_spikingjelly() -> None:
    """Spikes on spikes: its rule, too, is the sum of the result. Real numbers: all products, as our dense ones."""

    class Product(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return torch.bmm(a, b)

    def theirs(counter: Any, a: Tensor, b: Tensor) -> int:
        with torch.no_grad(), DispatchCounterMode([counter]):
            Product()(a, b)
        return int(counter.get_total())

    a, b = spikes(6, 4, 5, seed=1), spikes(6, 5, 7, seed=2)
    assert theirs(SynOpCounter(), a, b) == cost(MatMul(), a[None], b[None]).acs > 0
    a, b = reals(6, 4, 5, seed=1), reals(6, 5, 7, seed=2)
    assert theirs(MACCounter(), a, b) == cost(MatMul(), a[None], b[None]).dense


# --- Spikingformer


def spikingformer(**overrides: Any) -> SpikingModel:
    """A network that fires in every layer."""
    arguments: dict[str, Any] = {"in_channels": 2, "num_classes": 5, "image_size": 16, "time_steps": 3, "neuron": "lif"}
    model = create_model("spikingformer_4_256", **(arguments | {"dim": 32, "depth": 2, "heads": 4} | overrides))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 3.0)
            nn.init.constant_(module.bias, 1.0)
    return model.eval()


def test_every_product_of_spikingformer_is_counted() -> None:
    """D = 32, 4 heads of 8 channels, 16 tokens, T = 3: per block and step D^2 L for q, k, v, proj, 4 D^2 L in each half of the MLP and
    2 D d L in attention. All are spike layers but stem and head."""
    found = count_operations(spikingformer(), torch.rand(3, 2, 2, 16, 16, generator=torch.Generator().manual_seed(0)))
    d, tokens, steps = 32, 16, 3
    blocks = sum(v.dense for name, v in found.layers.items() if name.startswith("blocks"))
    assert blocks == 2 * steps * (12 * d * d * tokens + 2 * d * (d // 4) * tokens)
    products = {name: v for name, v in found.layers.items() if v.weights == 0}
    assert sorted(products) == sorted(f"blocks.{i}.attention.{which}" for i in range(2) for which in ("inner", "outer"))
    assert all(v.dense == steps * d * (d // 4) * tokens and v.acs > 0 == v.macs for v in products.values())
    assert {name for name, v in found.layers.items() if v.kind == "float"} == {"stem_conv.0", "head"}
    assert {v.kind for name, v in products.items() if name.endswith("inner")} == {"binary"}


def test_the_additions_of_attention_are_the_sum_of_what_it_answers() -> None:
    model, x_TNCHW, sums = spikingformer(), torch.rand(3, 2, 2, 16, 16, generator=torch.Generator().manual_seed(0)), []
    for name in ("inner", "outer"):
        module = model.blocks[1].attention.get_submodule(name)
        module.register_forward_hook(lambda _m, _i, out, name=name: sums.append((name, out.sum().item())))
    found = count_operations(model, x_TNCHW)
    assert [(name, 2 * found.layers[f"blocks.1.attention.{name}"].acs) for name in ("inner", "outer")] == sums


@pytest.mark.parametrize("heads", [1, 8])
def test_the_twin_has_the_dense_macs_of_one_step(heads: int) -> None:
    """Also where the other order is the cheaper one: 32 channels against 16 tokens."""
    x = torch.rand(1, 2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    one_step = spikingformer(time_steps=1, heads=heads)
    twin, found = count_operations(ann_twin(one_step).eval(), x), count_operations(one_step, x)
    assert {name: v.dense for name, v in twin.layers.items()} == {name: v.dense for name, v in found.layers.items()}
    assert {v.kind for v in twin.layers.values()} == {"float"} and twin.total("acs") == 0
    assert twin.layers["blocks.0.attention.outer"].macs > 0


def test_published_multiplications_of_spikingformer_8_512() -> None:
    """0.347329512 GMAC in its log: the first convolution in each of four steps, the head with its bias once; nothing else multiplies."""
    shape: dict[str, Any] = {"in_channels": 3, "num_classes": 1000, "image_size": 224, "time_steps": 4}
    with torch.device("meta"):
        model = create_model("spikingformer_8_512", neuron="lif", **shape)
    conv, head = model.stem_conv[0], model.head
    first = layer.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False, step_mode="m")
    padded = count_operations(first, torch.rand(1, 1, 3, 224, 224)).total("padded")
    assert 4 * padded + head.weight.numel() + head.bias.numel() == 347_329_512


@pytest.mark.parametrize("twin", [False, True])
def test_measure(twin: bool) -> None:
    x = np.random.default_rng(0).integers(0, 17, (1, 6, 2, 16, 16), dtype=np.uint8)
    split = Split(x_TNCHW=x, y_N=np.arange(6) % 5, index_N=np.arange(6), info={"dataset": "toy", "scale": 16, "split": "test"})
    model = ann_twin(spikingformer()).eval() if twin else spikingformer()
    found = measure(model, split, seed=0, protocol="val_selected")
    assert set(found.layers) == {n for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear | MatMul)}
    assert found.energy_pj["fp32"] == pytest.approx(4.6 * found.effective_macs + 0.9 * found.effective_acs)
    assert found.effective_acs == 0 if twin else found.effective_acs > found.effective_macs > 0
    assert found.energy_pj["memory"] > found.energy_pj["fp32"] > found.energy_pj["int"] > 0
    assert found.dense_energy_pj["memory"] > found.energy_pj["memory"]


# --- energy of layers without weights


def one_product(kind: str, *, macs: float = 0.0, acs: float = 0.0, size: int = 10) -> Operations:
    entry = LayerOperations(
        kind=kind,
        dense=1000.0,
        padded=1000.0,
        macs=macs,
        acs=acs,
        any_weight=0.0,
        inputs_nonzero=3.0,
        outputs=20.0,
        input_size=size,
        output_size=10,
        weights=0,
    )
    return Operations(layers={"a": entry})


def test_memory_by_hand() -> None:
    """Below 8 kB, 10/64 pJ per bit. Float: both factors per MAC, one write per output. Spikes: the other factor and a partial sum (in
    and out) per AC; an address written and read per spike."""
    model, bit = EnergyModel(weight_bits={"a": 4}), 10 / 64
    assert model.memory_pj(one_product("float", macs=7.0)) == pytest.approx(7 * (4.6 + 64 * bit) + 20 * 32 * bit)
    assert model.memory_pj(one_product("binary", acs=7.0)) == pytest.approx(7 * (0.9 + (1 + 64) * bit) + 2 * 3 * 16 * bit)
    assert model.memory_pj(one_product("integer", acs=7.0)) == pytest.approx(7 * (0.9 + (32 + 64) * bit) + 2 * 3 * 16 * bit)
    assert model.memory_pj(one_product("binary", acs=7.0), dense=True) == pytest.approx(1000 * (4.6 + 64 * bit) + 20 * 32 * bit)


def test_arithmetic_has_the_width_of_activations() -> None:
    """Not that of weights, which such a layer lacks."""
    operations = one_product("float", macs=7.0)
    assert EnergyModel(weight_bits={"a": 4}, activation_bits=8).int_pj(operations) == pytest.approx(7 * 0.23)
    assert EnergyModel(weight_bits={"a": 8}, activation_bits=4).int_pj(operations) == pytest.approx(7 * (0.2 * 16 / 64 + 0.015))


def test_memory_follows_the_factors_size() -> None:
    """400 kB of operands cost what 400 kB of weights would."""
    model = EnergyModel(weight_bits={})
    small, large = one_product("float", macs=7.0), one_product("float", macs=7.0, size=10**5)
    assert model.memory_pj(large) - model.memory_pj(small) == pytest.approx(7 * 2 * (100 - 10) / 2)
