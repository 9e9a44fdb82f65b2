"""P8.1: the liquid and the spiking state space model side by side: accuracy, what learning costs, what an answer costs, reproducibility."""

from itertools import product

from snn5.report._parts import Missing, Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent, spread
from snn5.report.sections import _claims

STAGE, LIQUID = "p8_ssm", "p8_lsm"
MAC_PJ, AC_PJ = 4.6, 0.9  # FP32, as everywhere in the report
_TASKS = {"events": "events", "order_hard": "order, hard"}
_MODELS = {LIQUID: "liquid, ridge read-out", STAGE: "spiking state space, gradients"}


def parts(results: Results) -> list[Part]:
    """The table and the claims."""
    record = results.get(STAGE)
    if record is None:
        return [Missing(title="The liquid beside a spiking state space model", reason=f"{STAGE} has not run")]
    rows = [row for (task, model) in product(_TASKS, _MODELS) if (row := _row(results, task, model))]
    table = Table(
        title="The liquid beside a spiking state space model",
        columns=(
            *("task", "network", "test accuracy, %", "learned weights", "training, 10⁹ MACs", "training, 10⁹ SynOps"),
            *("SynOps, thousands", "MACs, thousands", "energy, nJ", "spike rate", "1 − sd/mean (R2)", "same bits (R0)", "n", "seeds"),
        ),
        rows=rows,
        left=2,
        note=(
            "Same splits and samples; the liquid sees steps of 1 ms, the rival events in longer ones. Training: of the liquid its passes "
            "over the training set and the read-out's solution in closed form; of the rival three dense forward passes for each sample and "
            "epoch. SynOps, MACs and energy (FP32, 0.9 and 4.6 pJ) of one answer, neuron updates not counted; the rival's states are real "
            "numbers that cost MACs in every step. The rival's accuracy is that of the epoch that validation chose."
        ),
    )
    found: list[Part] = [table]
    if record.details.get("claims"):
        found.append(_claims.table(record.details["claims"]))
    return found


def _row(results: Results, task: str, model: str) -> list[str] | None:
    def value(name: str) -> Value | None:
        return results.value(model, name, f"{task}/")

    accuracy, synops, rate = (value(name) for name in ("test/acc", "cost/synops", "cost/spike_rate"))
    if accuracy is None or synops is None:
        return None
    macs, weights = (value("cost/readout_macs"),) * 2 if model == LIQUID else (value("cost/macs"), value("model/params"))
    training, passes = value("cost/train_macs"), value("cost/train_synops")
    energy_nj = 1e-3 * (AC_PJ * synops.mean + MAC_PJ * macs.mean) if macs else None
    bits = results.number(model, "verdict/deterministic")
    return [
        _TASKS[task],
        _MODELS[model],
        percent(accuracy),
        decimal(weights.mean, 0) if weights else "–",
        decimal(1e-9 * training.mean, 1) if training else "–",
        decimal(1e-9 * passes.mean, 3) if passes else "–",
        spread(synops, 1, 1e-3),
        decimal(1e-3 * macs.mean, 1) if macs else "–",
        decimal(energy_nj, 0) if energy_nj is not None else "–",
        spread(rate, 4) if rate else "–",
        decimal(1 - accuracy.sd / accuracy.mean, 3) if accuracy.mean else "–",
        "–" if bits is None else "yes" if bits else "no",
        str(results.samples(model, f"{task}-") or ""),
        str(accuracy.seeds),
    ]
