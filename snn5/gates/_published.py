"""The gate on the published roadmap: docs/results/figures.json, which the report wrote, against its baseline.

A network's shape (dense products of one step, parameters) is held exactly; what training decides is held within chance and the seeds'
spread, as another machine rounds otherwise and trains other weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snn5.errors import UserError
from snn5.files import md5, read_json
from snn5.gates._kinds import Metric

FILE = Path("docs", "results", "figures.json")
EXACT = ("model/params", "model/dense_macs")
COSTS = ("cost/synops", "cost/energy_pj", "cost/energy_memory_pj", "cost/steps_mean", "model/params_nnz", "model/bytes")


def figures(raw: Mapping[str, Any]) -> dict[str, Metric]:
    """Gated figures of what the report wrote: by network and data, over seeds.

    Raises:
        UserError: it is not what the report writes.
    """
    metrics: dict[str, Metric] = {}
    try:
        for name, entry in raw["networks"].items():
            found, n = entry["metrics"], int(entry["n"])
            own = {"accuracy": Metric(kind="accuracy", values=tuple(round(n * a) for a in found["test/acc"]), n=n)}
            own |= {key: Metric(kind="exact", values=tuple(sorted(set(found[key])))) for key in EXACT if key in found}
            own |= {key: Metric(kind="cost", values=tuple(found[key])) for key in COSTS if key in found}
            own |= {f"rate/{layer}": Metric(kind="rate", values=tuple(rates)) for layer, rates in entry["rates"].items()}
            metrics |= {f"{name}/{key}": metric for key, metric in own.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{FILE} holds no figures of the report ({error!r}); run `make repro` and `make publish`") from error
    if not metrics:
        raise UserError(f"{FILE} names no network; run `make repro` and `make publish`")
    return metrics


def read(root: Path) -> dict[str, Metric]:
    """Gated figures of the published report.

    Raises:
        UserError: it was not published, or is damaged.
    """
    return figures(read_json(root / FILE, made_by="make repro && make publish"))


def sources(root: Path) -> dict[str, str]:
    """md5 of the published figures."""
    return {FILE.as_posix(): md5(root / FILE)}
