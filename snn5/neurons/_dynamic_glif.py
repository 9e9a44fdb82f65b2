"""DynamicGLIF: GLIF whose gates, leak and threshold also depend on what the neuron sees.

Two numbers say what a channel c of a sample is doing in step t: its mean current m[t] = mean(x[t]) and its share of spikes a step ago
r[t] = mean(o[t-1]), both over the axes behind the channel. They move the learned numbers in front of the sigmoid:

    (alpha, beta, gamma, tau, theta)[t] = sigmoid(raw + W_m m[t] + W_r r[t])

and the rest is GLIF's equation. Per sample and per step, from the present and the past only, so it can run step by step. W = 0, the start,
is GLIF. W is 5 x 2 per channel (each channel looks at itself): 10 C parameters and as many multiplications per sample and step.

Source: this project's own design, not a published neuron; GLIF's own gates do not depend on the input. Relatives are the dynamic gated
neuron (Bai et al., DGN, arXiv 2509.03281), whose leak depends on the input's spikes, and neurons with adaptive thresholds (ALIF), whose
threshold depends on the neuron's own.
"""

import torch
from torch import Tensor, nn

from snn5.neurons._fused import slope_of
from snn5.neurons._fused_dynamic import multi_step
from snn5.neurons._glif import GLIF, Coefficients, Raw, coefficients, glif_step

MODULATED = ("alpha", "beta", "gamma", "tau", "theta")


def modulate(raw: Raw, weight_C52: Tensor, x_NC: Tensor, o_NC: Tensor) -> Raw:
    """GLIF's learned numbers as this step's current and the spikes before it shift them.

    Args:
        raw: numbers before the sigmoid, each [C].
        weight_C52: W: channel, number (in the order of MODULATED), statistic (current, spikes).
        x_NC, o_NC: the current of this step, the spikes of the step before.

    Returns:
        Numbers before the sigmoid: the modulated ones [N, C], the others [C].
    """
    m_NC, r_NC = x_NC, o_NC
    if x_NC.ndim > 2:
        m_NC, r_NC = x_NC.flatten(2).mean(2), o_NC.flatten(2).mean(2)
    weight_25C = weight_C52.permute(2, 1, 0)
    shift_5NC = m_NC * weight_25C[0][:, None] + r_NC * weight_25C[1][:, None]
    moved_5NC = torch.stack([getattr(raw, name) for name in MODULATED])[:, None] + shift_5NC
    return raw._replace(**dict(zip(MODULATED, moved_5NC.unbind(), strict=True)))


class DynamicGLIF(GLIF):
    """GLIF with input-dependent gates that control tau and the threshold: C (7 + T + 10) parameters.

    Args:
        channels, time_steps, tau, v_threshold, conductance, surrogate, alpha: as `GLIF`; W starts at 0.

    Shape, state and errors: as `GLIF`.
    """

    def __init__(
        self,
        *,
        channels: int,
        time_steps: int,
        tau: float = 0.25,
        v_threshold: float = 0.5,
        conductance: float = 0.5,
        surrogate: str = "rectangle",
        alpha: float | None = None,
    ) -> None:
        super().__init__(
            channels=channels,
            time_steps=time_steps,
            tau=tau,
            v_threshold=v_threshold,
            conductance=conductance,
            surrogate=surrogate,
            alpha=alpha,
        )
        self.modulation = nn.Parameter(torch.zeros(channels, len(MODULATED), 2))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """As GLIF, and W = 0."""
        super().reset_parameters(generator)
        if hasattr(self, "modulation"):  # GLIF's constructor calls this before W exists
            self.modulation.zero_()

    def _fused(self, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.raw()
        moved_5C = torch.stack([getattr(raw, name) for name in MODULATED])
        fixed_2C = torch.stack([raw.leak, raw.theta_r]).sigmoid()
        g_TC = self.raw_g[start : start + len(x_TNC)].sigmoid()
        slope = slope_of(self.surrogate_function) or (0, 0.0)
        return multi_step(x_TNC, u_NC, o_NC, moved_5C, self.modulation.permute(2, 1, 0), fixed_2C, g_TC, slope)

    def _reference(self, x_TNC: Tensor, u_NC: Tensor, o_NC: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        raw, ones = self.raw(), [1] * (x_TNC.ndim - 3)
        spikes = []
        for step, x_NC in enumerate(x_TNC, start):
            k = coefficients(modulate(raw, self.modulation, x_NC, o_NC), self.raw_g[step])
            k = Coefficients(*(number.view(*number.shape, *ones) for number in k))
            o_NC, u_NC = glif_step(x_NC, u_NC, o_NC, k, self.surrogate_function)
            spikes.append(o_NC)
        return torch.stack(spikes).to(x_TNC.dtype), u_NC, o_NC
