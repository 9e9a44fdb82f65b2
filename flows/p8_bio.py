"""Phase 8: learning without gradients."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p8_bio(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Biological learning rules in PyTorch, and goal 3: learning that repeats itself to at least 95 %.

    P8.1 a liquid state machine with a ridge read-out. P8.2 balance of excitation and inhibition (Dale's law).
    P8.3 homeostasis by adaptive thresholds, against BCM. P8.4 reproducibility: fixed seeds, deterministic STDP.

    Expected (default profile): digits events 97.7 ± 0.7 %, order task 96.5 ± 0.8 % (67.6 without recurrence), 5 seeds.
    Wall time: half a minute on two CPU cores.
    Command: `snn5 run p8`
    """
    return run_phase("p8", upstream, force, {"verdict/deterministic": (">=", 1)})
