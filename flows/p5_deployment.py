"""Phase 5: in real time, on other hardware."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p5_deployment(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """A network that answers as soon as it is sure, and runs on neuromorphic hardware.

    P5.1 SNN Cutoff: leave the time loop early. P5.2 Lava, for Loihi 2. P5.3 sPyNNaker, for SpiNNaker.

    Expected (default profile, 3 seeds): frames 3.5 times fewer steps at 98.9 ± 0.2 %, events 3.3 times at 98.0 ± 0.4 %.
    In whole numbers: P6 frames 98.5 ± 0.6 %, events 98.7 ± 0.5 % without cutoff; nothing
    differs on Lava, NEST (exact decay) and the event engine.
    Wall time: 4 minutes on two busy CPU cores.
    Command: `snn5 run p5`
    """
    return run_phase("p5", upstream, force)
