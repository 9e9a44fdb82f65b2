"""Phase 6: all techniques on one network, and the verdict."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p6_integration(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Goal 2: with every saving applied, the energy is at most 1/50 of that of an ANN of equal accuracy.

    P6.1 the tuned network of phase 3 with the coding of phase 2, the savings of phase 4 and the early exit of phase 5.
    P6.2 its accuracy, operations and energy beside those of four ANNs.

    Expected (default profile): 1/25 of the dense ANN's arithmetic energy at 97.2 ± 0.3 % (ANN 99.5 ± 0.3 %), 3 seeds: not reached.
    Wall time: half a minute on two CPU cores.
    Command: `snn5 run p6`
    """
    return run_phase("p6", upstream, force, {"test/acc": (">=", 0.95), "cost/ratio_ann_dense": ("<=", 1 / 50)})
