"""Runs flows in this process: `snn5 run p1` and `python -m flows p1`. Imports prefect late, because Prefect reads its settings then."""

import atexit
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from flows import find
from snn5 import _servers
from snn5._processes import ends_in_order
from snn5.files import find_root


def run(phases: Sequence[str], **parameters: Any) -> None:
    """Run the flows of `phases` one after the other, in a process that does nothing else.

    The server is, in this order: the one that PREFECT_API_URL names, the one of this checkout's `snn5 ui`, a temporary one.

    Args:
        phases: see `flows.find`.
        parameters: what to pass to each of them (upstream, force).

    Raises:
        UserError: an unknown phase, or what the user can mend; a failed stage comes with its last lines.
    """
    names = [find(phase) for phase in phases]
    with ends_in_order():
        if not os.environ.get("PREFECT_API_URL"):
            root = find_root()
            os.environ["PREFECT_API_URL"] = _servers.running(root) or _temporary_server(root)
        for name in names:
            getattr(import_module(f"flows.{name}"), name)(**parameters)


def _temporary_server(root: Path) -> str:
    """Start a server that lives as long as this process.

    Prefect would start one itself, but in our process group: Ctrl-C would end it first, and the flow would then try for minutes to tell
    it about the interrupt. Exit functions run last in, first out: registered before prefect is imported, ours comes after Prefect has
    sent its last log lines.
    """
    port = _servers.free_port()
    child, log = _servers.prefect_server(root, "127.0.0.1", port, lasting=False)

    def stop() -> None:
        child.stop()
        log.unlink(missing_ok=True)

    atexit.register(stop)
    api = f"http://127.0.0.1:{port}/api"
    _servers.wait_until_ready(child, log, f"{api}/health", "Prefect's temporary server")
    return api
