"""Phase 1: accurate architectures."""

from prefect import flow

from flows._phase import Upstream, run_phase


@flow
def p1_architectures(upstream: Upstream = "check", force: bool = False) -> dict[str, str]:
    """Deep residual, Transformer and attention SNNs, trained end to end with surrogate gradients, come up to ANNs.

    P1.1 SEW-ResNet. P1.2 Spikingformer, event-driven throughout. P1.3 HsVT, a hybrid of ANN attention and SNN feed-forward layers.
    P1.4 spike-based attention over time and space: DTA-SNN, STAA-SNN. Beside each network stands its ReLU twin, trained alike.

    Expected (default profile): SEW-ResNet-8 on digits, test, 3 seeds: frames 98.1 ± 0.5 %, events 97.2 ± 1.2 %; twins 99.5 and 98.9 %.
    After 4 to 8 epochs: Spikingformer 93.5 ± 0.5 %, HsVT 86.6 ± 2.8 %, DTA 91.6 ± 0.6 %, STAA 77.5 ± 6.2 % (contrasts: report).
    Wall time: 6 to 9 minutes on two CPU cores, 12 on busy ones.
    Command: `snn5 run p1`
    """
    return run_phase("p1", upstream, force, {"test/acc": (">=", 0.95)})
