"""Where P8 comes from: the early prototype's numbers beside a rebuild of it, with its defects and without."""

from snn5.report._parts import Part, Table
from snn5.report._results import Results, Value
from snn5.report._text import decimal, percent

_MODELS = {
    "homeo_poisson": "drifting thresholds, Poisson spikes",
    "homeo_latency": "drifting thresholds, latencies",
    "ei_poisson": "inhibition and competition, Poisson spikes",
}
_VARIANTS = {
    "committed": "its authors' file",
    "rerun": "its code run again",
    "published": "rebuilt, all defects",
    "no_stdp": "rebuilt, without STDP",
    "theta_frozen": "rebuilt, thresholds held in the test",
    "mended": "rebuilt, all mended",
}
_SEEDS = {"committed": 1, "rerun": 10}
_N = 60


def parts(results: Results) -> list[Part]:
    """One table, if the experiment was recorded."""
    found = results.recorded.get("prototype")
    if not found:
        return []
    rows = []
    for model, variants in found["models"].items():
        for name, label in _VARIANTS.items():
            entry = variants.get(name)
            if entry is None:
                continue
            known = "test/acc_sd" in entry
            accuracy = Value(mean=entry["test/acc"], sd=entry.get("test/acc_sd", 0.0), seeds=entry.get("seeds", 1))
            wiring = [decimal(entry[key], 3) if key in entry else "–" for key in ("wiring/density", "wiring/inhibition")]
            rows.append(
                [
                    _MODELS.get(model, model),
                    label,
                    percent(accuracy) if known else decimal(100 * accuracy.mean, 1),
                    decimal(entry["test/rate"], 4),
                    *wiring,
                    str(entry.get("n", _N)),
                    str(entry.get("seeds", _SEEDS.get(name, 1))),
                ]
            )
    return [
        Table(
            title="Recorded: the early prototype, as published and mended",
            columns=("model", "figures of", "test accuracy, %", "spikes per neuron and step", "density", "inhibition left", "n", "seeds"),
            rows=rows,
            left=2,
            note=(
                "Two classes whose samples have identical rates: no accuracy here says anything about generalisation. Defects: spikes of "
                "the pool arrive a step late, STDP grows synapses outside the wiring (12 % dense at first) and wipes inhibition out, "
                "thresholds go on adapting in the test. Without STDP none of its side effects are left either; the models without "
                f"inhibition are then no worse: what teaches them is the drift of the thresholds. Command: {found['command']}."
            ),
        )
    ]
