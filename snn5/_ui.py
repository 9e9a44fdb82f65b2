"""`snn5 ui`: Prefect's server with all deployments, a worker that runs them, and MLflow's server; one command that also ends them all."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import yaml

from snn5 import _servers
from snn5._processes import Child, check_port, ends_in_order
from snn5.errors import UserError
from snn5.files import write_text

POOL = "snn5-pool"  # as in prefect.yaml

_PERIOD_S = 0.5


def serve(root: Path, *, host: str, prefect_port: int, mlflow_port: int, worker: bool, say: Callable[[str], None]) -> None:
    """Start everything, tell the addresses, and watch until interrupted; then, or when one of them ends, stop all.

    Args:
        root: the checkout.
        host: the address to listen on; anybody who can reach it can start runs.
        prefect_port, mlflow_port: ports.
        worker: whether to run what is triggered here.
        say: told each line that is meant for the user.

    Raises:
        UserError: a port is taken (nothing was started then), or a server did not start or ended by itself.
    """
    from snn5 import tracking
    from snn5.tracking import shown

    if other := _servers.running(root):
        raise UserError(f"`snn5 ui` already runs for this checkout at {other.removesuffix('/api')}; use that one, or stop it first")
    store = tracking.uri(root)
    local = tracking.enabled() and not store.startswith(("http://", "https://"))
    if local and prefect_port == mlflow_port:
        raise UserError(f"port {prefect_port} is asked for twice; pass different --prefect-port and --mlflow-port")
    check_port(host, prefect_port, "--prefect-port")
    if local:
        check_port(host, mlflow_port, "--mlflow-port")
        tracking.prepare(root)  # before two processes could open a new database at once
    with ends_in_order(), ExitStack() as stack:
        watched: dict[str, tuple[Child, Path]] = {}

        def launched(name: str, child: Child, log: Path) -> None:
            stack.callback(child.stop)  # last in, first out: the worker can still report to the server
            watched[name] = (child, log)

        logs = root / ".prefect" / "logs"
        launched("Prefect's server", *_servers.prefect_server(root, host, prefect_port, lasting=True))
        if local:
            launched("MLflow's server", _mlflow(root, host, mlflow_port, store, logs / "mlflow.log"), logs / "mlflow.log")
        api = f"{_servers.url(host, prefect_port, local=True)}/api"
        _servers.wait_until_ready(*watched["Prefect's server"], f"{api}/health", "Prefect's server")
        stack.enter_context(_servers.announced(root, api))
        count = _deploy(root, api)
        if worker:
            launched("the worker", _worker(root, api, logs / "worker.log"), logs / "worker.log")
        if local:
            page = f"{_servers.url(host, mlflow_port, local=True)}/health"
            _servers.wait_until_ready(*watched["MLflow's server"], page, "MLflow's server")
        say(f"Prefect  {_servers.url(host, prefect_port)}  {count} deployments in {POOL}, {'one worker' if worker else 'no worker'}")
        say(f"MLflow   {_servers.url(host, mlflow_port) if local else shown(store) if tracking.enabled() else 'off (SNN5_TRACKING=off)'}")
        say(f"Logs     {logs}")
        say("Ctrl-C stops everything.")
        _watch(watched)


def _watch(watched: dict[str, tuple[Child, Path]]) -> None:
    while True:
        for name, (child, log) in watched.items():
            if child.poll() is not None:
                raise UserError(f"{name} ended with exit status {child.poll()}; stopped the others; {_servers.tail(log)}")
        time.sleep(_PERIOD_S)


def _mlflow(root: Path, host: str, port: int, store: str, log: Path) -> Child:
    command = ["mlflow", "server", "--backend-store-uri", store, "--host", host, "--port", str(port), "--workers", "1"]
    # Runs name their artifact folder themselves; the server reads it from disk and stores nothing.
    command += ["--default-artifact-root", (root / ".mlflow" / "artifacts").as_uri(), "--no-serve-artifacts"]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return _servers.start(command, root=root, env=env, log=log)


def _worker(root: Path, api: str, log: Path) -> Child:
    # One run at a time: two would wait for each other's DVC locks.
    command = ["prefect", "--no-prompt", "worker", "start", "--pool", POOL, "--type", "process", "--limit", "1"]
    return _servers.start(command, root=root, env=_client_environment(root, api), log=log)


def _client_environment(root: Path, api: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, **_servers.prefect_environment(root), "PREFECT_API_URL": api, "PATH": path}


def _deploy(root: Path, api: str) -> int:
    """Make the pool and the deployments of prefect.yaml; those that are there already keep the schedules that somebody set in the UI.

    `prefect deploy` would put the file's schedules in their place, so that a restart switched every nightly run off.
    """
    if not any(pool["name"] == POOL for pool in _servers.call(api, "work_pools/filter", {})):
        _prefect(root, api, "work-pool", "create", POOL, "--type", "process")
    present = {deployment["name"] for deployment in _servers.call(api, "deployments/filter", {})}
    plan = yaml.safe_load((root / "prefect.yaml").read_text(encoding="utf-8"))
    for deployment in plan["deployments"]:
        if deployment["name"] in present:
            deployment.pop("schedules", None)
    file = root / ".prefect" / "deploy.yaml"
    write_text(file, yaml.safe_dump(plan, sort_keys=False))
    _prefect(root, api, "deploy", "--all", "--prefect-file", str(file))
    return len(plan["deployments"])


def _prefect(root: Path, api: str, *arguments: str) -> None:
    child = Child([sys.executable, "-m", "prefect", "--no-prompt", *arguments], cwd=root, env=_client_environment(root, api))
    try:
        last = deque((line.rstrip() for line in child.lines if line.strip()), maxlen=15)
        status = child.wait()
    finally:
        child.stop()
    if status:
        raise UserError("\n  ".join([f"`prefect {' '.join(arguments)}` failed with exit status {status}:", *last]))
