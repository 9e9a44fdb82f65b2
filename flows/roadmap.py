"""The whole roadmap: all phases in order, then what belongs to none of them (the report)."""

from importlib import import_module

from prefect import flow

from flows import names
from flows._phase import Upstream, run_stages
from snn5._dvc import read_graph


@flow
def roadmap(upstream: Upstream = "rebuild", force: bool = False) -> dict[str, str]:
    """High accuracy (goal 1), at most 1/50 of an ANN's energy (goal 2), reproducible learning (goal 3): every phase, then the report.

    A phase that fails ends the run. What is up to date is not run again, so a second start goes on where the first one stopped.

    Command: `snn5 run`
    """
    outcomes: dict[str, str] = {}
    for name in names():
        outcomes |= getattr(import_module(f"flows.{name}"), name)(upstream=upstream, force=force)
    rest = [stage for stage in read_graph().parents if not any(stage.startswith(f"{name.partition('_')[0]}_") for name in names())]
    return outcomes | run_stages("roadmap", rest, force=force)
