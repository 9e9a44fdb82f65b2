"""Checkpoints: round trip, equal bytes, and every file that is none."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from snn5.checkpoint import FORMAT, Card, Checkpoint, Transform, load, of, save
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise

ARGUMENTS: dict[str, Any] = {"in_channels": 1, "num_classes": 3, "image_size": 8, "time_steps": 2, "neuron": "plif", "width": 2}


def model(seed: int = 0, **overrides: Any) -> SpikingModel:
    made = create_model("sew_resnet8", **(ARGUMENTS | overrides))
    initialise(made, torch.Generator().manual_seed(seed))
    return made


def card(**changes: Any) -> Card:
    return replace(Card(model="sew_resnet8", model_args=ARGUMENTS, dataset="digits", time_steps=2, neuron="plif"), **changes)


def full() -> Checkpoint:
    """Every entry of the card used."""
    history = [Transform(name="train", args={"seed": 1, "lr": 1e-3, "none": None}, parents={"data/x": "0f"}), Transform(name="sparsify")]
    return of(
        model(),
        card(
            preprocessing={"scale": 16},
            quantisation={"weights": 4},
            masks=["blocks.0"],
            cutoff={"rule": "gap", "thresholds": [0.5, 0.1 + 0.2]},
            transforms=history,
        ),
    )


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype and a[k].shape == b[k].shape for k in a)


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file at `path` with another card."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    raw = json.loads(header["__metadata__"]["snn5"])
    change(raw)
    path.write_bytes(to_bytes(from_bytes(data), metadata={"snn5": json.dumps(raw)}))
    return path


# --- round trip


def test_round_trip(tmp_path: Path) -> None:
    save(full(), tmp_path / "a" / "c.safetensors")
    found = load(tmp_path / "a" / "c.safetensors")
    assert found.card == full().card and same(found.state, full().state)


def test_equal_checkpoints_are_equal_bytes(tmp_path: Path) -> None:
    first = full()
    shuffled = Checkpoint(card=replace(first.card, model_args=dict(reversed(ARGUMENTS.items()))), state=dict(reversed(first.state.items())))
    transposed = {k: v.transpose(0, 1).contiguous().transpose(0, 1) if v.ndim == 4 else v for k, v in first.state.items()}
    for name, made in (("a", first), ("b", full()), ("c", shuffled), ("d", Checkpoint(card=first.card, state=transposed))):
        save(made, tmp_path / name)
    data = (tmp_path / "a").read_bytes()
    assert all((tmp_path / name).read_bytes() == data for name in "bcd")
    save(load(tmp_path / "a"), tmp_path / "e")
    assert (tmp_path / "e").read_bytes() == data


def test_other_checkpoints_are_other_bytes(tmp_path: Path) -> None:
    save(full(), tmp_path / "a")
    save(of(model(seed=1), full().card), tmp_path / "b")
    save(of(model(), replace(full().card, dataset="other")), tmp_path / "c")
    assert len({(tmp_path / name).read_bytes() for name in "abc"}) == 3


def test_the_file_holds_no_code_and_no_place(tmp_path: Path) -> None:
    save(full(), tmp_path / "c")
    data = (tmp_path / "c").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["snn5"]
    assert json.loads(header["__metadata__"]["snn5"])["format"] == FORMAT
    assert str(tmp_path).encode() not in data


def test_build_gives_the_network_back(tmp_path: Path) -> None:
    source = model(seed=4)
    x_TNCHW = torch.rand(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        source(x_TNCHW)  # moves the running statistics
    save(of(source, card()), tmp_path / "c")
    built = load(tmp_path / "c", model="sew_resnet8").build()
    assert not built.training
    assert torch.equal(built(x_TNCHW), source.eval()(x_TNCHW)) and same(built.state_dict(), source.state_dict())


def test_a_twin_is_built_as_one() -> None:
    twin = ann_twin(model(seed=4))
    built = of(twin, card(twin=True)).build()
    assert isinstance(built, SpikingModel) and built.is_twin and same(built.state_dict(), twin.state_dict())


def test_of_takes_a_copy() -> None:
    source = model()
    taken = of(source, card())
    before = {k: v.clone() for k, v in taken.state.items()}
    for p in source.parameters():
        p.data.add_(1.0)
    assert same(taken.state, before) and not any(v.requires_grad for v in taken.state.values())


def test_build_takes_a_copy() -> None:
    source = full()
    before = {k: v.clone() for k, v in source.state.items()}
    for p in source.build().parameters():
        p.data.add_(1.0)
    assert same(source.state, before)


def test_after_extends_the_history_and_leaves_the_original() -> None:
    first, other = full(), model(seed=9)
    step = Transform(name="prune", args={"share": 0.5}, parents={"p": "1"})
    made = first.after(step, other, masks=["head"], cutoff=None)
    assert made.card == replace(first.card, masks=["head"], cutoff=None, transforms=[*first.card.transforms, step])
    assert same(made.state, other.state_dict()) and not same(made.state, first.state)
    assert len(first.card.transforms) == 2 and first.card.masks == ["blocks.0"]
    assert same(first.after(step).state, first.state)
    other.head.weight.data.add_(1.0)
    assert not torch.equal(made.state["head.weight"], other.head.weight)


# --- files that are none


def test_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "x.safetensors", tmp_path):
        with pytest.raises(UserError, match=r"checkpoint .* is missing; make it with `dvc repro`, or fetch it with `dvc pull`"):
            load(path)


@pytest.mark.parametrize("keep", [0, 7, 100, -1, -1000])
def test_truncated(tmp_path: Path, keep: int) -> None:
    save(full(), tmp_path / "c")
    data = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(data[:keep])
    with pytest.raises(UserError, match=r"checkpoint .*/c is corrupt \(.*\); delete it and run `dvc repro` or `dvc checkout`"):
        load(tmp_path / "c")


@pytest.mark.parametrize("data", [b"not a checkpoint at all", b"\x80\x04" * 50, b"{}" * 20, bytes(64)])
def test_something_else(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(UserError, match=r"checkpoint .*/c is corrupt"):
        load(tmp_path / "c")


def test_safetensors_of_others(tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}):
        (tmp_path / "c").write_bytes(to_bytes({"w": torch.zeros(2)}, metadata=metadata))
        with pytest.raises(UserError, match=r"/c is a safetensors file without an SNN5 card; pass a checkpoint that SNN5 wrote"):
            load(tmp_path / "c")


def test_a_card_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(to_bytes({"w": torch.zeros(2)}, metadata={"snn5": "{"}))
    with pytest.raises(UserError, match="is corrupt"):
        load(tmp_path / "c")


@pytest.mark.parametrize("number", [FORMAT + 1, None, "1"])
def test_another_format(tmp_path: Path, number: Any) -> None:
    save(full(), tmp_path / "c")
    with pytest.raises(UserError, match=rf"checkpoint .*/c is of another format than {FORMAT}; make it again with this version of SNN5"):
        load(rewritten(tmp_path / "c", lambda raw: raw.update(format=number)))


def test_a_card_of_a_later_version(tmp_path: Path) -> None:
    save(full(), tmp_path / "c")
    with pytest.raises(UserError, match=r"has card entries this version does not know: delays, zoo; update SNN5"):
        load(rewritten(tmp_path / "c", lambda raw: raw.update(zoo=1, delays=[])))


def test_another_model(tmp_path: Path) -> None:
    save(full(), tmp_path / "c")
    with pytest.raises(UserError, match=r"/c is of model 'sew_resnet8', not 'sew_resnet20'; pass a checkpoint of 'sew_resnet20'"):
        load(tmp_path / "c", model="sew_resnet20")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 4}, r"these weights do not fit 'sew_resnet8' \(\d+ tensors differ; blocks\.0\.\S+: model \(4, .*\), file \(2, .*\)"),
        (
            {"num_classes": 5},
            r"\(2 tensors differ; head\.bias: model \(5,\), file \(3,\), head\.weight: .*\); load the checkpoint of that model",
        ),
        ({"neuron": "lif"}, r"\(9 tensors differ; blocks\.0\.branch\.1\.w: model absent, file \(\)"),
    ],
)
def test_weights_of_another_network(arguments: dict[str, Any], said: str) -> None:
    source = full()
    with pytest.raises(UserError, match=said):
        replace(source, card=replace(source.card, model_args=ARGUMENTS | arguments)).build()


def test_a_missing_tensor_is_named() -> None:
    source = full()
    state = {k: v for k, v in source.state.items() if k != "head.bias"}
    with pytest.raises(UserError, match=r"\(1 tensors differ; head\.bias: model \(3,\), file absent\)"):
        replace(source, state=state).build()


def test_an_architecture_that_nobody_registered() -> None:
    source = full()
    with pytest.raises(UserError, match="unknown model 'sew_resnet9'; did you mean sew_resnet8"):
        replace(source, card=replace(source.card, model="sew_resnet9")).build()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(full(), tmp_path / "c")
    before = (tmp_path / "c").read_bytes()

    def fail(*_a: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snn5.files.os.fsync", fail)
    with pytest.raises(UserError, match=r"could not write .*/c: No space left on device"):
        save(of(model(seed=1), card()), tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["c"]


def test_a_card_with_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(of(model(), card(cutoff={"thresholds": [math.nan]})), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def _drop(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda raw: raw.pop(name)


@pytest.mark.parametrize(
    "change",
    [
        _drop("model"),
        _drop("transforms"),
        lambda raw: raw.update(transforms=[{"name": "train", "speed": 1}]),
        lambda raw: raw.update(transforms=None),
    ],
)
def test_a_damaged_card(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    save(full(), tmp_path / "c")
    with pytest.raises(UserError, match="/c"):
        load(rewritten(tmp_path / "c", change))


@pytest.mark.parametrize("text", ["[]", "3", '"x"'])
def test_a_card_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "c").write_bytes(to_bytes({"w": torch.zeros(2)}, metadata={"snn5": text}))
    with pytest.raises(UserError, match="/c"):
        load(tmp_path / "c")
