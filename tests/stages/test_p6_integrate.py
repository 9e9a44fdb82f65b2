"""P6's chain and its rivals on a network small enough for a test: what each step leaves, and what the verdict says."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config
from snn5.benchmark import Measurement
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.files import md5, write_json
from snn5.models import ann_twin, create_model
from snn5.stages import p6_integrate
from snn5.stages._chain import RIVALS, STEPS, Choices
from snn5.stages._chain_climb import Climb
from snn5.stages._chain_cutoff import Exit
from snn5.stages._chain_ingredients import Ingredients, ingredients
from snn5.stages._chain_record import record_of
from snn5.stages._stage import Stage

SEEDS, BITS, SPARSITY = [0, 2], 3, 0.5
PARAMS = Path(__file__).parents[2] / "params.yaml"
COUNTS = {"train": 64, "val": 24, "test": 24}


def write_split(side: str, first: int) -> None:
    """Bars at one of four places."""
    count, draw = COUNTS[side], np.random.default_rng(first)
    y = np.arange(count) % 4
    x = draw.integers(0, 3, (1, count, 1, 8, 8), dtype=np.uint8)
    for n, label in enumerate(y):
        x[0, n, 0, :, 2 * label : 2 * label + 2] += 12
    info = {"dataset": "digits", "scale": 16, "split": side, "num_classes": 4}
    save_split(Split(x_TNCHW=x, y_N=y, index_N=np.arange(first, first + count), info=info), f"data/p7_data/frames/{side}.safetensors")


def write_networks(seed: int) -> None:
    model = create_model(
        "sew_resnet8",
        width=8,
        neuron="plif",
        in_channels=1,
        num_classes=4,
        image_size=8,
        time_steps=3,
        neuron_args={"tau": 1.2, "v_threshold": 0.2},
    )
    args = {"model": model.name, "model_args": model.arguments, "dataset": "digits"}
    for folder, net, twin in (("p3_tune", model, False), ("p1_train/ann_twin-frames", ann_twin(model), True)):
        torch.nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(seed))
        card = checkpoint.Card(**args, twin=twin, time_steps=1 if twin else 3, neuron="relu" if twin else "plif")
        checkpoint.save(checkpoint.of(net, card), f"data/{folder}/checkpoints/seed{seed}.safetensors")


class Offline(Stage):
    """A stage whose ingredients are the files, with no server to account for them."""

    def ingredient(self, path):  # type: ignore[override]
        return SimpleNamespace(file=Path(path), path=Path(path).as_posix(), md5=md5(Path(path)))


@pytest.fixture
def this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    for first, side in enumerate(COUNTS):
        write_split(side, 1000 * first)
    for seed in SEEDS:
        write_networks(seed)
    for name, key, value in (("sparsify", "strength", 0.5), ("prune", "sparsity", SPARSITY), ("quantize", "bits", BITS)):
        write_json(Path(f"data/p4_{name}/metrics.json"), {"summary": {f"chosen_{key}": value}})
    for name, accuracy in (("p3_tune", 0.98), ("p1_train/sew_resnet-frames", 0.97)):
        write_json(Path(f"data/{name}/metrics.json"), {"summary": {"val/acc": accuracy, "val/acc_sd": 0.003}})
    settings = config.load(PARAMS)
    p6 = replace(settings.p6, ema_decay=0.0, least_bits=2, variants=[[0.4, 4]], frames=config.Effort(epochs=2, quantised_epochs=2))
    return Offline(script="p6_integrate", args=("frames",), config=replace(settings, seeds=SEEDS, p6=p6), root=tmp_path)


def test_every_step_leaves_what_it_is_for(this: Stage) -> None:
    made = p6_integrate.run(this)
    json.dumps(made.summary, allow_nan=False)
    assert sorted(made.runs) == sorted(f"{step}-seed{seed}" for step in (*RIVALS, *STEPS) for seed in SEEDS)
    assert made.details["start"] == "p3_tune"
    for seed in SEEDS:
        found = {step: Measurement.from_json(made.runs[f"{step}-seed{seed}"].details) for step in (*RIVALS, *STEPS)}
        assert found["pruned"].params_nnz < 0.7 * found["sparse"].params_nnz
        assert found["quantised"].packed_bytes < 0.5 * found["pruned"].packed_bytes
        assert (
            found["cutoff"].steps_mean <= found["quantised"].steps_mean == found["sparse"].steps_mean == 2 < found["start"].steps_mean == 3
        )
        assert (found["qnn"].activation_bits, found["qnn"].spiking) == (2, False)  # T = 2 steps have 3 spike counts
        assert found["ann_pruned"].params_nnz == pytest.approx(found["cutoff"].params_nnz, rel=0.05)
        assert all(ratio is not None for ratio in found["cutoff"].ratios.values())
        final = checkpoint.load(this.out / "checkpoints" / f"seed{seed}.safetensors")
        assert [t.name for t in final.card.transforms] == ["time_steps", "sparsify", "prune", "fold_norms", "quantize", "calibrate_cutoff"]
        masked = torch.cat([final.state[name].flatten() for name in final.card.masks])
        assert (masked == 0).float().mean() >= made.summary["sparsity"] - 0.01
        assert (made.summary["sparsity"], made.summary["bits"]) in ((SPARSITY, BITS), (0.4, 4))  # P4's choice and p6.variants
        assert set(final.card.quantisation["bits"].values()) == {made.summary["bits"], 8}
        for name, bits in final.card.quantisation["bits"].items():
            assert all(len(row.unique()) <= 2**bits for row in final.state[f"{name}.weight"])
        own = next(one["epsilons"] for one in made.details["tried"] if one["bits"] == made.summary["bits"])
        assert final.card.cutoff["epsilon"] == own[this.config.seeds.index(seed)]


def test_a_network_with_weights_for_each_step_keeps_its_steps(this: Stage) -> None:
    model = create_model("sew_resnet8", width=8, neuron="glif", in_channels=1, num_classes=4, image_size=8, time_steps=3)
    card = checkpoint.Card(model=model.name, model_args=model.arguments, dataset="digits", time_steps=3, neuron="glif")
    for seed in SEEDS:
        checkpoint.save(checkpoint.of(model, card), f"data/p3_tune/checkpoints/seed{seed}.safetensors")
    with pytest.raises(UserError, match=r"p6\.most_steps=2: .*set p6\.most_steps=0"):
        p6_integrate.run(this)


def test_the_other_slot_starts_with_p1(this: Stage) -> None:
    other = Offline(script="p6_integrate", args=("events",), config=this.config, root=this.root)
    with pytest.raises(FileNotFoundError, match="p1_train/sew_resnet-events"):
        p6_integrate.run(other)


@pytest.mark.parametrize(("trained", "start"), [(0.97, "p3_tune"), (0.9765, "p3_tune"), (0.9775, "p1_train"), (0.99, "p1_train")])
def test_validation_says_whose_network_it_starts_with(this: Stage, trained: float, start: str) -> None:
    """The search's networks have 0.98 in the mean over two seeds, sd 0.003 as P1's: the difference's standard error is 0.003."""
    write_json(Path("data/p1_train/sew_resnet-frames/metrics.json"), {"summary": {"val/acc": trained, "val/acc_sd": 0.003}})
    shutil.copytree("data/p3_tune/checkpoints", "data/p1_train/sew_resnet-frames/checkpoints", dirs_exist_ok=True)
    taken = ingredients(this, "frames", ramp_fraction=0.2)
    assert taken.start == start and all(f"/{start}/" in f"/{found.path}" for found in taken.begun.values())
    assert list(taken.choices.variants) == [(SPARSITY, BITS), (0.4, 4)]


def test_an_unknown_slot_is_named(this: Stage) -> None:
    with pytest.raises(UserError, match=r"unknown data slot 'sounds'"):
        p6_integrate.run(Offline(script="p6_integrate", args=("sounds",), config=this.config, root=this.root))


def measured(*, accuracy: float, ratio: float) -> Measurement:
    return Measurement(
        model="m", data="d", spiking=True, time_steps=4, protocol="val_selected", seed=0, n=100, accuracy=accuracy, layers={}, neurons={},
        dense_macs=1.0, effective_macs=1.0, effective_acs=1.0, neuron_updates=1.0, params_nnz=10, weight_bits={}, activation_bits=32,
        packed_bytes=40, steps_mean=4.0, energy_pj={"fp32": 1.0}, dense_energy_pj={"fp32": 2.0},
        ratios={"ann_dense": {"fp32": ratio, "accuracy": 0.99}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accuracy", "ratio", "equal", "reached"),
    [(0.98, 0.02, 1.0, 1.0), (0.98, 0.021, 1.0, 0.0), (0.97, 0.01, 0.0, 0.0)],  # the ANN has 0.99; one point less is equal
)
def test_the_verdict_needs_both(accuracy: float, ratio: float, equal: float, reached: float) -> None:
    own = {step: measured(accuracy=0.99, ratio=1.0) for step in (*RIVALS, *STEPS)} | {"cutoff": measured(accuracy=accuracy, ratio=ratio)}
    choices = Choices(strength=1.0, ramp_fraction=0.2, variants=[(0.9, 2), (0.5, 4), (0.4, 8)])
    taken = Ingredients(begun={}, start="p3_tune", twins={}, choices=choices)
    exits = [Exit(epsilons=(0.02,), accuracies=(0.9,), affordable=False), Exit(epsilons=(0.01,), accuracies=(0.98,), affordable=True)]
    record = record_of({0: own}, taken, Climb(steps={}, exits=exits, chosen=1, twin=0.99), config.load(PARAMS).p6)
    found = record.summary
    assert record.details["tried"] == [
        {"sparsity": 0.9, "bits": 2, "affordable": False, "val/acc": 0.9, "epsilons": [0.02]},
        {"sparsity": 0.5, "bits": 4, "affordable": True, "val/acc": 0.98, "epsilons": [0.01]},
    ]
    assert (found["sparsity"], found["bits"], found["epsilon"]) == (0.5, 4.0, 0.01)
    assert found["test/acc"] == accuracy and found["ann/test/acc"] == 0.99


@pytest.mark.parametrize(("most", "strength"), [(0.2, 0.2), (0.5, 0.5), (1.0, 0.5)])
def test_the_penalty_has_at_most_its_strength(this: Stage, most: float, strength: float) -> None:
    p6 = replace(this.config.p6, most_strength=most)
    taken = ingredients(replace(this, config=replace(this.config, p6=p6)), "frames", ramp_fraction=0.2)
    assert taken.choices.strength == strength


@pytest.mark.parametrize(("least", "bits"), [(2, BITS), (4, 4)])
def test_weights_keep_the_least_bits(this: Stage, least: int, bits: int) -> None:
    p6 = replace(this.config.p6, least_bits=least)
    taken = ingredients(replace(this, config=replace(this.config, p6=p6)), "frames", ramp_fraction=0.2)
    assert list(taken.choices.variants) == [(SPARSITY, bits), (0.4, 4)]


@pytest.mark.parametrize(
    ("gap", "target", "tries"),
    [
        (1.0, 1.0, 1),  # content with the first
        (-1.0, 1.0, 2),  # a gap that none keeps: the most accurate is taken
        (1.0, 0.0, 2),  # energy that none keeps: likewise
    ],
)
def test_variants_are_tried_only_where_validation_asks(this: Stage, gap: float, target: float, tries: int) -> None:
    p6 = replace(this.config.p6, max_accuracy_gap=gap, target_ratio=target)
    made = p6_integrate.run(Offline(script="p6_integrate", args=("frames",), config=replace(this.config, p6=p6), root=this.root))
    tried = made.details["tried"]
    assert [(one["sparsity"], one["bits"]) for one in tried] == [(SPARSITY, BITS), (0.4, 4)][:tries]
    assert all(one["affordable"] == (target == 1.0) for one in tried)
    best = max(tried, key=lambda one: one["val/acc"])
    assert all(made.summary[name] == best[name] for name in ("sparsity", "bits"))
    assert made.summary["epsilon"] == pytest.approx(sum(best["epsilons"]) / 2)


def test_of_all_variants_within_the_energy_the_most_accurate_is_taken(this: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = ((0.0, 0.4, True), (0.01, 0.6, True), (0.02, 0.8, False))
    exits = [Exit(epsilons=(e, e + 0.001), accuracies=(a, a), affordable=ok) for e, a, ok in figures]
    given = iter(exits)
    monkeypatch.setattr("snn5.stages._chain_climb.exit_of", lambda *_args, **_how: next(given))
    p6 = replace(this.config.p6, max_accuracy_gap=-1.0, variants=[[0.4, 4], [0.3, 4]])
    made = p6_integrate.run(Offline(script="p6_integrate", args=("frames",), config=replace(this.config, p6=p6), root=this.root))
    assert (made.summary["sparsity"], made.summary["epsilon"]) == (0.4, pytest.approx(0.0105))
    kept = [checkpoint.load(this.out / "checkpoints" / f"seed{seed}.safetensors").card.cutoff for seed in this.config.seeds]
    assert [one["epsilon"] for one in kept if one] == [0.01, 0.011]  # each network its own
