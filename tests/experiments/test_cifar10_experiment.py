"""The CIFAR-10 experiment on made images: its protocol, its record, and that it goes on where it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments import _static, cifar10
from experiments._guide import guided, trained_twin
from snn5 import config
from snn5._fast_section import Guide
from snn5.checkpoint import load
from snn5.config import Config
from snn5.datasets import Split, Splits
from snn5.files import read_json
from snn5.models import ann_twin, initialise, predict
from snn5.neurons import LIF
from snn5.training import Samples, samples

ROOT = Path(__file__).parents[2]


def split(n: int, name: str, seed: int) -> Split:
    """Dark and bright images: two classes that a few steps tell apart."""
    random = np.random.default_rng(seed)
    y_N = random.integers(0, 2, n)
    x_TNCHW = (random.integers(0, 100, (1, n, 3, 12, 12)) + 120 * y_N[:, None, None, None]).astype(np.uint8)
    return Split(
        x_TNCHW=x_TNCHW,
        y_N=y_N,
        index_N=1000 * seed + np.arange(n),
        info={"dataset": "made", "num_classes": 2, "scale": 255, "split": name},
    )


SPLITS = Splits(train=split(64, "train", 0), val=split(16, "val", 1), test=split(20, "test", 2))


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(cifar10, "frames_of", lambda _chosen: SPLITS)
    found = config.load(ROOT / "params.yaml", "cifar10_fast")
    arguments = {"width": 2, "neuron_args": {"decay_input": False, "surrogate": "triangle", "v_threshold": 0.5}}
    train = replace(found.p1_fast.train, model_args=arguments, epochs=3, batch_size=16, lr=0.2, precision="fp32", guard_epochs=0)
    return replace(found, p1_fast=replace(found.p1_fast, train=train, pace=replace(found.p1_fast.pace, step_plan=[[2, 1], [1, 2]])))


def entry_of(path: Path) -> dict[str, Any]:
    found = read_json(path)
    assert found["command"] == "python -m experiments.cifar10 --profile PROFILE"
    entry: dict[str, Any] = found["profiles"]["cifar10_fast"]
    return entry


def test_a_second_seed_stands_beside_the_first(tmp_path: Path) -> None:
    """A recipe's seeds are one entry; another recipe of the same name begins anew, and the same seed again replaces itself."""
    path, machine = tmp_path / "result.json", {"device": "cpu"}

    def write(seed: int, accuracy: float, lr: float = 0.1) -> dict[str, Any]:
        entry = {"settings": {"lr": lr, "plan": (3, 1)}, "seeds": [seed], "accuracy": accuracy, "T": 4, "operations": {"synops": 1.0}}
        _static.write(path, "cifar10_fast", entry, [{"wall_min": 2.0, "cpu_min": 3.0}], machine)
        return entry_of(path)

    write(0, 0.90)
    write(2, 0.92)
    found = write(1, 0.91)
    assert found["accuracy"] == 0.90 and found["seeds"] == [0] and list(found["others"]) == ["1", "2"]
    assert found["others"]["1"] == {"T": 4, "accuracy": 0.91, "wall_min": 2.0, "cpu_min": 3.0, "machine": machine}
    again = write(0, 0.95)
    assert again["accuracy"] == 0.95 and again["others"] == found["others"]
    assert write(1, 0.93)["others"]["1"]["accuracy"] == 0.93
    new = write(1, 0.80, lr=0.2)
    assert new["accuracy"] == 0.80 and "others" not in new


def test_from_images_to_record(chosen: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cifar10.main(chosen, 0, tmp_path / "result.json", tmp_path / "kept")
    entry = entry_of(tmp_path / "result.json")
    assert entry["n"] == {"train": 64, "val": 16, "test": 20} and entry["seeds"] == [0]
    assert [(point["epoch"], point["T"]) for point in entry["curve"]] == [(0, 1), (1, 1), (2, 2)]
    assert entry["test"].keys() == {"chosen", "last"} and entry["test"]["chosen"].keys() == {"2", "4"}
    assert entry["accuracy"] == entry["test"]["chosen"][str(entry["T"])] and 0 < entry["cpu_min"] < entry["budget_cpu_min"] == 120
    best = max(entry["val"]["chosen"].values())
    assert entry["T"] == min(int(T) for T, value in entry["val"]["chosen"].items() if value == best)
    kinds = {name: part["input"] for name, part in entry["operations"]["layers"].items()}
    assert {name for name, kind in kinds.items() if kind != "binary"} <= {"stem_conv.0", "stem_conv.1", "head"}
    dense = entry["operations"]["twin_dense_macs"]
    assert entry["operations"]["twin_dense_energy_pj"]["fp32"] == pytest.approx(4.6 * dense)
    assert capsys.readouterr().out.count("epoch ") == 3
    kept = load(tmp_path / "kept/cifar10_fast-seed0/chosen.safetensors")
    assert kept.card.time_steps == entry["T"] == kept.card.model_args["time_steps"]
    cifar10.main(chosen, 0, tmp_path / "again.json", tmp_path / "kept")  # the state is kept: only the test is done anew
    assert entry_of(tmp_path / "again.json") == entry and "epoch" not in capsys.readouterr().out


def test_a_guide_comes_first_and_is_part_of_the_time(chosen: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guide = replace(chosen.p1_fast.guide, epochs=2, lr=0.2)
    asked = replace(chosen, p1_fast=replace(chosen.p1_fast, guide=guide))
    cifar10.main(asked, 0, tmp_path / "result.json", tmp_path / "kept")
    entry = entry_of(tmp_path / "result.json")
    seen = [(point["epoch"], point["who"], point["T"]) for point in entry["curve"]]
    assert seen == [(0, "twin", 1), (1, "twin", 1), (2, "network", 1), (3, "network", 1), (4, "network", 2)]
    assert entry["cpu_min"] == entry["curve"][-1]["cpu_min"] > entry["curve"][1]["cpu_min"] > 0
    assert "epoch 5/5, network, T=2" in capsys.readouterr().out
    twin, images = load(tmp_path / "kept/cifar10_fast-seed0/twin.safetensors"), samples(SPLITS.test)
    assert twin.card.twin and [one.name for one in twin.card.transforms] == ["train"]
    right = predict(twin.build()(images.batch(torch.arange(20))[0])) == images.y_N
    assert entry["twin"]["accuracy"] == pytest.approx(float(right.float().mean()))
    spent = entry["operations"]["energy_pj"]["fp32"]
    assert entry["twin"]["ratio_ann_zero_skip"]["fp32"] * spent == pytest.approx(entry["twin"]["energy_pj"]["fp32"])
    assert entry["twin"]["energy_pj"]["fp32"] < entry["operations"]["twin_dense_energy_pj"]["fp32"]
    (tmp_path / "kept/cifar10_fast-seed0/training.pt").unlink()  # the twin is kept, the network's training begins anew: the same bits
    cifar10.main(asked, 0, tmp_path / "again.json", tmp_path / "kept")
    assert {k: entry_of(tmp_path / "again.json")[k] for k in ("test", "val")} == {k: entry[k] for k in ("test", "val")}


def test_another_guide_is_another_training(chosen: Config, tmp_path: Path) -> None:
    found = []
    for weight in (1.0, 50.0):
        asked = replace(chosen, p1_fast=replace(chosen.p1_fast, guide=replace(chosen.p1_fast.guide, epochs=1, weight=weight, quantile=0.3)))
        cifar10.main(asked, 0, tmp_path / "result.json", tmp_path / "kept")
        found.append(load(tmp_path / "kept/cifar10_fast-seed0/chosen.safetensors"))
    assert not torch.equal(found[0].state["head.weight"], found[1].state["head.weight"])
    assert found[1].card.transforms[-1].args["guide"]["weight"] == 50.0  # it says so
    (tmp_path / "kept/cifar10_fast-seed0/twin.pt").unlink()  # all minutes are counted anew
    cifar10.main(asked, 0, tmp_path / "result.json", tmp_path / "kept")
    assert [point["epoch"] for point in entry_of(tmp_path / "result.json")["curve"]] == [0, 1, 2, 3]


def test_the_network_starts_as_its_twin_and_is_pulled_towards_it(chosen: Config, tmp_path: Path) -> None:
    model = _static.network(chosen.p1_fast.train, SPLITS.train, 1)
    initialise(model, torch.Generator().manual_seed(1))
    train, val = samples(SPLITS.train), samples(SPLITS.val)
    asked, heard = replace(chosen.p1_fast, guide=Guide(epochs=2, lr=0.2, weight=3.0, temperature=1.0)), []
    for module in model.modules():
        if isinstance(module, LIF):
            module.v_threshold = 1.0  # so that a ReLU network with its weights is the twin
    rules: dict[str, Any] = {"generator": torch.Generator().manual_seed(0), "resume": tmp_path / "twin.pt"}
    guide = trained_twin(model, train, val, asked, report=lambda epoch, _: heard.append(epoch), **rules)
    with guided(model, guide, train, asked) as pull:
        twin = ann_twin(model)
        twin.load_state_dict({name: value for name, value in model.state_dict().items() if name in twin.state_dict()})
        x_TNCHW = train.batch(torch.arange(8))[0]
        answer_NK = model.eval()(x_TNCHW).mean(0)
        with torch.no_grad():
            target_NK = twin.eval()(x_TNCHW).mean(0).softmax(-1)
        wanted = 3 * (target_NK * (target_NK.log() - answer_NK.log_softmax(-1))).sum(-1).mean()
        torch.testing.assert_close(pull(0), wanted, rtol=1e-2, atol=1e-4)  # theta scales the norms, but not their eps
    assert heard == [0, 1]


def test_the_test_images_move_nothing(chosen: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other test images and labels: the same curve, T and epoch."""
    cifar10.main(chosen, 0, tmp_path / "a.json", tmp_path / "a")
    monkeypatch.setattr(cifar10, "frames_of", lambda _chosen: Splits(train=SPLITS.train, val=SPLITS.val, test=split(20, "test", 9)))
    cifar10.main(chosen, 0, tmp_path / "b.json", tmp_path / "b")
    a, b = (entry_of(tmp_path / name) for name in ("a.json", "b.json"))
    assert [p["val"] for p in a["curve"]] == [p["val"] for p in b["curve"]]
    assert all(a[key] == b[key] for key in ("T", "chosen_epoch", "val"))


def test_accuracies_by_hand() -> None:
    """Two classes, three samples, two steps: the second step turns the first sample's answer."""
    logits_TNK = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[0.0, 3.0], [0.0, 1.0], [1.0, 0.0]]])
    assert _static.accuracies_of(logits_TNK, torch.tensor([1, 1, 1]), [1, 2]) == {"1": pytest.approx(1 / 3), "2": pytest.approx(2 / 3)}


def test_logits_of_mirror_images() -> None:
    model = _static.network(replace_width(), SPLITS.train, 2)
    x_NTCHW = torch.from_numpy(SPLITS.test.x_TNCHW).transpose(0, 1)
    y_N = torch.from_numpy(SPLITS.test.y_N)
    plain, mirrored = (Samples(x_NTCHW=x, y_N=y_N, scale=255.0) for x in (x_NTCHW, x_NTCHW.flip(-1)))
    assert torch.equal(_static.logits_of(model, plain, flip=True), _static.logits_of(model, mirrored))


def replace_width() -> config.Train:
    return config.Train(model="spiking_airnet", neuron="lif", epochs=2, model_args={"width": 2, "neuron_args": {"v_threshold": 0.2}})
