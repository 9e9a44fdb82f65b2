"""How a stage of P5 records a network that what it is ported to cannot hold."""

from snn5.errors import NotPortable
from snn5.record import Run

REASON = "not_portable"  # key in a run's details


def unported(error: NotPortable, params: dict[str, object]) -> Run:
    """A run without figures, with the reason."""
    return Run(params=params, details={REASON: str(error)})
