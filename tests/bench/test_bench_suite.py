"""`snn5 bench suite`: which networks are found, and what is timed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from snn5 import bench, checkpoint
from snn5.cli import app
from snn5.datasets import Split, save_split
from snn5.errors import UserError
from snn5.models import create_model


def split(name: str) -> Split:
    x = np.random.default_rng(0).integers(0, 3, (1, 70, 1, 8, 8), dtype=np.uint8)
    return Split(x_TNCHW=x, y_N=np.arange(70) % 4, index_N=np.arange(70), info={"split": "test", "dataset": name, "num_classes": 4})


def network(dataset: str = "toy", **card: object) -> checkpoint.Checkpoint:
    model = create_model("sew_resnet8", in_channels=1, num_classes=4, image_size=8, time_steps=3, neuron="lif", width=2)
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    args = {"model": model.name, "model_args": model.arguments, "dataset": dataset, "time_steps": 3, "neuron": "lif"}
    return checkpoint.of(model, checkpoint.Card(**{**args, **card}))


EXIT = {"rule": "gap", "epsilon": 0.0, "thresholds": [-1.0, -1.0, -1.0]}


def test_every_network_has_a_row_per_batch_size() -> None:
    networks = {"all": network(), "early": network(cutoff=EXIT)}
    rows = bench.suite(networks, {"toy": split("toy")}, batches=(1, 8), repeats=3)
    assert [(r.network, r.batch) for r in rows] == [("all", 1), ("early", 1), ("all", 8), ("early", 8)]
    assert all(0 < r.low <= r.ms <= r.high and r.repeats == 3 and r.data == "toy" for r in rows)


def test_an_early_exit_runs_no_more_steps_than_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("snn5.bench._suite.in_turn", lambda sides, repeats: {name: [side() or 1.0] for name, side in sides.items()})
    monkeypatch.setattr("snn5.bench._suite.run_until_sure", lambda model, x, rule: seen.append(x.shape[1]))
    rows = bench.suite({"early": network(cutoff=EXIT), "all": network()}, {"toy": split("toy")}, batches=(4,))
    assert seen == [4] and [r.ms for r in rows] == [0.25, 0.25]  # per sample


def test_errors() -> None:
    with pytest.raises(UserError, match="no checkpoint to time"):
        bench.suite({}, {"toy": split("toy")})
    with pytest.raises(UserError, match="a was trained on 'other', there are toy"):
        bench.suite({"a": network("other")}, {"toy": split("toy")})
    with pytest.raises(UserError, match="71 samples at a time; the test set of a has 70"):
        bench.suite({"a": network()}, {"toy": split("toy")}, batches=(71,))


def test_the_command_times_what_the_stages_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for slot in ("frames", "events"):
        save_split(split(slot), f"data/p7_data/{slot}/test.safetensors")
    for path in ("p4_prune/checkpoints/seed0", "p1_contrast/dta/checkpoints/plain-seed0", "p4_prune/checkpoints/seed1"):
        checkpoint.save(network("frames"), f"data/{path}.safetensors")
    assert list(bench.named(tmp_path, 0)) == ["p1_contrast/dta/plain", "p4_prune"] and list(bench.named(tmp_path, 1)) == ["p4_prune"]
    done = CliRunner().invoke(app, ["bench", "suite", "--json", "out.json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(Path("out.json").read_text())["rows"]
    assert [(r["network"], r["batch"]) for r in rows] == [(n, b) for b in (1, 64) for n in ("p1_contrast/dta/plain", "p4_prune")]
    assert "ms per sample" in done.stdout and "reached" not in rows[0]
    none = CliRunner().invoke(app, ["bench", "suite", "--seed", "7"])
    assert none.exit_code == 1 and "no checkpoint to time" in none.stderr
