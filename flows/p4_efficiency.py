"""Phase 4: fewer spikes, fewer bits, fewer weights."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p4_efficiency(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """High accuracy, little firing and few steps go together.

    P4.1 a penalty on activity, swept over its strength. P4.2 quantization-aware training at 2 to 4 bits (QUEST).
    P4.3 one-shot pruning by second-order information, without retraining (SBC).

    Expected (default profile, 3 seeds): 0.41 of the SynOps at 98.4 ± 0.1 % (last epoch); 4 bits at 99.0 ± 0.5 %; 90 % of the weights gone
    at 98.7 ± 0.3 %, without training.
    Wall time: 2 minutes on two CPU cores.
    Command: `snn5 run p4`
    """
    return run_phase("p4", upstream, force)
