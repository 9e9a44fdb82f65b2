"""What every registered neuron promises, whatever it is; and what `create_neuron` says."""

import pytest
import torch
from spikingjelly.activation_based import base, functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.neurons import NEURONS, create_neuron

EVERY = pytest.mark.parametrize("name", sorted(NEURONS))
T, C = 6, 5
PER_CHANNEL = {"glif": 7 + T, "dynamic_glif": 7 + T + 10, "adaptive_lif": 2}
PER_LAYER = {"plif": 1}


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


def make(name: str, **args: float) -> nn.Module:
    return create_neuron(name, channels=C, time_steps=T, **args)


def run(node: nn.Module, x: Tensor) -> Tensor:
    functional.reset_net(node)
    return node(x).detach()


@EVERY
@pytest.mark.parametrize("shape", [(T, 4, C), (T, 4, C, 7), (T, 4, C, 3, 3)])
def test_spikes_carries_state_resets_and_steps(name: str, shape: tuple[int, ...]) -> None:
    node, x = make(name), currents(*shape)
    assert isinstance(node, base.MemoryModule) and "v" in node._memories and node.step_mode == "m"
    whole = run(node, x)
    assert whole.shape == x.shape and whole.dtype == x.dtype and set(whole.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(run(node, x), whole)  # G1: a reset forgets everything
    functional.reset_net(node)
    assert torch.equal(torch.cat([node(x[t : t + 1]) for t in range(T)]), whole)  # G7
    fresh = torch.cat([run(node, x[t : t + 1]) for t in range(T)])
    assert not torch.equal(fresh, whole)  # and what was carried in between mattered
    assert torch.equal(run(node, x[:, [2]]), whole[:, [2]])  # G2
    later = x.clone()
    later[4:] = 9.0
    assert torch.equal(run(node, later)[:4], whole[:4])  # G3


@EVERY
def test_state_has_the_batch_first(name: str) -> None:
    """So that samples can leave early: every state tensor can be cut along its first axis."""
    node, x = make(name), currents(T, 4, C, 3, 3)
    whole = run(node, x)
    functional.reset_net(node)
    node(x[:3])
    stay = torch.tensor([0, 3])
    for key, state in list(node._memories.items()):
        if isinstance(state, Tensor) and state.ndim:
            assert state.shape[0] == 4
            setattr(node, key, state[stay])
    assert torch.equal(node(x[3:, stay]), whole[3:, stay])


@EVERY
def test_parameter_ledger(name: str) -> None:
    count = sum(p.numel() for p in make(name).parameters())
    assert count == C * PER_CHANNEL.get(name, 0) + PER_LAYER.get(name, 0)


@EVERY
def test_gradients_are_finite_and_reach_everything(name: str) -> None:
    node = make(name)
    x = currents(T, 16, C, 3, 3).requires_grad_()
    node(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.abs().sum() > 0
    for key, parameter in node.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, key
    functional.reset_net(node)
    far = torch.linspace(-100, 100, 401).view(1, 401, 1).repeat(T, 1, C).requires_grad_()
    node(far).sum().backward()
    assert far.grad is not None and far.grad.isfinite().all()


@EVERY
def test_takes_a_threshold_and_a_higher_one_spikes_less_or_later(name: str) -> None:
    x, lead = currents(T, 30, C), torch.arange(T, 0, -1.0)
    low, high = (float(torch.tensordot(lead, run(make(name, v_threshold=v), x), dims=1).sum()) for v in (0.3, 0.9))
    assert 0 < high < low


@EVERY
def test_reset_parameters_forgets_what_was_learned(name: str) -> None:
    node = make(name)
    if not list(node.parameters()):
        return
    start = [p.detach().clone() for p in node.parameters()]
    with torch.no_grad():
        for p in node.parameters():
            p.add_(1.0)
    before = torch.get_rng_state()
    node.reset_parameters(torch.Generator().manual_seed(0))
    assert all(map(torch.equal, start, node.parameters())) and torch.equal(torch.get_rng_state(), before)


@EVERY
def test_fits_an_architecture_and_every_weight_of_it_learns(name: str) -> None:
    model = create_model("sew_resnet8", in_channels=2, num_classes=3, image_size=8, time_steps=T, neuron=name, width=4)
    initialise(model, torch.Generator().manual_seed(0))
    x = torch.rand(T, 6, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    logits_TNK = model(x)
    nn.functional.cross_entropy(logits_TNK.mean(0), torch.arange(6) % 3).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, key
    model.eval()
    with torch.no_grad():
        whole, current = model(x), model.encode(x)
        functional.reset_net(model)
        assert torch.allclose(torch.cat([model.run(current[t : t + 1]) for t in range(T)]), whole, atol=1e-6)


def test_shapes_are_passed_to_those_who_need_them_only() -> None:
    assert isinstance(create_neuron("lif", channels=3, time_steps=4), nn.Module)
    assert isinstance(create_neuron("relu", channels=3, time_steps=4, v_threshold=0.5), nn.ReLU)
    assert create_neuron("adaptive_lif", channels=3).keep.shape == (3,)
    assert create_neuron("ttfs", ramp=0.0)(torch.ones(2, 1, 3)).shape == (2, 1, 3)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("glif", {"time_steps": 4}, "neuron 'glif' needs channels; pass"),
        ("glif", {"channels": 4}, "neuron 'glif' needs time_steps; pass"),
        ("dynamic_glif", {}, "neuron 'dynamic_glif' needs channels"),
        ("adaptive_lif", {}, "neuron 'adaptive_lif' needs channels"),
        ("ttfs", {}, r"ramp=1.0 needs time_steps"),
        ("glif", {"channels": 4, "time_steps": 4, "tua": 0.5}, "unknown argument 'tua'; did you mean tau.* for neuron 'glif'"),
        ("glfi", {}, "unknown neuron 'glfi'; did you mean .*glif"),
    ],
)
def test_mistakes(name: str, args: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_neuron(name, **args)
