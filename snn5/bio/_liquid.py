"""A liquid: a recurrent pool of leaky integrate-and-fire neurons, drawn at random and trained by no gradient.

Shapes: T steps, N samples, C inputs, n neurons, D steps of synaptic delay; matrices [post, pre].
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor

from snn5.bio._dynamics import Constants, State, step
from snn5.bio._kernel import columns, run
from snn5.bio._topology import (
    GRID,
    balanced_unit,
    connection_probability,
    draw_mask,
    grid_positions,
    local_probability,
    log_normal,
    on_grid,
    population_signs,
)
from snn5.config import Liquid as Settings
from snn5.errors import UserError


class EventWork(NamedTuple):
    """What an event-driven run of the liquid does: nothing else is done, whatever the size of the pool.

    Attributes:
        from_inputs, from_neurons: additions to a neuron's current, one for each synapse of each sender that fires (an input that fires
            several times in a step is weighted, not repeated; a spike whose delay ends after the window is not served).
        updates: neuron steps, of neurons that anything has reached since their sample began.
    """

    from_inputs: int
    from_neurons: int
    updates: int


WEIGHT_SPREAD = 0.5  # sigma of ln(weight)
_EXACT = GRID * 2**24  # float32 holds every multiple of GRID up to this


class Liquid(MemoryModule):
    """The pool as a SpikingJelly module: counts [T, N, C] -> spikes [T, N, n] in step mode 'm', [N, C] -> [N, n] in step mode 's'.

    It goes on where the last call ended until `functional.reset_net` silences it. A recurrent weight is magnitude x mask x sign of the
    sender, the magnitude >= 0: no change of a magnitude can break Dale's law or make a synapse. Input synapses are excitatory.
    All weights lie on a grid on which float32 sums are exact, so that a sample's spikes depend neither on its batch nor on the threads.

    Args:
        inputs: C.
        settings: `p8` of params.yaml, with units and ranges.
        input_rate: mean input spikes per channel and ms, of the training set; the input weights are scaled by it so that the input alone
            would hold the mean neuron at `settings.drive`.
        generator: all randomness of the wiring.
        sensor: channels, height, width of the input, whose product is `inputs`; needed where each neuron sees one patch (`input_radius`).

    Raises:
        UserError: the input rate is not positive, or patches of a sensor that is not given or has another size.
    """

    sign: Tensor
    mask: Tensor
    magnitude: Tensor
    weight_in: Tensor
    tau_m_ms: Tensor
    threshold: Tensor
    probability: Tensor

    def __init__(
        self,
        inputs: int,
        settings: Settings,
        *,
        input_rate: float,
        generator: torch.Generator,
        sensor: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        if not input_rate > 0:
            raise UserError(f"input_rate={input_rate} spikes per channel and ms; need more than 0: the input is silent")
        n, s = settings.neurons, settings
        self.step_mode = "m"
        self.settings = s
        self.delay = round(s.delay_ms / s.dt_ms)
        density = min(1.0, s.input_synapses / inputs)
        sign = population_signs(n, s.excitatory, generator)
        probability = connection_probability(grid_positions(n), sign, s.odds, s.radius)
        mask = draw_mask(probability, generator)
        # Scaled by tau_m / tau_s, a synapse of weight w lifts the potential by about w thresholds.
        unit = s.gain * balanced_unit(probability, sign) * s.tau_m_ms / s.tau_s_ms
        magnitude = unit * torch.where(sign < 0, s.inhibition, 1.0) * log_normal((n, n), WEIGHT_SPREAD, generator)
        odds_in = torch.full((n, inputs), density)
        if s.input_radius is not None:
            if sensor is None or math.prod(sensor) != inputs:
                raise UserError(
                    f"p8.input_radius={s.input_radius} needs a sensor (channels, height, width) of {inputs} inputs; got {sensor}"
                )
            odds_in = local_probability(n, sensor, s.input_radius, s.input_synapses, generator)
        mask_in = draw_mask(odds_in, generator)
        unit_in = s.drive / (density * inputs * input_rate * s.tau_s_ms * math.exp(WEIGHT_SPREAD**2 / 2))
        weight_in = unit_in * log_normal((n, inputs), WEIGHT_SPREAD, generator)
        self.register_buffer("sign", sign)
        self.register_buffer("probability", probability)
        self.register_buffer("mask", mask)
        self.register_buffer("magnitude", on_grid(magnitude) * mask)
        self.register_buffer("weight_in", on_grid(weight_in) * mask_in)
        self.register_buffer("tau_m_ms", on_grid(s.tau_m_ms * log_normal((n,), s.tau_m_spread, generator)).clamp_min(GRID))
        self.register_buffer("threshold", torch.full((n,), s.threshold))
        self.unit = float(unit)  # median magnitude of an excitatory synapse
        for name in State._fields:
            self.register_memory(name, 0.0)

    @property
    def weight(self) -> Tensor:
        """Signed recurrent weights [post, pre]."""
        return self.magnitude * self.mask * self.sign

    def constants(self) -> Constants:
        """The constants of `step`, for the weights as they are now."""
        s = self.settings
        return Constants(
            weight_nn=self.weight,
            decay_m_n=torch.exp(-s.dt_ms / self.tau_m_ms.double()).float(),
            decay_s=math.exp(-s.dt_ms / s.tau_s_ms),
            decay_a=math.exp(-s.dt_ms / s.tau_a_ms),
            threshold=self.threshold,
            adaptation=s.adaptation,
            refractory=round(s.refractory_ms / s.dt_ms),
        )

    def silent(self, samples: int) -> State:
        """The state of a liquid that has seen nothing."""
        zero_Nn = self.tau_m_ms.new_zeros(samples, len(self.sign))
        return State(zero_Nn, zero_Nn, zero_Nn, zero_Nn, zero_Nn.expand(self.delay, -1, -1))

    @torch.no_grad()
    def simulate(self, x_TNC: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """All steps on the CPU, spike by spike: uint8 spikes [T, N, n] and the state after them; `state` None starts from silence.

        Raises:
            UserError: the shape is not [T, N, C], or an input is no whole count of 0 to 255, or too large for exact sums.
        """
        spikes_TNn, after, _ = self._events(x_TNC, state)
        return spikes_TNn, after

    @torch.no_grad()
    def work(self, x_TNC: Tensor, state: State | None = None) -> EventWork:
        """What `simulate` has to do for these samples; errors as there."""
        return self._events(x_TNC, state)[2]

    def _events(self, x_TNC: Tensor, state: State | None) -> tuple[Tensor, State, EventWork]:
        c, counts_TNC = self.constants(), self.counts(x_TNC)
        if not bool((self.threshold > 0).all()):
            raise UserError(f"the liquid's lowest threshold is {float(self.threshold.min())}; need more than 0, the resting potential")
        before = state or self.silent(counts_TNC.shape[1])
        v, current, fatigue, wait = (tensor.clone(memory_format=torch.contiguous_format) for tensor in before[:4])
        scalars = (np.float32(value) for value in (c.decay_s, c.decay_a, c.adaptation, c.refractory))
        past_DNn = before.past_DNn.to(torch.uint8)
        made, work = run(
            counts_TNC.numpy(),
            past_DNn.contiguous().numpy(),
            *(tensor.numpy() for tensor in (v, current, fatigue, wait)),
            columns(self.weight_in),
            columns(c.weight_nn),
            c.decay_m_n.numpy(),
            self.threshold.numpy(),
            *scalars,
        )
        spikes_TNn = torch.from_numpy(made)
        past = torch.cat([past_DNn, spikes_TNn[-self.delay :]])[-self.delay :].to(c.weight_nn.dtype)
        return spikes_TNn, State(v, current, fatigue, wait, past), EventWork(*map(int, work))

    def materialize_states(self, inputs: tuple[Tensor, ...], states: tuple[object, ...], step_mode: str) -> tuple[object, ...]:
        """The silent state where a memory is still the scalar that it is reset to."""
        silent = self.silent(inputs[0].shape[-2])
        return tuple(own if isinstance(own, Tensor) else blank for own, blank in zip(states, silent, strict=True))

    @torch.no_grad()
    def single_step_functional_forward(
        self, inputs: tuple[Tensor, ...], states: tuple[object, ...], **kwargs: object
    ) -> tuple[tuple[Tensor, ...], tuple[object, ...]]:
        """`step` on explicit state: ([N, C],) -> ([N, n],)."""
        drive_Nn = self.counts(inputs[0][None])[0].to(self.weight_in.dtype) @ self.weight_in.T
        spikes_Nn, after = step(drive_Nn, State(*states), self.constants())
        return (spikes_Nn,), tuple(after)

    @torch.no_grad()
    def multi_step_functional_forward(
        self, inputs: tuple[Tensor, ...], states: tuple[object, ...], **kwargs: object
    ) -> tuple[tuple[Tensor, ...], tuple[object, ...]]:
        """All steps on explicit state: ([T, N, C],) -> ([T, N, n],); spike by spike on a CPU, else step by step."""
        if inputs[0].device.type != "cpu":
            return super().multi_step_functional_forward(inputs, states)
        spikes_TNn, after = self.simulate(inputs[0], State(*states))
        return (spikes_TNn.to(self.weight_in.dtype),), tuple(after)

    def counts(self, x_TNC: Tensor) -> Tensor:
        """The input as uint8.

        Raises:
            UserError: the shape is not [T, N, C], or an input is no whole count of 0 to 255, or too large for exact sums.
        """
        channels = self.weight_in.shape[1]
        if x_TNC.ndim != 3 or x_TNC.shape[2] != channels:
            raise UserError(f"a liquid of {channels} inputs needs spike counts [T, N, {channels}]; got {list(x_TNC.shape)}")
        counts_TNC = x_TNC.to(torch.uint8).contiguous()
        if x_TNC.dtype != torch.uint8 and not torch.equal(counts_TNC.to(x_TNC.dtype), x_TNC):
            raise UserError("the liquid's input must be spike counts, whole numbers of 0 to 255; encode intensities first (snn5.coding)")
        most = int(counts_TNC.max()) if counts_TNC.numel() else 0
        if most * float(self.weight_in.sum(1).max()) + float(self.magnitude.sum(1).max()) >= _EXACT:
            raise UserError(
                f"up to {most} spikes of an input in one step at p8.gain={self.settings.gain} make sums inexact; lower dt_ms or the gain"
            )
        return counts_TNC
