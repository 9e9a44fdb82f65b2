"""P5.2: P1's and P6's networks in whole numbers on the event-driven engine, on one slot's test samples.

    python -m snn5.stages.p5_engine frames

Nothing is chosen here; a network without a form in whole numbers is recorded as that, with the reason.
Claim (issue 6): every spike and logit is the exact reference's; float to integer costs at most 0.5 points.
Expected, 3 seeds, n = 450: no difference in any of 10 to 48 million figures; -0.2 to +0.4 points on average, -0.7 to +0.9 for one seed.
Out: metrics.json with parity, accuracies, operations; curves.csv: accuracy by step. 5 to 15 s; an answer's time: `snn5 bench infer`.
"""

import numpy as np
import torch

from snn5 import checkpoint
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split, load_split
from snn5.errors import UserError
from snn5.hardware import NotPortable, to_integer
from snn5.inference import all_logits, engine, leave, never, rule_of
from snn5.parallel import Tick, run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import Stage, main
from snn5.statistics import summarise

SOURCES = {"p1": "data/p1_train/sew_resnet-{slot}/checkpoints", "p6": "data/p6_integrate/{slot}/checkpoints"}


def run(stage: Stage) -> Record:
    """Each seed's two networks: float, exact reference, engine."""
    slot, seeds = " ".join(stage.args), stage.config.seeds
    if slot not in ("frames", "events"):
        raise UserError(f"p5_engine {slot}: need one argument, frames or events")
    test = load_split(stage.input(f"data/p7_data/{slot}/test.safetensors"))
    files = {(k, s): stage.input(f"{path.format(slot=slot)}/seed{s}.safetensors") for k, path in SOURCES.items() for s in seeds}

    def work(job: tuple[str, int], tick: Tick) -> Run:
        tick()
        params = {"source": job[0], "seed": job[1]}
        try:
            return compared(checkpoint.load(files[job]), test, params)
        except NotPortable as error:
            return Run(params=params, details={"not_portable": str(error)})

    found = dict(zip(files, run_jobs(work, list(files), label=stage.name, total=1), strict=True))
    summary: dict[str, float] = {}
    for source in SOURCES:
        if all(run.metrics for run in (own := [found[source, seed] for seed in seeds])):  # a seed without a form: no figures, as in p5_lava
            summary |= summarise(own, prefix=f"{source}/")
    return Record(summary=summary, runs={f"{source}-seed{seed}": run for (source, seed), run in found.items()})


def compared(source: Checkpoint, test: Split, params: dict[str, object]) -> Run:
    """One network's figures; with its early exit, but for the parity, which is looked at in all steps."""
    network, x_TNCHW = to_integer(source), test.x_TNCHW.astype(np.int64)
    ready, wanted = engine.compile(network), network.run(x_TNCHW)
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
    right_T = (whole.logits_TNK.cumsum(0).argmax(-1) == test.y_N).mean(1)
    return Run(
        params={**params, "n_test": len(test)}, metrics=metrics, curves={"test/acc_by_step": list(enumerate(right_T.tolist(), start=1))}
    )


if __name__ == "__main__":
    main(run)
