"""The state space: by hand, against the formula of its kernel, step by step against all at once, and what it remembers."""

import cmath
import math

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from snn5.benchmark import OperationCounter
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import DiagonalSSM
from snn5.models._diagonal_ssm import Discrete, convolve, discretise, kernel, step
from snn5.training._evaluate import spike_rates
from snn5.training._optimiser import optimiser_of

T, N, D = 50, 3, 4


def ssm(*, d_state: int = 8, seed: int = 0, dt_min: float = 0.01, dt_max: float = 0.5, parallel: bool = True) -> DiagonalSSM:
    made = DiagonalSSM(D, d_state=d_state, dt_min=dt_min, dt_max=dt_max, parallel=parallel)
    made.space.reset_parameters(torch.Generator().manual_seed(seed))
    return made


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parts(model: DiagonalSSM) -> tuple[Tensor, Discrete]:
    space = model.space
    return torch.view_as_complex(space.output), discretise(space.log_dt, space.log_damping, space.frequency)


def test_one_state_by_hand() -> None:
    """Delta 0.2, A = -1/2 + i pi, C = 1 + 2i, input 1, 0: y[0] = 2 Re(C B'), y[1] = 2 Re(C A' B'); D x beside it."""
    model = DiagonalSSM(1, d_state=2, dt_min=0.2, dt_max=0.2).double()
    a = complex(-0.5, math.pi)
    with torch.no_grad():
        model.space.log_damping.fill_(math.log(0.5))
        model.space.frequency.fill_(math.pi)
        model.space.log_dt.fill_(math.log(0.2))
        model.space.output.copy_(torch.tensor([[[1.0, 2.0]]]))
        model.space.skip.fill_(3.0)
    decay = cmath.exp(0.2 * a)
    gain = (decay - 1) / a
    wanted = [2 * ((1 + 2j) * gain).real + 3.0, 2 * ((1 + 2j) * gain * decay).real]
    with torch.no_grad():
        y_TND = model.eval()(torch.tensor([1.0, 0.0], dtype=torch.float64).view(2, 1, 1))
    assert y_TND.flatten().tolist() == pytest.approx(wanted, rel=1e-12)


def test_kernel_is_the_published_formula() -> None:
    """K_k = 2 Re sum C exp(Delta A k) (exp(Delta A) - 1) / A, in numpy and double precision."""
    model = ssm().double()
    c, system = parts(model)
    found = kernel(c, system, T)[0].detach().numpy()
    a = -np.exp(model.space.log_damping.detach().numpy()) + 1j * model.space.frequency.detach().numpy()
    dt = np.exp(model.space.log_dt.detach().numpy())[:, None]
    k = np.arange(T)
    terms = c.detach().numpy()[..., None] * np.exp(dt[..., None] * a[..., None] * k) * ((np.exp(dt * a) - 1) / a)[..., None]
    np.testing.assert_allclose(found, 2 * terms.sum(1).real, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 7, T])
def test_step_by_step_equals_the_fourier_transform(steps: int) -> None:
    model, x_TND = ssm(), noise(steps, N, D)
    with torch.no_grad():
        at_once = model.train()(x_TND)
        left = model.space.h.clone()
        functional.reset_net(model)
        one_by_one = model.eval()(x_TND)
    scale = one_by_one.abs().max().item()
    torch.testing.assert_close(at_once, one_by_one, rtol=0, atol=1e-4 * scale)
    torch.testing.assert_close(left, model.space.h, rtol=1e-4, atol=1e-5)
    model.double()
    functional.reset_net(model)
    with torch.no_grad():
        exact = model.train()(x_TND.double())
        functional.reset_net(model)
        torch.testing.assert_close(exact, model.eval()(x_TND.double()), rtol=0, atol=1e-12 * scale)


def test_a_sequence_in_two_calls_is_one_sequence() -> None:
    """In training, the first call by Fourier transform and the second from the state that it left."""
    model, x_TND = ssm().double().train(), noise(T, N, D).double()
    with torch.no_grad():
        whole = model(x_TND)
        functional.reset_net(model)
        pieces = torch.cat([model(x_TND[:20]), model(x_TND[20:])])
        torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-11)
        assert not torch.allclose(model(x_TND), whole)  # not reset
        torch.testing.assert_close(model(x_TND[:, :2]), whole[:, :2], rtol=0, atol=1e-11)  # another batch: from silence


def test_both_ways_teach_the_same() -> None:
    x_TND, gradients = noise(T, N, D).double(), []
    for parallel in (True, False):
        model = ssm(parallel=parallel).double().train()
        model(x_TND).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, grad in gradients[0].items():
        torch.testing.assert_close(grad, gradients[1][name], rtol=1e-8, atol=1e-12, msg=name)
        assert grad.abs().max() > 0, name


@pytest.mark.parametrize("training", [True, False])
def test_the_future_does_not_reach_the_past(training: bool) -> None:
    model, x_TND = ssm().double().train(training), noise(T, N, D).double().requires_grad_()
    model(x_TND)[20].sum().backward()
    seen = x_TND.grad.abs().sum((1, 2))
    assert seen[21:].max() < 1e-12 and seen[:21].min() > 1e-6


def test_channels_and_samples_are_apart() -> None:
    model, x_TND = ssm().eval(), noise(T, N, D)
    changed = x_TND.clone()
    changed[:, 0, 1] += 1
    with torch.no_grad():
        before = model(x_TND)
        functional.reset_net(model)
        after = model(changed)
    same = torch.ones(N, D, dtype=torch.bool)
    same[0, 1] = False
    assert torch.equal(before[:, same], after[:, same]) and not torch.equal(before[:, 0, 1], after[:, 0, 1])


def test_the_kernel_fades_as_its_slowest_state_does() -> None:
    """|K[k]| <= exp(-Delta k / 2) 2 sum |C B'|, and what is left after 20 time constants of the slowest channel is nothing."""
    model = ssm().double().requires_grad_(False)
    c, system = parts(model)
    slowest = float(model.space.log_dt.exp().min())
    steps = round(20 * 2 / slowest)
    k_DT = kernel(c, system, steps)[0].abs()
    bound_D1 = 2 * (c.abs() * system.gain_DS.abs()).sum(1, keepdim=True)
    envelope = bound_D1 * torch.exp(-0.5 * model.space.log_dt.exp()[:, None] * torch.arange(steps))
    assert bool((k_DT <= envelope + 1e-12).all())
    assert float(k_DT[:, -1].max() / k_DT.max()) < 1e-6


def test_gradients_stay_finite_over_a_thousand_steps() -> None:
    for parallel in (True, False):
        model = ssm(dt_min=1e-3, dt_max=1.0, parallel=parallel).train()
        model(noise(1000, 2, D))[-1].sum().backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_fourier_convolution_is_a_convolution() -> None:
    x_TND, kernel_DT = noise(9, 2, 3).double(), noise(3, 9, seed=2).double()
    wanted = torch.stack([sum(kernel_DT[:, k] * x_TND[t - k] for k in range(t + 1)) for t in range(9)])
    torch.testing.assert_close(convolve(x_TND, kernel_DT), wanted, rtol=0, atol=1e-12)


def test_a_step_changes_nothing_in_place() -> None:
    model = ssm()
    c, system = parts(model)
    h_NDS = torch.ones(N, D, 4, dtype=torch.complex64)
    step(noise(N, D), h_NDS, c, system)
    assert bool((h_NDS == 1).all())


def test_its_real_numbers_are_nobodys_spikes() -> None:
    """The module that is called keeps no memory, the one that keeps the memory is never called: rates are of neurons alone."""
    model = ssm().eval()
    with spike_rates(model) as rates, torch.no_grad():
        model(noise(T, N, D))
    assert [count for _, count in rates.values()] == [0.0]
    trained = optimiser_of(model, Train(model="spiking_ssm", epochs=1, lr=0.01, neuron_lr_scale=0.1, weight_decay=0.1, warmup_epochs=0), 1)[
        0
    ]
    group = trained.param_groups[2]
    assert {id(p) for p in group["params"]} == {id(p) for p in model.parameters()} and group["weight_decay"] == 0.0
    assert group["initial_lr"] == pytest.approx(1e-3)


def test_operations_by_hand() -> None:
    """4 pairs: 6 x 4 for the state in each step, 2 x 4 + 1 where the input is not zero. 2 steps, 3 samples, 4 channels, 5 spikes."""
    model, x_TND = ssm().eval(), torch.zeros(2, N, D)
    x_TND.view(-1)[:5] = 1.0
    with torch.no_grad(), OperationCounter(model) as counter:
        model(x_TND)
    work = counter.operations(1).layers[""]
    assert (work.macs, work.acs, work.dense) == (2 * N * D * 24 + 5 * 9, 0.0, 2 * N * D * 33)


@pytest.mark.parametrize("d_state", [0, 3, -2, 2.0])
def test_states_come_in_pairs(d_state: int) -> None:
    with pytest.raises(UserError, match=f"d_state={d_state}; need an even whole number"):
        DiagonalSSM(2, d_state=d_state, dt_min=0.1, dt_max=0.2)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.1), (0.2, 0.1), (0.1, math.inf)])
def test_a_range_of_steps(low: float, high: float) -> None:
    with pytest.raises(UserError, match=f"dt_min={low}, dt_max={high}; need 0 < dt_min <= dt_max"):
        DiagonalSSM(2, d_state=2, dt_min=low, dt_max=high)
