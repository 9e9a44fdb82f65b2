"""P4.1: each penalty by hand, its gradient's sign, and that every regulariser can be laid on every network."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from snn5.compression import L1, Bounds, MeanRate, SynOps, Target
from snn5.errors import UserError
from snn5.models import create_model
from snn5.training import Penalty, Regulariser, spike_rates

ALL: list[Regulariser] = [L1(), MeanRate(), Bounds(low=0.3, up=0.5), Target(target=0.1, floor=0.02), SynOps()]


def spikes(*counts: list[int], steps: int = 4) -> Tensor:
    """s [T, N, I] with `counts` [N, I] spikes of each neuron, the first steps first."""
    z_NI = torch.tensor(counts)
    return (torch.arange(steps)[:, None, None] < z_NI).float()


def gradient(of: Bounds | Target | L1 | MeanRate, s: Tensor) -> Tensor:
    s = s.clone().requires_grad_()
    (found,) = torch.autograd.grad(of.of({"a": s}), s)
    return found


# --- by hand: layer a has 2 neurons, layer b 4, two samples, T = 4

A = spikes([4, 0], [1, 1])  # rates 1, 0; 1/4, 1/4: mean 3/8
B = spikes([0, 0, 0, 2], [4, 4, 4, 2])  # means 1/8 and 7/8: 1/2
BOTH = {"a": A, "b": B}


def test_l1_counts_every_neuron_alike_and_mean_rate_every_layer() -> None:
    assert L1().of(BOTH).item() == pytest.approx((6 + 16) / (4 * 2 * 6))
    assert MeanRate().of(BOTH).item() == pytest.approx(3 / 8 + 1 / 2)


def test_lower_bound_by_hand() -> None:
    """low = 1/2: neurons of a fall short by 0, 1/2, 1/4, 1/4; those of b by 1/2 (three times), 0; 0 (four times)."""
    expected = (0 + 1 / 4 + 1 / 16 + 1 / 16) / 4 + (3 / 4) / 8
    assert Bounds(low=0.5, up_weight=0.0).of(BOTH).item() == pytest.approx(expected)
    assert Bounds(low=0.5, up_weight=0.0, low_weight=3.0).of(BOTH).item() == pytest.approx(3 * expected)


def test_upper_bound_by_hand() -> None:
    """up = 3/2 spikes: a's means over neurons are 2 and 1, so 1/4 and 0; b's 1/2 and 7/2, so 0 and 4; weight 0.06."""
    expected = 0.06 * ((1 / 4 + 0) / 2 + (0 + 4) / 2)
    assert Bounds(low=0.0, up=1.5).of(BOTH).item() == pytest.approx(expected)


def test_target_by_hand() -> None:
    """Means 3/8 and 1/2: above 1/4 by 1/8 and 1/4; below a floor of 7/16 by 1/16 and nothing."""
    assert Target(target=0.25).of(BOTH).item() == pytest.approx(1 / 64 + 1 / 16)
    assert Target(target=1.0, floor=7 / 16, floor_weight=2.0).of(BOTH).item() == pytest.approx(2 / 256)


def test_nothing_to_pay_within_the_bounds_and_on_the_target() -> None:
    """Spec P4.1 test 1: value 0 and gradient 0."""
    even = spikes([2, 2], [2, 2])
    for regulariser in (Bounds(low=0.5, up=2.0), Target(target=0.5, floor=0.5)):
        assert regulariser.of({"a": even}).item() == 0.0
        assert gradient(regulariser, even).abs().sum() == 0.0


def test_bounds_have_opposite_signs() -> None:
    """Spec P4.1 test 2: below its bound the lower one falls with every spike more, above it is 0; the upper one the other way round."""
    counted = [spikes([z], [z]) for z in range(5)]
    lower, upper = Bounds(low=0.6, up_weight=0.0), Bounds(low=0.0, up=1.5)
    below = [lower.of({"a": s}).item() for s in counted]
    above = [upper.of({"a": s}).item() for s in counted]
    assert below[0] > below[1] > below[2] > below[3] == below[4] == 0.0
    assert 0.0 == above[0] == above[1] < above[2] < above[3] < above[4]
    assert (gradient(lower, counted[1]) < 0).all() and (gradient(lower, counted[4]) == 0).all()
    assert (gradient(upper, counted[4]) > 0).all() and (gradient(upper, counted[1]) == 0).all()


@pytest.mark.parametrize("regulariser", [L1(), MeanRate(), Target(target=0.2), Target(target=1.0, floor=0.9)], ids=repr)
def test_shown_twice_is_the_same_price(regulariser: L1 | MeanRate | Target) -> None:
    """More steps or samples of the same change nothing, so a strength keeps its meaning."""
    once = regulariser.of(BOTH)
    for axis in (0, 1):
        assert torch.allclose(regulariser.of({name: torch.cat([s, s], axis) for name, s in BOTH.items()}), once)


def test_gradient_of_l1_is_one_spikes_share() -> None:
    assert torch.allclose(gradient(L1(), A), torch.full_like(A, 1 / A.numel()))


# --- on a network


def laid_on(regulariser: Regulariser) -> tuple[nn.Module, Penalty, Tensor]:
    lively = {"tau": 1.2, "v_threshold": 0.4}
    model = create_model("sew_resnet8", in_channels=1, num_classes=3, image_size=8, time_steps=2, width=4, neuron_args=lively)
    x_TNCHW = 3 * torch.rand(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return model, regulariser.on(model), x_TNCHW


@pytest.mark.parametrize("regulariser", ALL, ids=repr)
def test_every_regulariser_reaches_the_weights_and_leaves_no_hook(regulariser: Regulariser) -> None:
    model, penalty, x_TNCHW = laid_on(regulariser)
    with pytest.raises(RuntimeError, match="no forward pass yet"):
        penalty.value()
    with penalty.watching():
        plain = model(x_TNCHW)
        first = penalty.value()
        model(x_TNCHW)
        assert penalty.value().item() == pytest.approx(first.item(), rel=1e-5)  # each pass anew
        first.backward()
    assert model.stem_conv[0].weight.grad.abs().sum() > 0 and model.head.weight.grad is None
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(model(x_TNCHW), plain)


def test_rates_are_those_of_all_spiking_layers() -> None:
    """Against the evaluation's own counts."""
    model, _, x_TNCHW = laid_on(L1())
    seen: dict[str, Tensor] = {}

    class Note(MeanRate):
        def of(self, spikes: Mapping[str, Tensor]) -> Tensor:
            seen.update(spikes)
            return super().of(spikes)

    penalty = Note().on(model)
    with penalty.watching(), spike_rates(model) as counts:
        model(x_TNCHW)
        value = penalty.value()
    expected = {name: spikes / cells for name, (spikes, cells) in counts.items() if cells}
    assert seen.keys() == expected.keys() and len(seen) > 4
    assert value.item() == pytest.approx(sum(expected.values()), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Target(target=-0.1), r"target=-0\.1 of a regulariser; need a number of at least 0"),
        (lambda: Target(target=0.1, floor=0.2), r"floor=0\.2 above target=0\.1; no rate would be free"),
        (lambda: Bounds(up_weight=float("nan")), r"up_weight=nan of a regulariser"),
    ],
)
def test_impossible_settings(wrong, said: str) -> None:
    with pytest.raises(UserError, match=said):
        wrong()
