"""Phase 8: learning without gradients."""

from prefect import flow

from flows._phase import Upstream, run_phase
from flows._summary import Targets

_TARGETS: Targets = {
    "verdict/deterministic": (">=", 1),  # p8_lsm
    "verdict/dale": (">=", 1),
    "istdp/rate_ratio": ("<=", 1.15),
    "verdict/threshold": (">=", 1),  # p8_homeostasis
    "bio/r0/bits": (">=", 1),
    "sg/r0/bits": (">=", 1),
    "bio/r1/observed": (">=", 0.95),
    "sg/r1/observed": (">=", 0.95),
}


@flow
def p8_bio(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Biological learning rules in PyTorch, and goal 3: learning that repeats itself to at least 95 %.

    P8.1 a liquid state machine with a ridge read-out. P8.2 balance of excitation and inhibition (Dale's law).
    P8.3 homeostasis by adaptive thresholds, against BCM. P8.4 reproducibility: fixed seeds, equal bits.

    Expected (default profile): digits events 97.7 ± 0.7 %, order task 96.5 ± 0.8 % (67.6 without recurrence), 5 seeds. A doubled input
    changes the rate to 1.00 of what it was (2.41 where nothing learns); rates are back within 2000 steps after x4 and x1/4; the same bits
    again, and 6 of 6 seeds at the declared accuracies of 90 % (liquid) and 95 % (gradients).
    Wall time: 4 minutes on two CPU cores.
    Command: `snn5 run p8`
    """
    return run_phase("p8", upstream, force, _TARGETS)
