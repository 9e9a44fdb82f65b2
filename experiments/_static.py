"""What a network for static images is tested for after its training, and the entry that a result file gets."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snn5.benchmark import Measurement, measure
from snn5.checkpoint import Card, Checkpoint, Transform, of, save
from snn5.config import Fast, Train
from snn5.datasets import Split, Splits
from snn5.files import read_json, write_json
from snn5.models import SpikingModel, ann_twin, create_model, predict
from snn5.training import Fit, Samples, at_steps, computing, in_order, samples

COUNTED = 1000  # test images whose operations are counted
REACHED = ("T", "chosen_epoch", "accuracy", "val", "test", "test_flip", "twin", "wall_min", "cpu_min", "machine")


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A training that has ended; with the trained twin that guided it, if one did."""

    settings: Fast
    model: SpikingModel
    fit: Fit
    splits: Splits
    seed: int
    device: torch.device
    twin: SpikingModel | None = None


def network(settings: Train, split: Split, time_steps: int) -> SpikingModel:
    """The network that `settings` describes, for the images of `split`."""
    shape = {"in_channels": split.x_TNCHW.shape[2], "num_classes": int(split.info["num_classes"]), "image_size": split.x_TNCHW.shape[-1]}
    return create_model(settings.model, time_steps=time_steps, neuron=settings.neuron, **shape, **settings.model_args)


def test_of(run: Tested, path: Path) -> dict[str, Any]:
    """Choose T on validation, read the test images once, count operations; the chosen network goes to `path`, a twin beside it.

    Validation chooses among the T of `steps` for the chosen epoch; ties go to the smaller T.
    """
    model, steps = run.model, run.settings.pace.steps
    val, test = (samples(split, run.device) for split in (run.splits.val, run.splits.test))
    found: dict[str, dict[str, dict[str, float]]] = {"val": {}, "test": {}, "test_flip": {}}
    with at_steps(model, max(steps)), computing(run.settings.train.precision, run.device):
        if run.fit.best_epoch != run.settings.train.epochs - 1:
            model.load_state_dict(run.fit.last)
            found["test"]["last"] = accuracies_of(logits_of(model, test), test.y_N, steps)
        model.load_state_dict(run.fit.best)
        found["val"]["chosen"] = accuracies_of(logits_of(model, val), val.y_N, steps)
        found["test"]["chosen"] = accuracies_of(plain_TNK := logits_of(model, test), test.y_N, steps)
        found["test_flip"]["chosen"] = accuracies_of(plain_TNK + logits_of(model, test, flip=True), test.y_N, steps)
    found["test"].setdefault("last", found["test"]["chosen"])
    T = max(steps, key=lambda steps: (found["val"]["chosen"][str(steps)], -steps))
    checkpoint = checkpoint_of(run, T)
    save(checkpoint, path)
    counted = measure(checkpoint, run.splits.test, seed=run.seed, protocol="val_selected", limit=COUNTED)
    beside = {} if run.twin is None else {"twin": tested_twin(run, run.twin, counted, path.with_name("twin.safetensors"))}
    return {
        "settings": asdict(run.settings),
        "seeds": [run.seed],
        "n": {name: len(getattr(run.splits, name)) for name in ("train", "val", "test")},
        "chosen_epoch": run.fit.best_epoch,
        "T": T,
        "budget_cpu_min": 2 * run.settings.pace.budget_minutes,
        "accuracy": found["test"]["chosen"][str(T)],
        **found,
        "params": sum(p.numel() for p in model.parameters()),
        "operations": operations_of(counted, _twin(checkpoint, run.splits.test)),
        **beside,
    }


def tested_twin(run: Tested, twin: SpikingModel, snn: Measurement, path: Path) -> dict[str, Any]:
    """The guide itself, at its last epoch: its accuracy, plain and with test-time flip, and its energy without the products with zero."""
    test = samples(run.splits.test, run.device)
    with computing(run.settings.train.precision, run.device):
        plain_TNK, flipped_TNK = logits_of(twin, test), logits_of(twin, test, flip=True)
    card = replace(checkpoint_of(run, 1).card, time_steps=1, neuron="relu", twin=True, transforms=[])
    args: dict[str, Any] = {"seed": run.seed, "epoch": run.settings.guide.epochs - 1, "loss": "rate"}
    made = of(twin.cpu(), card).after(Transform(name="train", args=args))
    save(made, path)
    counted = measure(made, run.splits.test, seed=run.seed, protocol="last_epoch", limit=COUNTED)
    return {
        "accuracy": accuracies_of(plain_TNK, test.y_N, [1])["1"],
        "accuracy_flip": accuracies_of(plain_TNK + flipped_TNK, test.y_N, [1])["1"],
        "energy_pj": counted.energy_pj,
        "ratio_ann_zero_skip": {kind: counted.energy_pj[kind] / snn.energy_pj[kind] for kind in snn.energy_pj},
    }


@torch.no_grad()
def logits_of(model: SpikingModel, data: Samples, flip: bool = False) -> Tensor:
    """logits_TNK of all samples, in order; of their mirror images with `flip`."""
    model.eval()
    parts = [model(x_TNCHW.flip(-1) if flip else x_TNCHW).float() for x_TNCHW, _ in in_order(data, 250)]
    return torch.cat(parts, 1)


def accuracies_of(logits_TNK: Tensor, y_N: Tensor, steps: list[int]) -> dict[str, float]:
    """Accuracy by T: that of the first T steps, which is what a causal network answers when it is shown an image for T steps."""
    return {str(T): float((predict(logits_TNK[:T]) == y_N).double().mean()) for T in steps}


def checkpoint_of(run: Tested, time_steps: int) -> Checkpoint:
    """The chosen network, to be shown images for `time_steps` steps."""
    model, info = run.model, run.splits.train.info
    card = Card(
        model=model.name,
        model_args={**model.arguments, "time_steps": time_steps},
        dataset=str(info["dataset"]),
        time_steps=time_steps,
        neuron=run.settings.train.neuron,
        preprocessing={"scale": info.get("scale", 1)},
    )
    args: dict[str, Any] = {"seed": run.seed, "epoch": run.fit.best_epoch, "loss": "rate"}
    if run.settings.guide.epochs:
        args["guide"] = asdict(run.settings.guide)  # no figure of direct training
    return of(model.cpu(), card).after(Transform(name="train", args=args))


def operations_of(snn: Measurement, twin: Measurement) -> dict[str, Any]:
    """Kinds and costs by layer (G4), sums, and the energy beside the twin's dense multiplications."""
    return {
        "n": snn.n,
        "T": snn.time_steps,
        "layers": {
            name: {"input": layer.kind, "dense": layer.dense, "macs": layer.macs, "acs": layer.acs} for name, layer in snn.layers.items()
        },
        "rates": {name: neuron.rate for name, neuron in snn.neurons.items()},
        "synops": snn.effective_acs,
        "macs": snn.effective_macs,
        "neuron_updates": snn.neuron_updates,
        "energy_pj": snn.energy_pj,
        "twin_dense_macs": twin.dense_macs,
        "twin_dense_energy_pj": twin.dense_energy_pj,
        "ratio_ann_dense": {kind: twin.dense_energy_pj[kind] / snn.energy_pj[kind] for kind in snn.energy_pj},
    }


def _twin(checkpoint: Checkpoint, split: Split) -> Measurement:
    """The dense cost of the ReLU twin, which its weights do not change: it is not trained."""
    model: Any = checkpoint.build()
    return measure(ann_twin(model), split, seed=0, protocol="val_selected", limit=8)


def write(path: Path, profile: str, entry: dict[str, Any], epochs: list[dict[str, Any]], machine: dict[str, Any]) -> None:
    """Put the entry of `profile` into the result file; of a second seed with the same settings only what it reached, under `others`."""
    table = read_json(path)["profiles"] if path.is_file() else {}
    minutes = {key: epochs[-1][key] for key in ("wall_min", "cpu_min")}
    full = {**entry, **minutes, "machine": machine, "curve": epochs}
    seed, old = str(entry["seeds"][0]), table.get(profile, {})
    others = old.get("others", {}) if old.get("settings") == json.loads(json.dumps(entry["settings"])) else None
    if others is None or old["seeds"] == entry["seeds"]:
        table[profile] = {**full, "others": others} if others else full
    else:
        table[profile] = {**old, "others": dict(sorted({**others, seed: {key: full[key] for key in REACHED if key in full}}.items()))}
    write_json(path, {"command": "python -m experiments.cifar10 --profile PROFILE", "profiles": table})
