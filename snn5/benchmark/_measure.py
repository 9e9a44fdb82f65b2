"""Measure a checkpoint on a split, exactly as it runs."""

from dataclasses import replace
from typing import Any

import torch

from snn5.benchmark._counters import OperationCounter, Operations
from snn5.benchmark._energy import EnergyModel
from snn5.benchmark._footprint import packed_bytes, params_nnz, weight_bits
from snn5.benchmark._measurement import PROTOCOLS, Measurement
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.errors import UserError, unknown
from snn5.inference import rule_of, run_until_sure
from snn5.models import SpikingModel, predict
from snn5.training import in_order, samples


def measure(
    checkpoint_or_model: Checkpoint | SpikingModel,
    split: Split,
    *,
    seed: int,
    protocol: str,
    batch_size: int = 64,
    limit: int | None = None,
) -> Measurement:
    """Accuracy, operations, energy and size.

    A checkpoint with a calibrated cutoff is run step by step and its operations are counted up to each sample's exit; anything else runs
    all steps.

    Args:
        checkpoint_or_model: a model is measured as it is: 32 bit, no cutoff.
        split: test or validation samples, whichever `protocol` says.
        seed: of the training, for the record. protocol: see `PROTOCOLS`.
        batch_size: changes speed only.
        limit: measure the first `limit` samples; None takes all.

    Raises:
        UserError: unknown protocol, no samples, or a layer that cannot be counted.
    """
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    needed, own = PROTOCOLS[protocol].partition("/")[0], split.info.get("split")
    if own not in (None, needed):
        raise UserError(f"protocol={protocol!r} measures on {needed}; this is the {own} split")
    split = _first(split, limit)
    card = checkpoint_or_model.card if isinstance(checkpoint_or_model, Checkpoint) else None
    model: Any = checkpoint_or_model.build() if isinstance(checkpoint_or_model, Checkpoint) else checkpoint_or_model
    spiking = not model.is_twin
    right, steps, operations = _run(model, split, card and card.cutoff, batch_size)
    quantisation = None if card is None else card.quantisation
    bits = weight_bits(quantisation, [name for name, layer in operations.layers.items() if layer.weights])
    activation_bits = int((quantisation or {}).get("activation_bits", 32))
    energy = EnergyModel(weight_bits=bits, activation_bits=activation_bits)
    return Measurement(
        model=model.name + ("" if spiking else "_ann"),
        data=str(split.info.get("dataset", card.dataset if card else "")),
        spiking=spiking,
        time_steps=model.time_steps,
        protocol=protocol,
        seed=seed,
        n=len(split),
        accuracy=right / len(split),
        layers=operations.layers,
        neurons=operations.neurons,
        dense_macs=operations.total("dense"),
        effective_macs=operations.total("macs"),
        effective_acs=operations.total("acs"),
        neuron_updates=operations.updates,
        params_nnz=params_nnz(model),
        weight_bits=bits,
        activation_bits=activation_bits,
        packed_bytes=packed_bytes(model.state_dict(), bits),
        steps_mean=steps / len(split),
        energy_pj=_energies(energy, operations, dense=False),
        dense_energy_pj=_energies(energy, operations, dense=True),
    )


@torch.no_grad()
def _run(model: Any, split: Split, cutoff: dict[str, Any] | None, batch_size: int) -> tuple[int, int, Operations]:
    """(right answers, steps over all samples, operations)."""
    was_training, rule = model.training, rule_of(cutoff)
    model.eval()
    right = steps = 0
    with OperationCounter(model) as counter:
        for x_TNCHW, y_N in in_order(samples(split), batch_size):
            if rule is None:
                prediction_N = predict(model(x_TNCHW))
                steps += model.time_steps * len(y_N)
            else:
                exit_ = run_until_sure(model, x_TNCHW, rule)
                prediction_N = exit_.prediction_N
                steps += int(exit_.step_N.sum())
            right += int((prediction_N == y_N).sum())
    model.train(was_training)
    return right, steps, counter.operations(len(split))


def _energies(energy: EnergyModel, operations: Operations, *, dense: bool) -> dict[str, float]:
    kinds = {"fp32": energy.fp32_pj, "int": energy.int_pj, "memory": energy.memory_pj}
    return {name: function(operations, dense=dense) for name, function in kinds.items()}


def _first(split: Split, limit: int | None) -> Split:
    if len(split) == 0 or (limit is not None and limit < 1):
        raise UserError(f"limit={limit} of {len(split)} samples; measure at least 1")
    return replace(split, x_TNCHW=split.x_TNCHW[:, :limit], y_N=split.y_N[:limit], index_N=split.index_N[:limit])
