"""The recorded experiment on Heidelberg Digits (P7.2): networks trained by gradients on the cochlea's spikes."""

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent


def networks(results: Results) -> list[Part]:
    """P7.2: spoken digits of unseen speakers."""
    found = results.recorded.get("heidelberg")
    if not found:
        return []
    data, chosen, judged = found["data"], found["chosen"], found["candidates"]
    accuracies = (
        percent(Value(mean=chosen[f"test/{key}"], sd=chosen[f"test/{key}_sd"], seeds=len(chosen["seeds"]))) for key in ("acc_last", "acc")
    )
    figures = [decimal(chosen["cost/spike_rate"], 3), f"{chosen['model/params']:.0f}", str(chosen["n"]), str(len(chosen["seeds"]))]
    rows = [[chosen["settings"]["model"], chosen["candidate"], str(data["time_steps"]), *accuracies, *figures]]
    trials = ", ".join(
        f"{name} {100 * own['val/acc_last']:.1f} %" for name, own in sorted(judged.items(), key=lambda item: -item[1]["val/acc_last"])
    )
    columns = ("network", "recipe", "T", "test accuracy of the last epoch, %", "of the epoch chosen on validation, %")
    note = (
        f"{data['recordings']} recordings as spikes of SNN5's cochlea (not SHD); both test speakers are unheard. The recipe was chosen on "
        f"training speakers held out, n = {max(own['n'] for own in judged.values())}, last epoch: {trials}. Command: {found['command']}."
    )
    return [
        Table(
            title="Recorded: Heidelberg Digits, unseen speakers",
            columns=(*columns, "spike rate", "parameters", "n", "seeds"),
            rows=rows,
            note=note,
        )
    ]
