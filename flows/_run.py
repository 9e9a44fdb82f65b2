"""Runs a flow in this process, without a server of one's own: `snn5 run p1` and `python -m flows.p1_architectures`."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Flow

from snn5.errors import UserError


def execute(flow: Flow[..., Any], **parameters: Any) -> None:
    """Run `flow` to its end; Prefect starts a temporary server unless PREFECT_API_URL names one.

    Raises:
        UserError: what the user can mend, a failed stage with its last lines among it.
    """
    with _ends_in_order():
        flow(**parameters)


def main(flow: Flow[..., Any]) -> None:
    """The `__main__` of a flow's module."""
    try:
        execute(flow)
    except UserError as error:
        sys.exit(f"error: {error}")


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Let SIGTERM end the process as an exception does: Prefect's own handler stops the flow and then calls this one.

    The default would end the process at once, without the exit functions that stop Prefect's temporary server.
    """

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
