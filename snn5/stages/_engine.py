"""What p5_engine asks of one network: parity with the exact reference, what whole numbers cost, and the work of an answer."""

import numpy as np
import torch

from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.hardware import to_integer
from snn5.inference import all_logits, engine, leave, never, rule_of
from snn5.record import Run


def compared(source: Checkpoint, test: Split, params: dict[str, object]) -> Run:
    """One network's figures; with its early exit, but for the parity, which is looked at in all steps."""
    network, x_TNCHW = to_integer(source), test.x_TNCHW.astype(np.int64)
    wanted = network.run(x_TNCHW)  # first: it says what leaves 24 bits
    ready = engine.compile(network)
    whole, early = ready(x_TNCHW, early=False, record=True), ready(x_TNCHW)
    logits_TNK, y_N = all_logits(source.build(), test)
    step_N, float_N = leave(logits_TNK, rule_of(source.card.cutoff) or never)
    wrong = int((whole.logits_TNK != wanted.logits_TNK).sum()) + sum(int((whole.spikes[n] != s).sum()) for n, s in wanted.spikes.items())
    accuracy, before = float((early.prediction_N == test.y_N).mean()), float((float_N == y_N).to(torch.float64).mean())
    metrics = {
        "test/acc": accuracy,
        "float/test/acc": before,
        "engine/acc_change": accuracy - before,
        "engine/agreement": float((early.prediction_N == float_N.numpy()).mean()),
        "engine/same_step": float((early.step_N == step_N.numpy()).mean()),
        "engine/differences": float(wrong),
        "engine/compared": float(whole.logits_TNK.size + sum(s.size for s in wanted.spikes.values())),
        "engine/exact_weights": float(network.exact),
        "cost/steps_mean": float(early.step_N.mean()),
        "cost/synops": float(early.synops_N.mean()),
        "engine/updates": float(early.updates_N.mean()),
        "engine/spikes": float(early.spikes_N.mean()),
    }
    right_TN = whole.logits_TNK.cumsum(0).argmax(-1) == test.y_N
    curves = {"test/acc_by_step": list(enumerate(right_TN.mean(1).tolist(), start=1))}
    return Run(params={**params, "n_test": len(test)}, metrics=metrics, curves=curves)
