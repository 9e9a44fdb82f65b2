"""One-shot quantisation: on the grid, below rounding alone in membrane error, equal to the plain GPTQ loop, zeros kept, errors named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from snn5 import checkpoint
from snn5.benchmark import measure
from snn5.checkpoint import Card, Checkpoint
from snn5.compression import prune, quantize_one_shot
from snn5.compression._one_shot import quantize_rows
from snn5.datasets import load
from snn5.errors import UserError
from snn5.models import create_model, initialise


def problem(d: int = 24, rows: int = 6) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    z_BD = torch.randn(100, d, generator=draw, dtype=torch.float64) @ torch.randn(d, d, generator=draw, dtype=torch.float64)
    return torch.randn(rows, d, generator=draw, dtype=torch.float64), 2 * z_BD.T @ z_BD / 100 + 0.5 * torch.eye(d, dtype=torch.float64)


@pytest.fixture(scope="module")
def start() -> Checkpoint:
    model = create_model(
        "sew_resnet8", in_channels=1, num_classes=10, image_size=8, time_steps=3, width=4, neuron_args={"tau": 1.2, "v_threshold": 0.3}
    )
    initialise(model, torch.Generator().manual_seed(0))
    card = Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=3, neuron="plif")
    return checkpoint.of(model, card)


def images(count: int = 20) -> Tensor:
    return torch.rand(1, count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_nearest_by_hand() -> None:
    """3 bits: levels -3..3 of a third of the row's largest weight, 0.5; 0.24 rounds to 0, 0.26 to one step."""
    made = quantize_rows(torch.tensor([[1.5, 0.24, 0.26, -0.8]], dtype=torch.float64), None, 3)
    assert made[0].tolist() == pytest.approx([1.5, 0.0, 0.5, -1.0])


def test_passes_the_error_on_by_hand() -> None:
    """2 bits: levels -1, 0, 1. H = [[2, 1], [1, 2]]: of the second weight, what the first lost comes back at H_12 / H_22 = 1/2: 0.4 is
    rounded to 0, so 0.35 + 0.2 is rounded to 1; the last weight 1 sets the scale and is tied to none."""
    h_DD = torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    w_RD = torch.tensor([[0.4, 0.35, 1.0]], dtype=torch.float64)
    assert quantize_rows(w_RD, None, 2)[0].tolist() == [0.0, 0.0, 1.0]
    assert quantize_rows(w_RD, h_DD, 2)[0].tolist() == [0.0, 1.0, 1.0]


def test_parity_with_optimal_brain_quantisation() -> None:
    """A second implementation: columns in order, the inverse of H downdated, every error spread over what is left (OBQ's equation)."""
    w_RD, h_DD = problem()
    for row, w_D in enumerate(w_RD):
        inverse_DD, left_D, made = torch.linalg.inv(h_DD), w_D.clone(), []
        scale = w_D.abs().max() / 3
        for q in range(len(w_D)):
            made.append(((left_D[q] / scale).round().clamp(-3, 3) * scale).item())
            left_D = left_D - (left_D[q] - made[-1]) / inverse_DD[q, q] * inverse_DD[:, q]
            inverse_DD = inverse_DD - torch.outer(inverse_DD[:, q], inverse_DD[q]) / inverse_DD[q, q]
            inverse_DD[q, q] = 1.0
        assert quantize_rows(w_RD, h_DD, 3)[row].tolist() == pytest.approx(made, abs=1e-9)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_below_rounding_in_membrane_error(bits: int) -> None:
    w_RD, h_DD = problem()

    def error(made_RD: Tensor) -> float:
        return (((made_RD - w_RD) @ h_DD) * (made_RD - w_RD)).sum().item()

    own, nearest = quantize_rows(w_RD, h_DD, bits), quantize_rows(w_RD, None, bits)
    assert error(own) < 0.9 * error(nearest)
    assert max(len(row.unique()) for row in own) <= 2**bits - 1
    assert torch.equal(quantize_rows(w_RD, torch.eye(24, dtype=torch.float64), bits), nearest)  # nothing to pass on


@pytest.mark.parametrize("bits", [2, 4])
def test_levels_after_reload(tmp_path: Path, start: Checkpoint, bits: int) -> None:
    early = replace(start, card=replace(start.card, cutoff={"rule": "gap", "thresholds": [1.0] * 3}))
    made = quantize_one_shot(early, images(), bits=bits, keep_float=["stem_conv.0"], parents={"a": "b"})
    checkpoint.save(made, tmp_path / "q.safetensors")
    again = checkpoint.load(tmp_path / "q.safetensors")
    widths = again.card.quantisation["bits"]
    assert len(widths) == 9 and set(widths.values()) == {bits} and "stem_conv.0" not in widths
    for name in widths:
        w = again.state[f"{name}.weight"].flatten(1)
        assert max(len(row.unique()) for row in w) <= 2**bits - 1
        step_R1 = start.state[f"{name}.weight"].flatten(1).abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)  # the grid is fixed before
        assert torch.allclose(w / step_R1, (w / step_R1).round(), rtol=0, atol=1e-4)
    assert torch.equal(again.state["stem_conv.0.weight"], start.state["stem_conv.0.weight"])
    assert again.card.transforms[-1].args == {"bits": bits, "method": "gptq", "keep_float": ["stem_conv.0"], "samples": 20}
    assert again.card.cutoff is None


def test_the_benchmark_sees_the_bits(start: Checkpoint) -> None:
    val = load("digits", time_steps=3).val
    made, before = (
        measure(one, val, seed=0, protocol="validation", limit=8) for one in (quantize_one_shot(start, images(), bits=4), start)
    )
    assert set(made.weight_bits.values()) == {4} and made.packed_bytes < before.packed_bytes / 2


def test_pruned_weights_stay_zero(start: Checkpoint) -> None:
    pruned, _ = prune(start, images(), sparsity=0.6)
    made = quantize_one_shot(pruned, images(), bits=4)
    assert made.card.masks == pruned.card.masks
    assert all((made.state[name][pruned.state[name] == 0] == 0).all() for name in pruned.card.masks)
    assert any((made.state[name] != pruned.state[name]).any() for name in pruned.card.masks)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: quantize_one_shot(c, images(), bits=1), "bits=1; need 2 to 8"),
        (lambda c: quantize_one_shot(c, images(), bits=4, method="gptp"), "unknown method 'gptp'.*gptq"),
        (lambda c: quantize_one_shot(c, images(), bits=4, keep_float=["stem"]), "unknown layer 'stem'"),
        (lambda c: quantize_one_shot(c, images(0), bits=4), "no calibration sample"),
        (
            lambda c: quantize_one_shot(replace(c, card=replace(c.card, quantisation={"bits": 4})), images(), bits=4),
            "quantised already; start from its float parent",
        ),
    ],
)
def test_errors(start: Checkpoint, call: Callable[[Checkpoint], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(start)
