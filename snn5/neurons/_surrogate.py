"""What stands in for the derivative of the step function, by name, and the two ways to compare a potential with its threshold.

With x = potential - threshold and width a:

    atan       dS/dx = (a/2) / (1 + (pi/2 a x)^2)       a = 2: peak 1
    rectangle  dS/dx = a where |x| < 1/(2a), else 0     a = 1
    triangle   dS/dx = max(0, a - a^2 |x|)              a = 1
    sigmoid    dS/dx = a s(a x) (1 - s(a x))            a = 4: peak 1
"""

import math
from collections.abc import Callable

from spikingjelly.activation_based import surrogate
from torch import Tensor

from snn5.errors import UserError, unknown

Surrogate = Callable[[Tensor], Tensor]

SURROGATES: dict[str, tuple[Callable[..., surrogate.SurrogateFunctionBase], float]] = {
    "atan": (surrogate.ATan, 2.0),
    "rectangle": (surrogate.Rect, 1.0),
    "triangle": (surrogate.PiecewiseQuadratic, 1.0),
    "sigmoid": (surrogate.Sigmoid, 4.0),
}


def create_surrogate(name: str, alpha: float | None = None) -> surrogate.SurrogateFunctionBase:
    """A surrogate by its name; `alpha` is the width a, None takes the default above.

    Raises:
        UserError: nobody registered `name`; alpha is not positive.
    """
    if name not in SURROGATES:
        raise unknown("surrogate", name, SURROGATES)
    make, default = SURROGATES[name]
    if alpha is not None and not 0.0 < alpha < math.inf:
        raise UserError(f"alpha={alpha}; need a positive number")
    return make(alpha=default if alpha is None else float(alpha))


def fire_above(v: Tensor, theta: Tensor | float, surrogate: Surrogate) -> Tensor:
    """1 where v > theta, strictly; SpikingJelly's surrogates fire at v >= theta. The derivative is the same, as all of them are even."""
    return 1.0 - surrogate(theta - v)
