"""The neuron of the liquid: leaky integrate and fire with synaptic current, refractory time, adaptation and delayed recurrence.

Shapes: N samples, n neurons, D steps of synaptic delay; matrices [post, pre].
"""

from typing import NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """What a liquid carries from step to step.

    Attributes:
        v_Nn: membrane potential; rest and reset are 0. current_Nn: synaptic current.
        fatigue_Nn: spike-frequency adaptation, in spikes. wait_Nn: refractory steps left.
        past_DNn: spikes on their way, oldest first.
    """

    v_Nn: Tensor
    current_Nn: Tensor
    fatigue_Nn: Tensor
    wait_Nn: Tensor
    past_DNn: Tensor


class Constants(NamedTuple):
    """What a step needs beside the state.

    Attributes:
        weight_nn: signed recurrent weights [post, pre].
        decay_m_n, decay_s, decay_a: exp(-dt / tau) of each membrane, of the synaptic current and of the adaptation.
        threshold: at rest, one for all or one for each neuron [n].
        adaptation: rise of the threshold per spike of fatigue. refractory: in steps.
    """

    weight_nn: Tensor
    decay_m_n: Tensor
    decay_s: float
    decay_a: float
    threshold: float | Tensor
    adaptation: float
    refractory: int


def step(drive_Nn: Tensor, state: State, c: Constants) -> tuple[Tensor, State]:
    """One time step; nothing is changed in place.

        I[t] = d_s I[t-1] + drive[t] + W s[t-D]
        V[t] = d_m V[t-1] + (1 - d_m) I[t],   0 for `refractory` steps after a spike
        s[t] = V[t] >= theta + beta a[t-1],   then V[t] <- 0;      a[t] = d_a a[t-1] + s[t]

    which is tau_s dI/dt = -I + input, tau_m dV/dt = -V + I with exact decays.

    Args:
        drive_Nn: weighted input spikes of this step. state: before the step.

    Returns:
        Spikes [N, n], 0.0 or 1.0, and the state after the step.
    """
    current = state.current_Nn * c.decay_s + (drive_Nn + state.past_DNn[0] @ c.weight_nn.T)
    free = state.wait_Nn <= 0
    v = torch.where(free, state.v_Nn * c.decay_m_n + current * (1 - c.decay_m_n), 0.0)
    fired = v >= c.threshold + c.adaptation * state.fatigue_Nn
    spikes = fired.to(v.dtype)
    wait = torch.where(fired, float(c.refractory), torch.where(free, 0.0, state.wait_Nn - 1))
    past = torch.cat([state.past_DNn[1:], spikes[None]])
    return spikes, State(torch.where(fired, 0.0, v), current, state.fatigue_Nn * c.decay_a + spikes, wait, past)
