"""What p5_lava asks of each network: what whole numbers cost, and whether Lava does the same."""

from dataclasses import asdict
from typing import Any

import numpy as np

from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import NotPortable
from snn5.hardware import IntegerNetwork, compare, lava, to_integer
from snn5.record import Run
from snn5.stages._unported import REASON, unported
from snn5.training import evaluate, samples

AT_ONCE = 64  # samples: potentials of whole networks are large


def answers(network: IntegerNetwork, split: Split) -> tuple[np.ndarray, int]:
    """The class of every sample, by the sum of the logits of all steps, and the largest current seen."""
    traces = [network.run(split.x_TNCHW[:, start : start + AT_ONCE]) for start in range(0, len(split), AT_ONCE)]
    peak = max(max(trace.peak.values()) for trace in traces)
    return np.concatenate([trace.logits_TNK.sum(0).argmax(-1) for trace in traces]), peak


def loss_run(found: Checkpoint, test: Split, seed: int) -> Run:
    """Accuracy in floats and in whole numbers on the whole test set, all steps run; for a network that the chips cannot hold the reason."""
    params = {"seed": seed, "n_test": len(test), "T": found.card.time_steps, "model": found.card.model}
    try:
        network = to_integer(found)
        whole_N, peak = answers(network, test)
    except NotPortable as error:
        return unported(error, params)
    loud = f"a current of {peak} leaves Loihi's 16 bits; port with fewer bits for weights"
    real = evaluate(found.build(), samples(test))
    accuracy, agreement = float((whole_N == test.y_N).mean()), float((whole_N == real.prediction_N.numpy()).mean())
    return Run(
        params=params,
        metrics={
            "test/acc": accuracy,
            "float/acc": real.accuracy,
            "int/acc_change": accuracy - real.accuracy,
            "int/agreement": agreement,
            "int/exact": float(network.exact),
            "int/peak_current": float(peak),
        },
        details={REASON: loud} if peak > lava.LARGEST_CURRENT else {},
    )


def proof(network: IntegerNetwork, test: Split, count: int) -> dict[str, Any]:
    """Parity on the first `count` samples, layer by layer, and what the network takes of a Loihi 2; where Lava refuses, the reason."""
    x_TNCHW = test.x_TNCHW[:, :count].astype(np.int64)
    try:
        parity = compare(network.run(x_TNCHW), lava.run(network, x_TNCHW))
    except NotPortable as error:
        return {REASON: str(error)}
    found = asdict(parity) | {"differing": sum(parity.differing.values()) + int(not parity.logits), "by_layer": parity.differing}
    found["first"] = {name: list(place) for name, place in parity.first.items()}
    return {"lava": found, "resources": {name: asdict(used) for name, used in lava.resources(network).items()}}


def proved(first: Run, prefix: str) -> dict[str, float]:
    """The figures of a network that has run on Lava, for the summary; none of one that Lava refused."""
    if "lava" not in first.details:
        return {}
    found = {f"{prefix}lava/{key}": float(first.details["lava"][key]) for key in ("samples", "labels", "spikes", "differing")}
    return found | {f"{prefix}cores": float(first.details["resources"]["total"]["cores"])}
