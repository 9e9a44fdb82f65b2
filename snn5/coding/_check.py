"""What every encoder asks of its arguments."""

from torch import Tensor

from snn5.errors import UserError


def check_intensity(x_N: Tensor) -> None:
    """Raise unless `x_N` is floating point within [0, 1]."""
    if not x_N.is_floating_point():
        raise UserError(f"an encoder needs floating-point intensities, got {x_N.dtype}; divide by the split's scale (x.float() / scale)")
    if x_N.numel() and not (x_N.min() >= 0 and x_N.max() <= 1):  # written so that a NaN fails too
        low, high = float(x_N.min()), float(x_N.max())
        raise UserError(f"an encoder needs intensities in [0, 1], got {low:g} to {high:g}; divide by the split's scale")


def check_steps(time_steps: int, least: int = 1) -> None:
    """Raise unless there are at least `least` steps."""
    if time_steps < least:
        raise UserError(f"time_steps={time_steps}; need at least {least}")
