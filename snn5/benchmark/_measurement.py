"""What a network costs and how well it answers, in one dataclass that JSON can hold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import ceil, log2
from typing import Any

from snn5.benchmark._counters import LayerOperations, NeuronOperations
from snn5.errors import UserError

# How an accuracy came about -> the metric that may carry it, `<split>/…`. "Best epoch on test" has no entry: it is never reported.
PROTOCOLS = {
    "val_selected": "test/acc",  # epoch and settings chosen on validation or fixed beforehand, never on test
    "last_epoch": "test/acc_last",  # weights of the last epoch
    "validation": "val/acc",
}
RIVALS = {"ann_dense": "fp32", "ann_zero_skip": "fp32", "qnn": "int", "ann_pruned": "fp32"}  # and the energy that its metric compares


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Figures per sample unless said otherwise; energies in pJ.

    Attributes:
        model, data: names. spiking: False for an ANN. time_steps: T.
        protocol: see `PROTOCOLS`. seed: of the training. n: samples. accuracy: 0..1.
        layers, neurons: operations by layer.
        dense_macs: products inside the image, all steps that were run. effective_macs, effective_acs: what is left without the zeros.
        neuron_updates: neurons x steps that were run.
        params_nnz: parameters that are not zero. weight_bits: stored width by layer. activation_bits: of what float layers exchange.
        packed_bytes: bytes to store. steps_mean: mean exit step.
        energy_pj: `fp32` and `int` (arithmetic), `memory` (arithmetic, updates and traffic).
        dense_energy_pj: the same if no zero were skipped.
        ratios: this network's energy over a rival's, by rival: `fp32`, `int`, `memory` and the rival's `accuracy`; None until measured.
    """

    model: str
    data: str
    spiking: bool
    time_steps: int
    protocol: str
    seed: int
    n: int
    accuracy: float
    layers: dict[str, LayerOperations]
    neurons: dict[str, NeuronOperations]
    dense_macs: float
    effective_macs: float
    effective_acs: float
    neuron_updates: float
    params_nnz: int
    weight_bits: dict[str, int]
    activation_bits: int
    packed_bytes: int
    steps_mean: float
    energy_pj: dict[str, float]
    dense_energy_pj: dict[str, float]
    ratios: dict[str, dict[str, float] | None] = field(default_factory=lambda: dict.fromkeys(RIVALS))

    @property
    def synops(self) -> float:
        """Effective synaptic operations: MACs and ACs."""
        return self.effective_macs + self.effective_acs

    @property
    def spike_rate(self) -> dict[str, float]:
        """Spikes per neuron and step, by neuron layer."""
        return {name: n.rate for name, n in self.neurons.items()}

    def metrics(self) -> dict[str, float]:
        """The figures under their standard names; what was not measured is left out."""
        found: dict[str, float] = {
            PROTOCOLS[self.protocol]: self.accuracy,
            "cost/synops": self.synops,
            "cost/energy_pj": self.energy_pj["fp32"],
            "cost/steps_mean": self.steps_mean,
            "model/params_nnz": float(self.params_nnz),
            "model/bytes": float(self.packed_bytes),
        }
        if self.neurons:
            found["cost/spike_rate"] = sum(self.spike_rate.values()) / len(self.neurons)
        for rival, energy in RIVALS.items():
            ratio = self.ratios.get(rival)
            if ratio is not None:
                found[f"cost/ratio_{rival}"] = ratio[energy]
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Measurement":
        """The measurement that `to_json` wrote.

        Raises:
            UserError: `raw` is something else.
        """
        try:
            layers = {name: LayerOperations(**entry) for name, entry in raw["layers"].items()}
            neurons = {name: NeuronOperations(**entry) for name, entry in raw["neurons"].items()}
            return cls(**{**raw, "layers": layers, "neurons": neurons})
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"not a measurement ({error!r}); pass what Measurement.to_json gave") from error


def compare(snn: Measurement, ann: Measurement, *, quantised: Measurement | None = None, pruned: Measurement | None = None) -> Measurement:
    """`snn` with its energy over that of its rivals, each at its own accuracy.

    Args:
        ann: the FP32 twin: `ann_dense` prices all its products, `ann_zero_skip` those that are not zero.
        quantised: a trained twin whose activations have b = ceil(log2(T + 1)) bits: as many values as T steps have spike counts
            (Yan et al., arXiv 2409.08290).
        pruned: a trained twin with as few non-zero parameters (to 5 %).

    Raises:
        UserError: a rival is no ANN, or was measured on other data, by another protocol or on another number of samples; or its bits or
            parameters do not match.
    """
    for name, rival in {"ann": ann, "quantised": quantised, "pruned": pruned}.items():
        if rival is not None:
            _check_rival(name, rival, snn)
    bits = ceil(log2(snn.time_steps + 1))
    if quantised is not None and quantised.activation_bits != bits:
        raise UserError(
            f"quantised={quantised.model!r} has {quantised.activation_bits} bit activations; T={snn.time_steps} steps match {bits} bits"
        )
    if pruned is not None and abs(pruned.params_nnz - snn.params_nnz) > 0.05 * snn.params_nnz:
        raise UserError(
            f"pruned={pruned.model!r} has {pruned.params_nnz} non-zero parameters, the SNN {snn.params_nnz}; prune both alike (to 5 %)"
        )
    ratios: dict[str, dict[str, float] | None] = {
        "ann_dense": _ratio(snn, ann.dense_energy_pj, ann.accuracy),
        "ann_zero_skip": _ratio(snn, ann.energy_pj, ann.accuracy),
        "qnn": None if quantised is None else _ratio(snn, quantised.energy_pj, quantised.accuracy),
        "ann_pruned": None if pruned is None else _ratio(snn, pruned.energy_pj, pruned.accuracy),
    }
    return replace(snn, ratios=ratios)


def _ratio(snn: Measurement, rival_pj: Mapping[str, float], accuracy: float) -> dict[str, float]:
    return {**{kind: pj / rival_pj[kind] for kind, pj in snn.energy_pj.items()}, "accuracy": accuracy}


def _check_rival(name: str, rival: Measurement, snn: Measurement) -> None:
    if rival.spiking:
        raise UserError(f"{name}={rival.model!r} is a spiking network; a ratio is against an ANN")
    for key in ("data", "protocol", "n"):
        ours, theirs = getattr(snn, key), getattr(rival, key)
        if ours != theirs:
            raise UserError(f"{name}={rival.model!r} was measured with {key}={theirs!r}, the SNN with {ours!r}; measure both alike")
