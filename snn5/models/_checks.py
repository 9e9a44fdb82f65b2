"""Checks that several architectures share."""

from torch import Tensor

from snn5.errors import UserError


def whole_numbers(**values: int) -> None:
    """Each value is a whole number, at least 1.

    Raises:
        UserError: names the first that is not.
    """
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{name}={value!r}; need a whole number, at least 1")


def all_steps_at_once(name: str, x_TNCHW: Tensor, time_steps: int) -> None:
    """A model that looks at all T steps was given all of them.

    Raises:
        UserError: another number of steps.
    """
    if x_TNCHW.shape[0] != time_steps:
        raise UserError(
            f"{name} looks at all of its T={time_steps} steps at once and was given {x_TNCHW.shape[0]}; "
            f"give it {time_steps}, or make the model anew with time_steps={x_TNCHW.shape[0]} (its weights depend on T)"
        )
