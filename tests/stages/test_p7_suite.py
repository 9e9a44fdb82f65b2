"""P7.3's suite on networks and data small enough for a test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from snn5 import checkpoint, config, record
from snn5.benchmark import measure
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.models import ann_twin, create_model
from snn5.stages import p7_suite
from snn5.stages._stage import Stage
from snn5.stages._suite import accuracy, row_of, suite_run

SEEDS = [0, 2]
PARAMS = Path(__file__).parents[2] / "params.yaml"
FOLDERS = {"data/p1_train/sew_resnet-events/checkpoints": "", "data/p1_depth/checkpoints": "deep-", "data/p4_prune/checkpoints": ""}


def split_of(slot: str) -> Split:
    steps, channels = (1, 1) if slot == "frames" else (3, 2)
    x = np.random.default_rng(1).integers(0, 3, (steps, 20, channels, 8, 8), dtype=np.uint8)
    info = {"dataset": slot, "scale": 2 if slot == "frames" else 1, "split": "test", "num_classes": 4}
    return Split(x_TNCHW=x, y_N=np.arange(20) % 4, index_N=np.arange(20), info=info)


def network(slot: str, seed: int, *, twin: bool = False, **card: object) -> checkpoint.Checkpoint:
    shape = {"in_channels": 1 if slot == "frames" else 2, "num_classes": 4, "image_size": 8, "time_steps": 3}
    model = create_model("sew_resnet8", width=4, neuron="plif", **shape)
    net = ann_twin(model) if twin else model
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.4, generator=generator)
        if isinstance(module, nn.BatchNorm2d):  # current enough to spike
            nn.init.constant_(module.bias, 0.5)
    args = {"model": model.name, "model_args": model.arguments, "dataset": slot, "time_steps": 3, "neuron": "plif", "twin": twin}
    return checkpoint.of(net, checkpoint.Card(**{**args, **card}))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNN5_WORKERS", "1")
    monkeypatch.setattr(p7_suite, "FOLDERS", tuple(FOLDERS))
    for slot in ("frames", "events"):
        save_split(split_of(slot), f"data/p7_data/{slot}/test.safetensors")
    for folder, variant in FOLDERS.items():
        for seed in SEEDS:
            slot = "events" if "events" in folder else "frames"
            checkpoint.save(network(slot, seed), f"{folder}/{variant}seed{seed}.safetensors")
    return Stage(script="p7_suite", args=(), config=replace(config.load(PARAMS), seeds=SEEDS), root=tmp_path)


def test_every_checkpoint_has_a_row(checkout: Stage) -> None:
    checkpoint.save(network("frames", 2), "data/p1_depth/checkpoints/other-seed2.safetensors")
    checkpoint.save(network("frames", 2), "data/p1_depth/checkpoints/deep-seed12.safetensors")  # no seed of this pipeline
    made = p7_suite.run(checkout)
    assert made.details["networks"] == ["p1_train@sew_resnet-events", "p1_depth/deep", "p1_depth/other", "p4_prune"]
    assert len(made.runs) == 7 and made.summary["p1_depth/deep/n_seeds"] == 2 and made.summary["p1_depth/other/n_seeds"] == 1
    assert len(checkout.parents) == 2 + 7
    record.save(made, checkout.out)
    assert record.load(checkout.out) == made
    assert p7_suite.run(checkout) == made


def test_figures_are_those_of_measure(checkout: Stage) -> None:
    made, split = p7_suite.run(checkout), split_of("events")
    for seed in SEEDS:
        run, m = (
            made.runs[f"p1_train@sew_resnet-events-seed{seed}"],
            measure(network("events", seed), split, seed=seed, protocol="val_selected"),
        )
        assert m.metrics().items() <= run.metrics.items() and run.details["rates"] == m.spike_rate
        assert run.metrics["model/dense_macs"] == m.dense_macs and run.metrics["cost/energy_memory_pj"] == m.energy_pj["memory"]
        assert run.metrics["model/params"] >= run.metrics["model/params_nnz"] > 0
        assert run.curves["cost/layer_spike_rate"] == list(enumerate(m.spike_rate.values()))
        assert "test/acc_reversed" not in made.runs[f"p4_prune-seed{seed}"].metrics  # frames have no order


class Last(nn.Module):
    """Answers by the last step alone."""

    def forward(self, x_TNCHW: torch.Tensor) -> torch.Tensor:
        return x_TNCHW[-1:, :, 0, 0, :4].float()


def test_reversal_tells_a_network_that_uses_time_from_one_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers by the last step are all right forwards and, with an empty first step, all the same backwards."""
    x = np.zeros((3, 20, 2, 8, 8), dtype=np.uint8)
    x[-1, np.arange(20), 0, 0, np.arange(20) % 4] = 1
    split = replace(split_of("events"), x_TNCHW=x)
    source = network("events", 0)
    monkeypatch.setattr(checkpoint.Checkpoint, "build", lambda self: Last())
    assert accuracy(source, split) == 1.0
    assert accuracy(source, replace(split, x_TNCHW=np.ascontiguousarray(x[::-1]))) == 0.25


def test_a_twin_sees_the_sum_of_the_steps(checkout: Stage) -> None:
    path = Path("data/p1_train/ann_twin-events/checkpoints/seed0.safetensors")
    checkpoint.save(network("events", 0, twin=True), path)
    run = suite_run(path, {"events": split_of("events")}, 0)
    assert run.metrics["test/reversal_change"] == 0.0 and run.details["rates"] == {}


def test_an_early_exit_is_part_of_both_accuracies(checkout: Stage) -> None:
    path = Path("data/p5_cutoff/events/checkpoints/seed0.safetensors")
    checkpoint.save(network("events", 0, cutoff={"rule": "gap", "epsilon": 1.0, "thresholds": [-1.0, -1.0, -1.0]}), path)
    run = suite_run(path, {"events": split_of("events")}, 0)
    assert run.metrics["cost/steps_mean"] == 1.0 and "model/dense_macs" not in run.metrics
    first, last = (replace(split_of("events"), x_TNCHW=np.repeat(split_of("events").x_TNCHW[i : i + 1], 3, 0)) for i in (0, 2))
    source = checkpoint.load(path)
    assert (run.metrics["test/acc"], run.metrics["test/acc_reversed"]) == (accuracy(source, first), accuracy(source, last))


def test_rows_are_named_after_stage_and_variant() -> None:
    names = {
        "data/p1_contrast/dta/checkpoints/plain-seed0.safetensors": "p1_contrast@dta/plain",
        "data/p6_integrate/frames/checkpoints/seed11.safetensors": "p6_integrate@frames",
        "data/p4_prune/checkpoints/seed0.safetensors": "p4_prune",
    }
    assert {path: row_of(Path(path)) for path in names} == names


def test_what_is_missing_or_of_other_data_is_named(checkout: Stage) -> None:
    checkpoint.save(network("frames", 0, dataset="mnist"), "data/p4_prune/checkpoints/seed0.safetensors")
    with pytest.raises(
        UserError, match=r"p4_prune/checkpoints/seed0.safetensors was trained on 'mnist', the pipeline's data are frames, events"
    ):
        p7_suite.run(checkout)
    Path("data/p4_prune/checkpoints/seed2.safetensors").unlink()
    with pytest.raises(UserError, match=r"p7_suite needs .*seed2.safetensors, which is missing; make it with `dvc repro p4_prune`"):
        p7_suite.run(checkout)


def test_the_suite_lists_every_stage_that_keeps_checkpoints() -> None:
    import yaml

    stages = yaml.safe_load((PARAMS.parent / "dvc.yaml").read_text())["stages"]
    kept = {out for name, stage in stages.items() for out in expanded(stage) if out.endswith("/checkpoints")}
    assert set(p7_suite.FOLDERS) == kept - {"data/p5_lava/checkpoints"}  # one small network for Lava alone, from one seed


def expanded(stage: dict) -> list[str]:
    found = [""]
    outs = stage["outs"]
    for key, values in stage.get("matrix", {}).items():
        outs = [out.replace(f"${{item.{key}}}", value) for out in outs for value in values]
    return [*found, *outs]
