"""The gate on frozen networks: what the counters say of two small checkpoints on digits' test set.

The checkpoints (docs/baselines; made by experiments/gate_fixture.py) have weights, inputs and decays for which float32 sums are exact, so
that figures are the same on every machine and counts are held exactly. `sew` is half pruned and leaves early, `former` has attention.
"""

from collections.abc import Mapping
from pathlib import Path

from snn5 import checkpoint
from snn5.benchmark import Measurement, measure
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split, load
from snn5.files import md5
from snn5.gates._kinds import Metric

FOLDER = Path("docs", "baselines")
NETWORKS = ("sew", "former")
_CODE = ("snn5/benchmark", "snn5/inference", "snn5/models", "snn5/neurons")


def networks(root: Path) -> dict[str, Checkpoint]:
    """The frozen checkpoints by name.

    Raises:
        UserError: one is missing or damaged.
    """
    return {name: checkpoint.load(root / FOLDER / f"{name}.safetensors") for name in NETWORKS}


def test_split() -> Split:
    """The 450 test digits; built in, so that the gate needs no data."""
    return load("digits", time_steps=4).test


def figures(found: Mapping[str, Checkpoint], split: Split) -> dict[str, Metric]:
    """Every gated figure of the networks on `split`; counts are totals over its samples, so that they are whole numbers."""
    metrics: dict[str, Metric] = {}
    for name, source in found.items():
        metrics |= {
            f"{name}/{key}": m for key, m in _figures(measure(source, split, seed=0, protocol="val_selected", batch_size=450)).items()
        }
    return metrics


def sources(root: Path) -> dict[str, str]:
    """md5 of the checkpoints and of the code that measures them."""
    files = [root / FOLDER / f"{name}.safetensors" for name in NETWORKS]
    files += [file for folder in _CODE for file in (root / folder).rglob("*.py")]
    return {file.relative_to(root).as_posix(): md5(file) for file in sorted(files)}


def _figures(m: Measurement) -> dict[str, Metric]:
    totals = {"steps": m.steps_mean, "dense_macs": m.dense_macs, "macs": m.effective_macs, "acs": m.effective_acs}
    totals |= {name: sum(getattr(layer, name) for layer in m.layers.values()) for name in ("padded", "any_weight", "inputs_nonzero")}
    totals |= {"neuron_updates": m.neuron_updates, "spikes": sum(n.spikes for n in m.neurons.values()), "right": m.accuracy}
    totals |= {f"operations/{name}": layer.macs + layer.acs for name, layer in m.layers.items()}
    whole = {key: float(round(value * m.n)) for key, value in totals.items()}
    whole |= {"params_nnz": float(m.params_nnz), "packed_bytes": float(m.packed_bytes)}
    exact = whole | {f"energy_pj/{kind}": pj for kind, pj in m.energy_pj.items()}
    return {
        **{key: Metric(kind="exact", values=(value,)) for key, value in exact.items()},
        **{f"rate/{name}": Metric(kind="rate", values=(rate,)) for name, rate in m.spike_rate.items()},
        "accuracy": Metric(kind="accuracy", values=(whole["right"],), n=m.n),
    }
