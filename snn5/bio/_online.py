"""The read-out learned sample by sample with a local rule: no matrix is inverted, each weight sees its own input and its class's error.

Shapes: N samples, p features, K classes.
"""

from torch import Tensor

from snn5.bio._readout import Readout, one_hot, standardise
from snn5.errors import UserError


def delta_rule(
    x_Np: Tensor,
    target_NK: Tensor,
    *,
    epochs: int,
    rate: float = 0.5,
    alpha: float = 0.0,
    start: Readout | None = None,
    begin: int = 0,
    end: int | None = None,
) -> Readout:
    """Widrow and Hoff's rule, samples in the given order, the rate falling as 1 / (1 + epoch).

        e = y - (x W + b);   W += eta (x' e - (alpha / N) W);   b += eta e;   eta = rate / (1 + epoch) / (1 + mean |x|^2)

    Its fixed point is ridge regression with the same alpha; stopping early leaves weak directions of the data unlearned.

    Args:
        epochs: passes, >= 1. rate: 0 < rate < 2, where 2 is the limit of stability in the mean square.
        start, begin, end: go on from `start`, which has seen `begin` of the epochs x N presentations, and stop before presentation `end`:
            a run in two parts gives the bits of one in a single part.

    Raises:
        UserError: the rate, the number of epochs or the part of the presentations is out of range.

    Source: Widrow, Hoff, "Adaptive switching circuits", IRE WESCON, 1960.
    """
    if not 0 < rate < 2 or epochs < 1:
        raise UserError(f"rate={rate}, epochs={epochs}; the delta rule needs a rate between 0 and 2 and at least one epoch")
    last = epochs * len(x_Np) if end is None else end
    if not 0 <= begin <= last <= epochs * len(x_Np) or (begin > 0) != (start is not None):
        raise UserError(
            f"presentations {begin} to {last} of {epochs * len(x_Np)}; a part begins at 0, or where the `start` given with it ended"
        )
    x_Np, target_NK = x_Np.double(), target_NK.double()
    power = 1.0 + float((x_Np**2).sum(1).mean())
    if start is None:
        weight, bias = x_Np.new_zeros(x_Np.shape[1], target_NK.shape[1]), target_NK.new_zeros(target_NK.shape[1])
    else:
        weight, bias = start.weight_pK.clone(), start.bias_K.clone()
    for presentation in range(begin, last):
        epoch, k = divmod(presentation, len(x_Np))
        eta = rate / (1 + epoch) / power
        x, y = x_Np[k], target_NK[k]
        error = y - (x @ weight + bias)
        weight = weight.mul_(1 - eta * alpha / len(x_Np)).addr_(x, error, alpha=eta)
        bias += eta * error
    return Readout(weight, bias, alpha)


def fit_online(x_Np: Tensor, y_N: Tensor, classes: int, *, epochs: int = 10, alpha: float = 0.0) -> Readout:
    """As `fit` of the closed form, by the delta rule: a classifier of raw features, standardised by the training set."""
    scale = standardise(x_Np)
    return delta_rule(scale(x_Np), one_hot(y_N, classes), epochs=epochs, alpha=alpha).after(scale)
