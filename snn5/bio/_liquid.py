"""A liquid: a recurrent pool of leaky integrate-and-fire neurons whose weights are drawn once and never trained by gradients.

Shapes: T steps, N samples, C inputs, n neurons, D steps of synaptic delay.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from snn5.bio._events import run, columns
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor

from snn5.bio._topology import GRID, connection_probability, draw_mask, grid_positions, log_normal, on_grid, population_signs
from snn5.config import Liquid as Settings
from snn5.errors import UserError

_EXACT = GRID * 2**24  # float32 holds every multiple of GRID up to this
_WEIGHT_SPREAD = 0.5  # sigma of the log-normal weights


class State(NamedTuple):
    """What a liquid carries from step to step.

    Attributes:
        v_Nn: membrane potential, in thresholds (rest and reset are 0).
        current_Nn: synaptic current.
        fatigue_Nn: spike-frequency adaptation, in spikes.
        wait_Nn: refractory steps left.
        past_DNn: spikes on their way, oldest first.
    """

    v_Nn: Tensor
    current_Nn: Tensor
    fatigue_Nn: Tensor
    wait_Nn: Tensor
    past_DNn: Tensor


class Constants(NamedTuple):
    """What a step needs beside the state; decays are exp(-dt / tau).

    Attributes:
        weight_nn: recurrent weights [post, pre].
        decay_m_n: membrane decay of each neuron. decay_s, decay_a: of the synaptic current and of the adaptation.
        threshold: resting threshold. adaptation: rise of the threshold per spike of fatigue. refractory: steps.
    """

    weight_nn: Tensor
    decay_m_n: Tensor
    decay_s: float
    decay_a: float
    threshold: float
    adaptation: float
    refractory: int


def step(drive_Nn: Tensor, state: State, c: Constants) -> tuple[Tensor, State]:
    """One time step; nothing is changed in place.

    I[t] = d_s I[t-1] + drive[t] + W s[t-D]
    V[t] = d_m V[t-1] + (1 - d_m) I[t]      (0 while refractory)
    s[t] = V[t] >= theta + beta a[t-1];     a[t] = d_a a[t-1] + s[t];     V[t] <- 0 where s[t]

    Args:
        drive_Nn: weighted input of this step; state: before the step; c: the constants.

    Returns:
        spikes [N, n] (0.0 or 1.0) and the state after the step.
    """
    current = state.current_Nn * c.decay_s + (drive_Nn + state.past_DNn[0] @ c.weight_nn.T)
    free = state.wait_Nn <= 0
    v = (state.v_Nn * c.decay_m_n + current * (1 - c.decay_m_n)) * free
    fired = v >= c.threshold + c.adaptation * state.fatigue_Nn
    spikes = fired.to(v.dtype)
    wait = torch.where(fired, float(c.refractory), (state.wait_Nn - 1).clamp_(min=0))
    after = State(v * ~fired, current, state.fatigue_Nn * c.decay_a + spikes, wait, torch.cat([state.past_DNn[1:], spikes[None]]))
    return spikes, after


class Liquid(MemoryModule):
    """The pool as a SpikingJelly module: `x_TNC -> spikes_TNn` in step mode 'm'; `functional.reset_net` silences it.

    Weights are magnitude (>= 0) x mask x sign of the sending neuron, so that no change of a magnitude can break Dale's law, and lie on a grid
    fine enough that all sums are exact: a sample's spikes depend neither on its batch nor on the number of threads.

    Args:
        inputs: C.
        settings: `p8` of params.yaml (units and ranges there).
        generator: all randomness of the wiring.

    Raises:
        UserError: the delay is shorter than a step.
    """

    magnitude: Tensor
    mask: Tensor
    sign: Tensor
    weight_in: Tensor
    tau_m_ms: Tensor

    def __init__(self, inputs: int, settings: Settings, *, input_rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.step_mode = "m"
        n, s = settings.neurons, settings
        self.settings = settings
        self.delay = round(s.delay_ms / s.dt_ms)
        if self.delay < 1:
            raise UserError(f"delay_ms={s.delay_ms} is less than one step of dt_ms={s.dt_ms}; raise it to at least dt_ms")
        sign = population_signs(n, s.excitatory, generator)
        position = grid_positions(n)
        P = connection_probability(position, sign, s.odds, s.radius)
        mask = draw_mask(P, generator)
        magnitude = log_normal((n, n), _WEIGHT_SPREAD, generator)
        mask_in = torch.rand(n, inputs, generator=generator) < s.input_density
        weight_in = s.drive / (s.input_density * inputs * input_rate * s.tau_s_ms) * log_normal((n, inputs), _WEIGHT_SPREAD, generator)
        if s.in_sign<1:
            weight_in = weight_in*torch.where(torch.rand(n, inputs, generator=generator)<s.in_sign,1.,-1.)
        k = float((P * (sign > 0)).sum(1).mean())
        strength = torch.where(sign < 0, s.inhibition, 1.0) * s.gain * s.tau_m_ms / s.tau_s_ms / k**.5
        self.register_buffer("position", position)
        self.register_buffer("sign", sign)
        self.register_buffer("mask", mask)
        self.register_buffer("magnitude", on_grid(magnitude * strength) * mask)
        self.register_buffer("weight_in", on_grid(weight_in) * mask_in)
        self.register_buffer("tau_m_ms", s.tau_m_ms * log_normal((n,), s.tau_m_spread, generator))
        for name in State._fields:
            self.register_memory(name, 0.0)

    @property
    def weight(self) -> Tensor:
        """Signed recurrent weights [post, pre]."""
        return self.magnitude * self.mask * self.sign

    def constants(self) -> Constants:
        """The constants of `step` for the weights as they are now."""
        s = self.settings
        return Constants(
            weight_nn=self.weight,
            decay_m_n=torch.exp(-s.dt_ms / self.tau_m_ms),
            decay_s=math.exp(-s.dt_ms / s.tau_s_ms),
            decay_a=math.exp(-s.dt_ms / s.tau_a_ms),
            threshold=s.threshold,
            adaptation=s.adaptation,
            refractory=round(s.refractory_ms / s.dt_ms),
        )

    def materialize_states(self, inputs: tuple[Tensor, ...], states: tuple[object, ...], step_mode: str) -> tuple[object, ...]:
        """The silent state where a memory is still the scalar it is reset to."""
        samples = inputs[0].shape[0 if step_mode == "s" else 1]
        zero = self.tau_m_ms.new_zeros(samples, len(self.sign))
        silent = State(zero, zero, zero, zero, zero.expand(self.delay, -1, -1))
        return tuple(own if isinstance(own, Tensor) else blank for own, blank in zip(states, silent, strict=True))

    def single_step_functional_forward(
        self, inputs: tuple[Tensor, ...], states: tuple[object, ...], **kwargs: object
    ) -> tuple[tuple[Tensor, ...], tuple[object, ...]]:
        """One step with explicit state (SpikingJelly's protocol)."""
        (out,), after = self.multi_step_functional_forward((inputs[0][None],), states)
        return (out[0],), after

    @torch.no_grad()
    def multi_step_functional_forward(
        self, inputs: tuple[Tensor, ...], states: tuple[object, ...], **kwargs: object
    ) -> tuple[tuple[Tensor, ...], tuple[object, ...]]:
        """All steps with explicit state: ([T, N, C],) -> ([T, N, n],).

        Raises:
            UserError: the shape is not [T, N, C], or counts are so large that sums would be rounded.
        """
        x_TNC = inputs[0]
        if x_TNC.ndim != 3 or x_TNC.shape[2] != self.weight_in.shape[1]:
            raise UserError(f"a liquid of {self.weight_in.shape[1]} inputs needs spikes [T, N, {self.weight_in.shape[1]}]; got {list(x_TNC.shape)}")
        if x_TNC.numel() and float(x_TNC.max()) * float(self.weight_in.abs().sum(1).max()) >= _EXACT:
            raise UserError(f"input counts up to {float(x_TNC.max()):g} in one step overflow the liquid's exact sums; use a smaller dt_ms")
        c, state = self.constants(), State(*states)  # type: ignore[arg-type]
        state = State(*(m.clone() for m in state))
        spikes = torch.from_numpy(run(inputs[0].numpy(), state.past_DNn.to(torch.uint8).numpy(), state.v_Nn.numpy(), state.current_Nn.numpy(), state.fatigue_Nn.numpy(), state.wait_Nn.numpy(), columns(self.weight_in), columns(c.weight_nn), c.decay_m_n.numpy(), np.float32(c.decay_s), np.float32(c.decay_a), np.float32(c.threshold), np.float32(c.adaptation), np.float32(c.refractory)))
        return (spikes,), tuple(state)
