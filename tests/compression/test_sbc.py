"""P4.3 on a trained network: fewer wrong spikes than magnitude pruning, exact counts, no training, patterns, rivals, errors."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

import snn5.compression._sbc as sbc
from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Card, Checkpoint, Transform
from snn5.compression import calibration_samples, keep_zeros, prune, prune_many, prune_to, spike_distance, spike_distances
from snn5.compression._hessian import damped, hessians
from snn5.compression._layers import find_layers
from snn5.compression._sequential import solve
from snn5.config import Train
from snn5.datasets import Splits, load
from snn5.errors import UserError
from snn5.models import ann_twin, create_model, initialise, predict
from snn5.training import Samples, fit, in_order, samples

LIVELY = {"tau": 1.5, "v_threshold": 0.5}
METHODS = pytest.mark.parametrize("method", ["sbc", "sbc_sequential", "magnitude"])


@pytest.fixture(scope="module")
def splits() -> Splits:
    return load("digits", time_steps=3)


@pytest.fixture(scope="module")
def held_out(splits: Splits) -> Samples:
    return samples(splits.val)


@pytest.fixture(scope="module")
def start(splits: Splits) -> Checkpoint:
    """A small network that has learned its task."""
    return trained(splits, twin=False)


@pytest.fixture(scope="module")
def few(splits: Splits) -> Samples:
    return calibration_samples(splits.train, per_class=5, generator=torch.Generator().manual_seed(0))


def trained(splits: Splits, *, twin: bool) -> Checkpoint:
    model = create_model("sew_resnet8", in_channels=1, num_classes=10, image_size=8, time_steps=3, width=8, neuron_args=LIVELY)
    net = ann_twin(model) if twin else model
    initialise(net, torch.Generator().manual_seed(0))
    recipe = Train(model="sew_resnet8", epochs=4, batch_size=32, lr=8e-3, shift_pixels=0)
    fit(net, samples(splits.train), samples(splits.val), recipe, generator=torch.Generator().manual_seed(0))
    card = Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=3, neuron="plif", twin=twin)
    return checkpoint.of(net, card).after(Transform(name="train"))


@torch.no_grad()
def accuracy(one: Checkpoint, data: Samples) -> float:
    model = one.build()
    return sum(int((predict(model(x_TNCHW)) == y_N).sum()) for x_TNCHW, y_N in in_order(data, 256)) / len(data)


def zeros(one: Checkpoint) -> int:
    return sum(int((value == 0).sum()) for name, value in one.state.items() if name in weights(one))


def weights(one: Checkpoint) -> list[str]:
    return [name for name, value in one.state.items() if value.ndim > 1]


SPARSITIES = (0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def made(start: Checkpoint, few: Samples) -> dict[str, list[Checkpoint]]:
    variants = list(product(("sbc", "sbc_sequential", "magnitude"), SPARSITIES))
    found = dict(zip(variants, prune_many(start, few, variants), strict=True))
    return {method: [found[method, sparsity][0] for sparsity in SPARSITIES] for method, _ in variants}


# --- what it is for


def test_below_magnitude_pruning_on_held_out_samples(start: Checkpoint, held_out: Samples, made: dict[str, list[Checkpoint]]) -> None:
    """Spec P4.3 test 4: same calibration samples, same weights per layer; distance at 50, 75 and 90 %, accuracy at 75 and 90 %."""
    assert accuracy(start, held_out) > 0.9
    distance = {method: [spike_distance(start, one, held_out) for one in found] for method, found in made.items()}
    right = {method: [accuracy(one, held_out) for one in found] for method, found in made.items()}
    for method in ("sbc", "sbc_sequential"):
        assert all(own < 0.9 * other for own, other in zip(distance[method], distance["magnitude"], strict=True)), distance
        assert all(own > other for own, other in zip(right[method][1:], right["magnitude"][1:], strict=True)), right
    assert sorted(distance["sbc"]) == distance["sbc"]


def test_solving_in_sequence_holds_more(held_out: Samples, made: dict[str, list[Checkpoint]]) -> None:
    assert accuracy(made["sbc_sequential"][2], held_out) > accuracy(made["sbc"][2], held_out)


@METHODS
def test_exactly_as_many_zeros_as_asked(start: Checkpoint, made: dict[str, list[Checkpoint]], method: str) -> None:
    """Spec P4.3 test 2; and all methods share the numbers per layer."""
    total = sum(start.state[name].numel() for name in weights(start))
    for sparsity, one, other in zip(SPARSITIES, made[method], made["magnitude"], strict=True):
        assert zeros(one) == round(sparsity * total)
        for name in weights(start):
            assert int((one.state[name] == 0).sum()) == int((other.state[name] == 0).sum())
            assert (one.state[name] != 0).any()
            assert (name in one.card.masks) == bool((one.state[name] == 0).any())


@METHODS
def test_nothing_else_changes(start: Checkpoint, made: dict[str, list[Checkpoint]], method: str) -> None:
    """Norms, neurons and biases are the same bits, the original is not touched, and magnitude keeps what it keeps."""
    for one in made[method]:
        assert one.state.keys() == start.state.keys()
        for name, value in start.state.items():
            if name not in weights(start):
                assert torch.equal(one.state[name], value), name
            elif method == "magnitude":
                kept = one.state[name] != 0
                assert torch.equal(one.state[name][kept], value[kept]) and value[kept].abs().min() >= value[~kept].abs().max()
    assert all((start.state[name] != 0).all() for name in weights(start))


def test_no_gradient_and_no_optimiser(monkeypatch: pytest.MonkeyPatch, start: Checkpoint, few: Samples) -> None:
    """Spec P4.3 test 4: whoever makes an optimiser or goes backward is caught."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("training in one-shot pruning")

    monkeypatch.setattr(torch.optim.Optimizer, "__init__", refuse)
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    for method in ("sbc", "sbc_sequential"):
        prune(start, few, sparsity=0.5, method=method)


def test_same_bits_again_and_one_at_a_time(start: Checkpoint, few: Samples, made: dict[str, list[Checkpoint]]) -> None:
    for method in ("sbc", "sbc_sequential"):
        one, _ = prune(start, few, sparsity=0.75, method=method)
        assert all(torch.equal(value, made[method][1].state[name]) for name, value in one.state.items())


def test_little_memory_gives_the_same_weights(start: Checkpoint, few: Samples, made: dict[str, list[Checkpoint]]) -> None:
    """One layer and one row at a time; sums of other sizes round differently, and no mask may hang on that."""
    one, _ = prune(start, few, sparsity=0.75, memory_bytes=1)
    for name, value in one.state.items():
        assert torch.allclose(value.float(), made["sbc"][1].state[name].float(), atol=1e-5), name


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, start: Checkpoint, few: Samples) -> None:
    """Groups of H and batches of inverses that are formed never pass their halves; a layer too large for its half goes alone."""
    budget, groups, rows = 16 * 10**5, [], []
    whole_group, whole_rows = sbc.hessians, sbc.remove_weights
    monkeypatch.setattr(sbc, "hessians", lambda m, g, b: groups.append([8 * one.inputs**2 for one in g]) or whole_group(m, g, b))
    monkeypatch.setattr(sbc, "remove_weights", lambda w, *a, **k: rows.append((len(w), 24 * w.shape[1] ** 2)) or whole_rows(w, *a, **k))
    prune(start, few, sparsity=0.5, memory_bytes=budget)
    assert 1 < len(groups) < sum(map(len, groups))
    assert all(sum(group) <= budget / 2 for group in groups)
    assert all(count * size <= budget / 2 or count == 1 for count, size in rows) and max(count for count, _ in rows) > 1


def test_resnet18_fits_in_the_default_budget() -> None:
    """SEW-ResNet-18 of full width: the largest H (4608 inputs) is 170 MB; one row's inverses 510 MB; groups stay below half a GiB."""
    model = create_model("sew_resnet18", in_channels=3, num_classes=10, image_size=32, time_steps=1, neuron="if").eval()
    layers, left = find_layers(model, torch.zeros(1, 1, 3, 32, 32))
    assert len(layers) == 21 and not left and max(one.inputs for one in layers) == 4608
    groups = list(sbc.groups_of(layers, sbc.MEMORY_BYTES // 2))
    assert [one.name for group in groups for one in group] == [one.name for one in layers]
    assert max(sum(8 * one.inputs**2 for one in group) for group in groups) <= 2**29 and len(groups) <= 3
    assert sbc.rows_at_once(4608, sbc.MEMORY_BYTES // 2) == 1


# --- solving in sequence


def test_with_the_same_inputs_it_is_the_least_squares_of_before() -> None:
    """C = H: what `sbc` solves, to rounding."""
    draw = torch.Generator().manual_seed(0)
    z_BD = torch.randn(40, 8, generator=draw, dtype=torch.float64)
    h_DD = 2 * z_BD.T @ z_BD / 40
    w_RD, keep_RD = torch.randn(3, 8, generator=draw, dtype=torch.float64), torch.rand(3, 8, generator=draw) > 0.5
    assert torch.allclose(solve(w_RD, keep_RD, h_DD, h_DD), sbc.compensate(w_RD, damped(h_DD), keep_RD), atol=1e-12)


def test_no_better_weights_under_the_mask() -> None:
    """The loss of the module's docstring, computed from samples, rises wherever one goes from the solution."""
    draw = torch.Generator().manual_seed(0)
    z_BD = torch.randn(40, 6, generator=draw, dtype=torch.float64)
    own_BD = z_BD + 0.5 * torch.randn(40, 6, generator=draw, dtype=torch.float64)
    w_RD, keep_RD = torch.randn(1, 6, generator=draw, dtype=torch.float64), torch.tensor([[True, False, True, True, False, True]])
    h_DD, c_DD = (2 * own_BD.T @ other / 40 for other in (own_BD, z_BD))
    ridge = 0.01 * h_DD.diagonal().mean()

    def loss(v_RD: Tensor) -> float:
        return (2 * ((own_BD @ v_RD.T - z_BD @ w_RD.T) ** 2).mean() + ridge * ((v_RD - w_RD) ** 2).sum()).item()

    found_RD = solve(w_RD, keep_RD, h_DD, c_DD)
    assert (found_RD[~keep_RD] == 0).all()
    for _ in range(20):
        step_RD = 1e-3 * torch.randn(1, 6, generator=draw, dtype=torch.float64) * keep_RD
        assert loss(found_RD + step_RD) > loss(found_RD)


# --- N:M, an absolute number, the twin


@METHODS
def test_two_of_four(start: Checkpoint, few: Samples, held_out: Samples, method: str) -> None:
    one, report = prune(start, few, pattern=(2, 4), method=method)
    for name in weights(start):
        w = one.state[name]
        blocks = w.split(4, 1)
        assert all(int((block != 0).sum(1).max()) == min(2, block.shape[1]) for block in blocks), name
        assert all(int((block != 0).sum(1).min()) == min(2, block.shape[1]) for block in blocks), name
    assert report.sparsity == pytest.approx(0.5, abs=0.01)  # the stem has one input channel and stays dense
    assert "stem_conv.0.weight" not in one.card.masks
    if method != "magnitude":
        assert spike_distance(start, one, held_out) < 0.9 * spike_distance(
            start, prune(start, few, pattern=(2, 4), method="magnitude")[0], held_out
        )


def test_a_given_number_of_parameters(splits: Splits, few: Samples) -> None:
    """The twin as a rival: as many non-zero parameters as a pruned SNN, counted by the benchmark."""
    twin = trained(splits, twin=True)
    for method in ("sbc", "sbc_sequential"):
        one, _ = prune_to(twin, few, nnz=3000, method=method)
        measured = measure(one, splits.val, seed=0, protocol="validation", limit=50)
        assert measured.params_nnz == 3000 and not measured.spiking and one.card.twin
    assert accuracy(one, samples(splits.val)) > 0.8
    with pytest.raises(
        UserError, match=r"nnz=10; this network has 19\d\d\d non-zero weights in 10 layers and \d+ other parameters: need \d+ to"
    ):
        prune_to(twin, few, nnz=10)


def test_pruning_again_keeps_the_zeros(start: Checkpoint, few: Samples, made: dict[str, list[Checkpoint]]) -> None:
    before = made["sbc"][0]
    again, report = prune(before, few, sparsity=0.75)
    assert report.sparsity == pytest.approx(0.75, abs=1e-4)
    assert all((again.state[name][before.state[name] == 0] == 0).all() for name in before.card.masks)
    with pytest.raises(UserError, match="non-zero weights in 10 layers"):
        prune(before, few, sparsity=0.25)


def test_the_card(start: Checkpoint, few: Samples) -> None:
    late = start.after(Transform(name="calibrate_cutoff"), cutoff={"rule": "gap", "thresholds": [1.0] * 3})
    one, report = prune(late, few, sparsity=0.5, parents={"data/x": "abc"})
    args = {"method": "sbc", "sparsity": 0.5, "samples": 50}
    assert one.card.transforms[-1] == Transform(name="prune", args=args, parents={"data/x": "abc"})
    assert one.card.cutoff is None and one.card.masks == sorted(one.card.masks)
    with keep_zeros(one.build(), one.card.masks):
        pass
    assert report.weights - report.nonzeros == zeros(one) and not report.left_dense
    assert all(0 <= layer.error < 1 for layer in report.layers) and report.to_json()["sparsity"] == report.sparsity


def test_nothing_pruned_is_nothing_changed(start: Checkpoint, few: Samples) -> None:
    one, report = prune(start, few, sparsity=0.0)
    assert all(torch.equal(value, start.state[name]) for name, value in one.state.items())
    assert one.card.masks == [] and all(layer.error == 0 for layer in report.layers)


def test_inputs_that_were_never_there_go_first(start: Checkpoint, few: Samples) -> None:
    """Columns without a spike in calibration: what they weigh costs nothing."""
    silent = Checkpoint(card=start.card, state={name: value.clone() for name, value in start.state.items()})
    silent.state["blocks.0.branch.0.1.bias"][:3] = -100.0  # three channels that never spike
    silent.state["blocks.0.branch.0.1.weight"][:3] = 0.0
    model = silent.build()
    layers, _ = find_layers(model, next(x for x, _ in in_order(few, 1)))
    behind = next(one for one in layers if one.name == "blocks.0.branch.2.0")
    h_DD = hessians(model, [behind], [x for x, _ in in_order(few, 64)])[behind.name]
    assert (h_DD.diagonal()[:27] == 0).all() and (h_DD.diagonal()[27:] > 0).any()
    one, _ = prune(silent, few, sparsity=0.85)
    assert (one.state["blocks.0.branch.2.0.weight"][:, :3] == 0).all()


# --- calibration samples and distance


def test_calibration_samples(splits: Splits) -> None:
    few = calibration_samples(splits.train, per_class=3, generator=torch.Generator().manual_seed(0))
    assert torch.bincount(few.y_N).tolist() == [3] * 10
    again = calibration_samples(splits.train, per_class=3, generator=torch.Generator().manual_seed(0))
    other = calibration_samples(splits.train, per_class=3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(few.x_NTCHW, again.x_NTCHW) and not torch.equal(few.x_NTCHW, other.x_NTCHW)
    everything = calibration_samples(splits.train, per_class=10**6, generator=torch.Generator())
    assert torch.equal(everything.x_NTCHW, samples(splits.train).x_NTCHW)


def test_calibration_comes_from_training_samples(splits: Splits) -> None:
    val = replace(splits.val, info={**splits.val.info, "split": "val"})
    with pytest.raises(UserError, match="calibration samples were asked of the val split"):
        calibration_samples(val, per_class=1, generator=torch.Generator())
    with pytest.raises(UserError, match="per_class=0; need at least 1"):
        calibration_samples(splits.train, per_class=0, generator=torch.Generator())


def test_distance(start: Checkpoint, held_out: Samples) -> None:
    assert spike_distance(start, start, held_out) == 0.0
    silenced = Checkpoint(card=start.card, state={n: torch.zeros_like(v) if ".0.weight" in n else v for n, v in start.state.items()})
    silenced = replace(silenced, state={n: v - 1e3 if n.endswith(".1.bias") else v for n, v in silenced.state.items()})
    found = spike_distances(start, silenced, held_out)
    assert found and all(value == pytest.approx(1.0) for value in found.values())  # as wrong as silence
    with pytest.raises(UserError, match="no neuron of the original spikes"):
        spike_distance(silenced, start, held_out)


# --- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, x: prune(c, x), r"sparsity=None, pattern=None; give one of them"),
        (lambda c, x: prune(c, x, sparsity=0.5, pattern=(2, 4)), r"sparsity=0\.5, pattern=\(2, 4\); give one of them"),
        (lambda c, x: prune(c, x, sparsity=1.0), r"sparsity=1\.0; need a share of zeros from 0 to below 1"),
        (lambda c, x: prune(c, x, pattern=(4, 4)), r"pattern=4:4; need N:M with 1 <= N < M"),
        (lambda c, x: prune(c, x, sparsity=0.5, method="sbd"), r"unknown method 'sbd'.*sbc"),
        (lambda c, x: prune(c, x[:, :0], sparsity=0.5), r"no calibration sample; give at least one"),
        (lambda c, x: prune(replace(c, card=replace(c.card, quantisation={"bits": 4})), x, sparsity=0.5), r"is quantised; prune it first"),
    ],
)
def test_errors(start: Checkpoint, call: Callable[[Checkpoint, Tensor], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(start, torch.zeros(1, 2, 1, 8, 8))


def test_a_tensor_will_do(start: Checkpoint, few: Samples) -> None:
    x_TNCHW, _ = few.batch(torch.arange(len(few)))
    one, other = (prune(start, data, sparsity=0.5)[0] for data in (few, x_TNCHW))
    assert all(torch.equal(value, other.state[name]) for name, value in one.state.items())
