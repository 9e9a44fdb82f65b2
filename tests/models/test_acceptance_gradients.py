"""Every parameter learns from one batch (G6), and any neuron fits any architecture.

In double precision a gradient that is zero by mathematics is below 1e-12 and one that is not far above, so rounding is no excuse.
"""

import re
from collections.abc import Callable

import pytest
import torch
from small_models import MODELS, REPEATS, C, Case, K, N, alive, every_case, firing, neurons_of
from torch import Tensor, nn

from snn5.models import SpikingModel, create_model, initialise
from snn5.neurons import NEURONS

ZERO = 1e-12

# What cannot learn in training mode, and why. A batch norm subtracts the batch's mean, so nothing in front of it that adds the same to
# all samples, pixels and steps is seen: the published biases of Spikingformer's projection and MLP (and of HsVT's spiking MLP, if they
# have one). In eval mode these biases count.
BIAS_BEFORE_NORM = re.compile(r".*\.(proj|fc1|fc2)\.0\.bias|.*\.feed_forward\.[13]\.0\.bias")
EXCEPTIONS = {"spikingformer": BIAS_BEFORE_NORM, "spikingformer_qk": BIAS_BEFORE_NORM, "hsvt": BIAS_BEFORE_NORM}


def does_not_learn(model: nn.Module, x_TNCHW: Tensor) -> set[str]:
    """G6. Parameters without a gradient, with one that is not finite, or with one of zero, after one batch."""
    model.zero_grad(set_to_none=True)
    y_N = torch.arange(x_TNCHW.shape[1]) % K
    nn.functional.cross_entropy(model(x_TNCHW).mean(0), y_N).backward()
    return {name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all() or p.grad.abs().max() < ZERO}


def is_exempt(case: Case, name: str) -> bool:
    pattern = EXCEPTIONS.get(case.small.family)
    return pattern is not None and pattern.fullmatch(name) is not None


def ready(case: Case) -> tuple[SpikingModel, Tensor]:
    """Double precision, all layers firing; STAA without its random bypass, which skips what is to learn."""
    model = case.make(**({"bypass": 0.0} if case.small.family == "staa" else {})).double()
    x_TNCHW = case.images().double()
    alive(model, x_TNCHW)
    return model, x_TNCHW


@every_case
def test_g6_every_parameter_learns(case: Case) -> None:
    model, x_TNCHW = ready(case)
    with firing(model) as rates:
        found = does_not_learn(model.train(), x_TNCHW)
    assert rates.keys() == neurons_of(model).keys() and min(rates.values()) > 0  # a silent layer would be an excuse
    exempt = {name for name, _ in model.named_parameters() if is_exempt(case, name)}
    assert found == exempt  # all others learn, and the list of exceptions is no longer than it must be
    assert does_not_learn(model.eval(), x_TNCHW) == set()  # with fixed statistics nothing is exempt


FRESH = ["sew_resnet8", "sew_7b", "spikingformer_4_256", "ms_resnet18", "dta_ms_resnet18", "staa_resnet19", "hsvt_tiny", "glif_resnet18"]
FRESH += ["spiking_ssm", "spiking_tcn", "spiking_airnet"]


@pytest.mark.parametrize("name", FRESH)  # the baseline spiking_resnet starts with silent branches, as published
def test_the_first_batch_already_teaches_everything(name: str) -> None:
    """As `initialise` leaves a network, its published neuron in it, with a threshold that fresh norms reach."""
    case = next(c for c in MODELS if c.name == name)
    args = {} if case.small.neuron in ("glif", "if") else {"neuron_args": {"v_threshold": 0.5}}
    model = case.make(**args)
    initialise(model, torch.Generator().manual_seed(0))
    exempt = {name for name, _ in model.named_parameters() if is_exempt(case, name)}
    assert does_not_learn(model.train().double(), case.images(samples=8).double()) == exempt


# Every neuron in every architecture; a name that repeats another one's blocks has one neuron, each another.
EVERY = sorted(NEURONS)
PAIRS = [(case, neuron) for case in MODELS if case.name not in REPEATS for neuron in EVERY]
PAIRS += [(case, EVERY[i % len(EVERY)]) for i, case in enumerate(case for case in MODELS if case.name in REPEATS)]


@pytest.mark.parametrize(("case", "neuron"), PAIRS, ids=[f"{case.id}-{neuron}" for case, neuron in PAIRS])
def test_any_neuron_fits_any_architecture(case: Case, neuron: str) -> None:
    """Forward and backward, spikes out of each neuron layer of the right kind, finite gradients that reach the stem."""
    image = 16 if case.small.image > 16 else case.small.image
    model = create_model(case.name, in_channels=C, num_classes=K, image_size=image, time_steps=2, neuron=neuron, **case.small.args)
    x_TNCHW = 2 * torch.rand(2, 3, C, image, image, generator=torch.Generator().manual_seed(0))
    kinds = {type(m) for m in neurons_of(model).values()}
    assert len(kinds) == 1
    logits_TNK = model.train()(x_TNCHW)
    assert logits_TNK.shape == (2, 3, K) and logits_TNK.isfinite().all()
    logits_TNK.mean(0).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert next(model.parameters()).grad is not None


# --- toys with one mistake each


class Toy(nn.Module):
    """x -> w x, then a head; `twist` sees the weight, `unused` is for one mistake."""

    def __init__(self, twist: Callable[[Tensor], Tensor] = lambda w: w, *, unused: bool = False) -> None:
        super().__init__()
        self.w, self.twist = nn.Parameter(torch.ones(C, dtype=torch.float64)), twist
        self.head = nn.Linear(C, K).double()
        if unused:
            self.norm = nn.LayerNorm(C)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        return self.head(x_TNCHW.mean((-2, -1)) * self.twist(self.w))


@pytest.mark.parametrize(
    ("toy", "missed"),
    [
        (Toy(), set()),
        (Toy(unused=True), {"norm.weight", "norm.bias"}),  # Spikingformer's layer norms, made and never called
        (Toy(lambda w: w.detach()), {"w"}),  # a gate cut off the graph
        (Toy(lambda w: 1e-14 * w + 1), {"w"}),  # what is left of a zero by rounding
        (Toy(lambda w: (w - 1).sqrt() * 0 + 1), {"w"}),  # infinity times zero
    ],
    ids=["good", "unused", "detached", "rounding", "nan"],
)
def test_a_mistake_is_caught(toy: Toy, missed: set[str]) -> None:
    x_TNCHW = torch.rand(1, N, C, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert does_not_learn(toy, x_TNCHW) == missed
