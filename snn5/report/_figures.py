"""The suite's figures for programs: reports/figures.json, seed by seed. Published, they are what the regression gate `roadmap` reads.

{"networks": {network: {"data", "n", "seeds", "metrics": {name: [one per seed]}, "rates": {layer: [one per seed]}}}}
"""

import json
from typing import Any

from snn5.record import Run
from snn5.report._results import Results

FILE, STAGE, DIGITS = "figures.json", "p7_suite", 6
METRICS = ("test/acc", "cost/synops", "cost/energy_pj", "cost/energy_memory_pj", "cost/steps_mean", "test/reversal_change")
SIZES = ("model/params", "model/params_nnz", "model/bytes", "model/dense_macs")


def figures(results: Results) -> bytes:
    """Sorted JSON; accuracies and counts as they are, rates to six digits."""
    record = results.get(STAGE)
    names = [] if record is None else [str(name) for name in record.details.get("networks", [])]
    networks = {name: _entry(results.named(STAGE, f"{name}-seed")) for name in names}
    return (json.dumps({"networks": networks}, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def _entry(runs: list[Run]) -> dict[str, Any]:
    shared = [key for key in (*METRICS, *SIZES) if all(key in run.metrics for run in runs)]
    layers = list(runs[0].details["rates"])
    return {
        "data": runs[0].details["dataset"],
        "n": runs[0].params["n_test"],
        "seeds": [run.params["seed"] for run in runs],
        "metrics": {key: [run.metrics[key] for run in runs] for key in shared},
        "rates": {layer: [round(run.details["rates"][layer], DIGITS) for run in runs] for layer in layers},
    }
