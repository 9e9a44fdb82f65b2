"""Phase 2: neurons that learn, codes that spare."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p2_neurons_coding(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Neurons that learn their own dynamics, and one spike per neuron: at least 50 % less firing at hardly any loss of accuracy.

    P2.1 PLIF: a learned time constant finds its scale also from a bad start. P2.2 GLIF: gates decide about leak and threshold.
    P2.3 time-to-first-spike against rate coding.

    Command: `snn5 run p2`
    """
    return run_phase("p2", upstream, force, {"compare/spikes_ratio": ("<=", 0.5)})
