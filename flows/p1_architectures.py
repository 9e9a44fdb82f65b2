"""Phase 1: accurate architectures."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p1_architectures(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Deep residual, Transformer and attention SNNs, trained end to end with surrogate gradients, come up to ANNs.

    P1.1 SEW-ResNet. P1.2 Spikingformer, event-driven throughout. P1.3 HsVT, a hybrid of ANN attention and SNN feed-forward layers.
    P1.4 spike-based attention over time and space: DTA-SNN, STAA-SNN. Beside each network stands its ReLU twin, trained alike.

    Expected (default profile): SEW-ResNet-8 on digits, test, 3 seeds: frames 99.1 ± 0.2 %, events 98.2 ± 0.2 %; twins 99.3 and 98.7 %.
    After 4 to 8 epochs: Spikingformer 92.7 ± 1.3 %, HsVT 87.0 ± 1.3 %, DTA 91.3 ± 2.2 %, STAA 82.3 ± 6.9 % (contrasts: report).
    Wall time: 6 to 9 minutes on two CPU cores, 12 on busy ones.
    Command: `snn5 run p1`
    """
    return run_phase("p1", upstream, force, {"test/acc": (">=", 0.95)})
