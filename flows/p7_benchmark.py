"""Phase 7: data and measurement."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p7_benchmark(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """One measure for all: accuracy always comes with synaptic operations and spike rate.

    P7.1 SpikingJelly as the foundation. P7.2 event-based data sets beside static ones. P7.3 the benchmark suite, in CI as well.

    Expected (default profile): operation counts differ from SpikingJelly's by 0 on all 12 networks.
    Wall time: a minute, the data included, on two busy CPU cores.
    Command: `snn5 run p7`
    """
    return run_phase("p7", upstream, force)
