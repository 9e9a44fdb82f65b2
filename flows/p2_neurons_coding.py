"""Phase 2: neurons that learn, codes that spare."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p2_neurons_coding(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Neurons that learn their own dynamics, and one spike per neuron: at least 50 % less firing at hardly any loss of accuracy.

    P2.1 PLIF: a learned time constant finds its scale also from a bad start. P2.2 GLIF: gates decide about leak and threshold.
    P2.3 time-to-first-spike against rate coding.

    Expected (default profile): from tau0 = 16 PLIF 83.8 ± 7.2 %, LIF 12.1 ± 1.9 %; GLIF 93.9 ± 1.6 %; TTFS 98.5 ± 0.3 % at 0.16 of the
    rate code's SynOps.
    Wall time: 2 to 3 minutes on two CPU cores.
    Command: `snn5 run p2`
    """
    return run_phase("p2", upstream, force, {"compare/spikes_ratio": ("<=", 0.5)})
