"""Phase 6: all techniques on one network, and the verdict."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p6_integration(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Goal 2: with every saving applied, the energy is at most 1/50 of that of an ANN of equal accuracy.

    P6.1 the network of phase 3 or 1, whichever validation prefers, with the savings of phase 4 and the early exit of phase 5.
    P6.2 its accuracy, operations and energy beside those of four ANNs.

    Expected (default profile, 3 seeds): frames 1/109 of the dense ANN's arithmetic energy at 98.6 ± 0.5 % (ANN 99.3 ± 0.3 %), events
    1/73 at 98.6 ± 0.5 % (ANN 98.7 ± 0.1 %): reached.
    Wall time: 6 to 8 minutes on two CPU cores, 11 on busy ones.
    Command: `snn5 run p6`
    """
    return run_phase("p6", upstream, force, {"test/acc": (">=", 0.95), "cost/ratio_ann_dense": ("<=", 1 / 50)})
