"""P5.1's and P7.3's stages on networks and data small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snn5 import checkpoint, config, record
from snn5.datasets import Split, load_split, save_split
from snn5.errors import UserError
from snn5.files import md5
from snn5.inference import RULES, Tried
from snn5.models import ann_twin, create_model
from snn5.stages import p5_cutoff, p7_benchmark
from snn5.stages._stage import Stage

SEEDS, EPSILONS = [0, 2], [0.0, 0.3, 1.0]
PARAMS = Path(__file__).parents[2] / "params.yaml"


def write_split(slot: str, side: str, first: int, count: int) -> None:
    steps, channels = (1, 1) if slot == "frames" else (3, 2)
    x = np.random.default_rng(first).integers(0, 3, (steps, count, channels, 8, 8), dtype=np.uint8)
    info = {"dataset": slot, "scale": 2 if slot == "frames" else 1, "split": side, "num_classes": 4}
    split = Split(x_TNCHW=x, y_N=np.arange(count) % 4, index_N=np.arange(first, first + count), info=info)
    save_split(split, f"data/p7_data/{slot}/{side}.safetensors")


def write_checkpoint(slot: str, seed: int) -> None:
    shape = {"in_channels": 1 if slot == "frames" else 2, "num_classes": 4, "image_size": 8, "time_steps": 3}
    model = create_model("sew_resnet8", width=4, neuron="plif", **shape)
    for family in ("sew_resnet", "ann_twin"):
        twin = family == "ann_twin"
        net = ann_twin(model) if twin else model
        torch.nn.init.normal_(net.head.weight, generator=torch.Generator().manual_seed(seed))
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # current enough to spike
                torch.nn.init.constant_(module.weight, 4.0)
                torch.nn.init.constant_(module.bias, 1.0)
        args = {"model": model.name, "model_args": model.arguments, "dataset": slot, "time_steps": 3, "neuron": "plif", "twin": twin}
        made = checkpoint.of(net, checkpoint.Card(**args))
        checkpoint.save(made, f"data/p1_train/{family}-{slot}/checkpoints/seed{seed}.safetensors")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    for slot in ("frames", "events"):
        for side, first, count in (("train", 0, 40), ("val", 40, 20), ("test", 60, 20)):
            write_split(slot, side, first, count)
        for seed in SEEDS:
            write_checkpoint(slot, seed)
    return tmp_path


def stage(script: str, root: Path, *args: str, max_loss: float = 0.2, rule: str = "gap", lost: int = 0) -> Stage:
    settings = config.load(PARAMS)
    p5 = replace(settings.p5, epsilons=EPSILONS, max_accuracy_loss=max_loss, lost_samples=lost, rule=rule)
    return Stage(script=script, args=args, config=replace(settings, seeds=SEEDS, p5=p5), root=root)


@pytest.mark.parametrize(("slot", "rule"), [("frames", "gap"), ("events", "gap"), ("frames", "entropy")])
def test_p5_cutoff(checkout: Path, slot: str, rule: str) -> None:
    this = stage("p5_cutoff", checkout, slot, rule=rule)
    made = p5_cutoff.run(this)
    json.dumps(made.summary, allow_nan=False)
    record.save(made, this.out)
    assert record.load(this.out).summary == made.summary
    chosen = made.summary["chosen_epsilon"]
    assert chosen in EPSILONS and made.summary["n_seeds"] == 2
    for seed in SEEDS:
        early, full, swept = made.runs[f"seed{seed}"], made.runs[f"seed{seed}-full"], made.runs[f"seed{seed}-{rule}"]
        # the sweep on logits and the step-by-step run agree, at the chosen epsilon and without a cutoff
        place = EPSILONS.index(chosen)
        for name in ("test/acc", "cost/steps_mean"):
            assert early.metrics[name] == pytest.approx(swept.curves[name][place][1])
        for name in ("test/acc", "cost/steps_mean", "cutoff/fewer_steps", "cutoff/acc_change"):
            assert early.metrics[name] == pytest.approx(swept.metrics[name])
        assert full.curves["test/acc_by_step"][-1] == (3, pytest.approx(full.metrics["test/acc"]))
        steps = [value for _, value in swept.curves["cost/steps_mean"]]
        assert steps[2] == 1.0 <= steps[1] <= steps[0] <= 3.0 == full.metrics["cost/steps_mean"]
        assert early.metrics["cutoff/fewer_steps"] == pytest.approx(3.0 / early.metrics["cost/steps_mean"])
        assert early.metrics["cost/synops"] <= full.metrics["cost/synops"]
        source = Path(f"data/p1_train/sew_resnet-{slot}/checkpoints/seed{seed}.safetensors")
        card = checkpoint.load(this.out / "checkpoints" / f"seed{seed}.safetensors").card
        assert card.cutoff["rule"] == rule and card.cutoff["epsilon"] == chosen
        assert len(card.cutoff.get("thresholds", [0] * 3)) == 3
        assert card.transforms[-1].parents[source.as_posix()] == md5(source)
        assert source in this.parents


def test_p5_takes_the_largest_epsilon_within_the_limit_on_validation(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0, 2 and 9 of 20 validation samples lost; two standard errors of 2 in 20 are 13.8 points. Test says the opposite and is not asked."""
    lost = torch.zeros(3, 20, dtype=torch.int8)
    lost[1, :2], lost[2, :9] = -1, -1
    rest = {"epsilons": tuple(EPSILONS), "accuracy": (0.9, 0.8, 0.45), "steps": (3.0, 2.0, 1.0), "full_accuracy": 0.9}
    val = Tried(change_EN=lost, accuracy_by_step=(0.5, 0.6, 0.9), optimal_steps=1.5, **rest)
    test = replace(val, change_EN=lost.flip(0))
    monkeypatch.setattr(p5_cutoff, "try_epsilons", lambda *_a, **_kw: {key: {"val": val, "test": test} for key in RULES})
    one_more = 1 / 21 + 2 / 21  # where none was lost: its share, and two standard errors of it
    known = ((0.1, 0, 0.0, 1.0), (0.23, 0, 0.0, 1.0), (0.24, 0, 0.3, 2.0), (0.7, 0, 1.0, 3.0))
    for limit, more, epsilon, count in (*known, (one_more - 1e-6, 1, 0.0, 0.0), (one_more + 1e-6, 1, 0.0, 1.0), (0.32, 1, 0.3, 2.0)):
        summary = p5_cutoff.run(stage("p5_cutoff", checkout, "frames", max_loss=limit, lost=more)).summary
        assert (summary["chosen_epsilon"], summary["epsilons_within_limit"]) == (epsilon, count)


def test_p5_needs_a_slot(checkout: Path) -> None:
    with pytest.raises(UserError, match="p5_cutoff frame: need one argument, frames or events"):
        p5_cutoff.run(stage("p5_cutoff", checkout, "frame"))


def test_p5_is_deterministic(checkout: Path) -> None:
    first, second = (p5_cutoff.run(stage("p5_cutoff", checkout, "frames")) for _ in range(2))
    assert first == second


def test_p7_benchmark(checkout: Path) -> None:
    made = p7_benchmark.run(stage("p7_benchmark", checkout))
    assert len(made.runs) == 2 * 2 * len(SEEDS)
    for name, run in made.runs.items():
        check = run.details["cross_check"]
        assert check["synops_difference"] == check["macs_padded_difference"] == 0.0
        assert check["macs_padded"] > 0
        assert ("cost/ratio_ann_dense" in run.metrics) == name.startswith("sew_resnet")
    one, twin = made.runs["sew_resnet-events-seed2"], made.runs["ann_twin-events-seed2"].details["measurement"]
    raw = one.details["measurement"]
    own = sum(4.6 * layer["macs"] + 0.9 * layer["acs"] for layer in raw["layers"].values())
    assert one.metrics["cost/ratio_ann_dense"] == pytest.approx(own / (4.6 * twin["dense_macs"]))
    assert one.metrics["cost/ratio_ann_zero_skip"] == pytest.approx(own / (4.6 * twin["effective_macs"]))
    assert raw["dense_macs"] == 3 * twin["dense_macs"]  # T = 3 steps of the twin's one
    both = [made.runs[f"sew_resnet-frames-seed{seed}"].metrics["cost/synops"] for seed in SEEDS]
    assert made.summary["sew_resnet-frames/cost/synops"] == pytest.approx(sum(both) / 2)
    assert len(one.curves["cost/layer_synops"]) == len(raw["layers"])
    record.save(made, "out")
    assert record.load("out").runs.keys() == made.runs.keys()


def test_a_missing_ingredient_names_the_command(checkout: Path) -> None:
    Path("data/p1_train/ann_twin-events/checkpoints/seed2.safetensors").unlink()
    with pytest.raises(UserError, match=r"p7_benchmark needs .*seed2.safetensors, which is missing; make it with `dvc repro p1_train`"):
        p7_benchmark.run(stage("p7_benchmark", checkout))


def test_calibration_set_that_overlaps_is_refused(checkout: Path) -> None:
    train = load_split("data/p7_data/frames/train.safetensors")
    save_split(
        replace(load_split("data/p7_data/frames/test.safetensors"), index_N=train.index_N[:20]), "data/p7_data/frames/test.safetensors"
    )
    with pytest.raises(UserError, match="20 calibration samples are also in a split to be kept out"):
        p5_cutoff.run(stage("p5_cutoff", checkout, "frames"))
