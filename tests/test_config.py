"""params.yaml: what is read, what is laid over it, and what is refused with a remedy."""

import copy
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from snn5.config import Config, Cutoff, Liquid, Neurons, Sparsity, Train, load, profiles
from snn5.errors import UserError

ROOT = Path(__file__).parents[1]
REAL: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
Change = Callable[[dict[str, Any]], Any]


def changed(tmp_path: Path, change: Change, profile: str | None = None) -> Config:
    """The repository's own settings after `change`."""
    raw = copy.deepcopy(REAL)
    change(raw)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return load(tmp_path / "params.yaml", profile)


def at(path: str, value: Any) -> Change:
    """Set `value` at the dotted path."""

    def change(raw: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            raw = raw[key]
        raw[last] = value

    return change


def without(path: str) -> Change:
    def change(raw: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            raw = raw[key]
        del raw[last]

    return change


# --- what is read


def test_the_repositorys_settings() -> None:
    config = load(ROOT / "params.yaml")
    assert config.profile == "default" and config.seeds == [0, 1, 2]
    assert (config.data.frames.dataset, config.data.frames.time_steps) == ("digits", 4)
    assert config.p1.frames.model_args == {"width": 32} and config.p1.frames.lr == 4e-3
    assert config.data.frames.camera.sensor == 16


@pytest.mark.parametrize("name", sorted(REAL["profiles"]))
def test_every_profile_is_valid(name: str) -> None:
    assert load(ROOT / "params.yaml", name).profile == name


def test_settings_cannot_be_written_to() -> None:
    with pytest.raises(FrozenInstanceError):
        load(ROOT / "params.yaml").profile = "x"  # type: ignore[misc]


def test_a_whole_number_serves_as_a_float_but_not_the_reverse(tmp_path: Path) -> None:
    found = changed(tmp_path, at("p1.frames.lr", 1)).p1.frames.lr
    assert found == 1.0 and isinstance(found, float)
    with pytest.raises(UserError, match=r"p1\.frames\.epochs=3\.0: need int, got float$"):
        changed(tmp_path, at("p1.frames.epochs", 3.0))


def test_none_only_where_it_is_allowed(tmp_path: Path) -> None:
    assert changed(tmp_path, at("p8.trace_ms", None)).p8.trace_ms is None
    assert changed(tmp_path, at("p8.trace_ms", 20)).p8.trace_ms == 20.0
    with pytest.raises(UserError, match=r"p8\.bins=None: need int, got NoneType"):
        changed(tmp_path, at("p8.bins", None))
    with pytest.raises(UserError, match=r"p8\.trace_ms=0\.01: need a value from 0\.1 to"):
        changed(tmp_path, at("p8.trace_ms", 0.01))


# --- profiles


def test_a_profile_is_laid_over_the_common_settings(tmp_path: Path) -> None:
    top = {"data": {"frames": {"time_steps": 9}}, "seeds": [7], "p1": {"events": {"model": "sew_resnet20"}}}
    config = changed(tmp_path, at("profiles.mine", top), "mine")
    assert config.profile == "mine" and config.seeds == [7]
    assert (config.data.frames.time_steps, config.data.frames.dataset) == (9, "digits")
    assert (config.p1.events.model, config.p1.events.epochs) == ("sew_resnet20", 10)
    assert config.p1.frames.model == "sew_resnet8"
    assert changed(tmp_path, lambda raw: None).data.frames.time_steps == 4


def test_a_profile_replaces_model_args_whole(tmp_path: Path) -> None:
    """Arguments belong to one architecture; a mixture of two would fit neither."""
    top = {"p1": {"events": {"model_args": {"connect": "iand"}}}}
    assert changed(tmp_path, at("profiles.mine", top), "mine").p1.events.model_args == {"connect": "iand"}


def test_the_file_names_its_profile_and_an_argument_overrules_it(tmp_path: Path) -> None:
    def two(raw: dict[str, Any]) -> None:
        raw["profiles"] |= {"a": {"seeds": [1]}, "b": {"seeds": [2]}}
        raw["profile"] = "a"

    assert changed(tmp_path, two).seeds == [1]
    assert changed(tmp_path, two, "b").seeds == [2] and changed(tmp_path, two, "b").profile == "b"


def test_unknown_profile_names_the_closest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown profile 'cifar1'; did you mean .*cifar10.* \(set `profile` in .*params\.yaml\)"):
        changed(tmp_path, lambda raw: None, "cifar1")


def test_a_profile_with_a_mistake_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"p1\.frames\.epochs='many': need int, got str"):
        changed(tmp_path, at("profiles.mine", {"p1": {"frames": {"epochs": "many"}}}), "mine")


def test_names_of_profiles() -> None:
    assert profiles(ROOT / "params.yaml") == sorted(REAL["profiles"])


# --- refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("seed", [0]), r"unknown key 'seed'; did you mean seeds\? in .*params\.yaml; remove it or correct its name"),
        (
            at("p1.frames.epoch", 3),
            r"unknown key 'epoch'; did you mean epochs, guard_epochs, warmup_epochs\? in .*params\.yaml: p1\.frames; remove it or",
        ),
        (at("data.frames.camera", {"contrst": 0.3}), r"unknown key 'contrst'; did you mean contrast\? in .*: data\.frames\.camera"),
        (at("p1.frames.1", 3), r"unknown key '1'; known: batch_size"),
        (at("p1.frames.epochs", "3"), r"params\.yaml: p1\.frames\.epochs='3': need int, got str$"),
        (at("p1.frames.epochs", True), r"p1\.frames\.epochs=True: need int, got bool"),
        (at("p1.frames.model", 8), r"p1\.frames\.model=8: need str, got int"),
        (at("p1.frames.lr", "1e-3"), r"p1\.frames\.lr='1e-3': need float, got str \(YAML reads 1e-3 as text: write 1\.0e-3\)"),
        (at("p1.frames.model_args", None), r"p1\.frames\.model_args=None: need a mapping"),
        (at("p1", None), r"p1=None: need a mapping of settings"),
        (at("p1.frames", [1]), r"p1\.frames=\[1\]: need a mapping of settings"),
        (at("seeds", "012"), r"seeds='012': need a list"),
        (at("seeds", [0, "1"]), r"seeds\[1\]='1': need int, got str"),
        (at("data.frames.time_steps", 0), r"data\.frames\.time_steps=0: need a value from 1 to 1000"),
        (at("data.frames.time_steps", 1001), r"time_steps=1001: need a value from 1 to 1000"),
        (at("data.frames.split_seed", -1), r"split_seed=-1: need a value from 0 to any"),
        (at("p1.frames.lr", math.nan), r"p1\.frames\.lr=nan: need a value from 1e-07 to 10\.0"),
        (at("p1.frames.lr", math.inf), r"p1\.frames\.lr=inf: need a value"),
        (at("p1.frames.optimizer", "adam"), r"p1\.frames\.optimizer='adam': need one of adamw, sgd"),
        (at("p1.frames.loss", "mse"), r"p1\.frames\.loss='mse': need one of tet, rate"),
        (at("p6.data", "sounds"), r"p6\.data='sounds': need one of frames, events"),
        (without("seeds"), r"params\.yaml: seeds is missing; add it"),
        (without("p1.frames.model"), r"params\.yaml: p1\.frames\.model is missing; add it"),
        (without("p4.strengths"), r"params\.yaml: p4\.strengths is missing; add it"),
    ],
)
def test_unknown_wrong_or_out_of_range(tmp_path: Path, change: Change, said: str) -> None:
    with pytest.raises(UserError, match=said):
        changed(tmp_path, change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("p1.frames.warmup_epochs", 15), r"p1\.frames: warmup_epochs=15 needs more epochs than epochs=15; lower it"),
        (at("data.frames.val_fraction", 0.45), None),
        (
            lambda raw: raw["data"]["frames"].update(val_fraction=0.4, test_fraction=0.5),
            r"data\.frames: val_fraction=0\.4 and test_fraction=0\.5 leave less than 20 % to train; lower one of them",
        ),
        (at("seeds", []), r"seeds=\[\]; need at least one seed, all different, none negative"),
        (at("seeds", [1, 1]), r"seeds=\[1, 1\]; need"),
        (at("seeds", [-1]), r"seeds=\[-1\]; need"),
        (at("p2_neurons.taus", [2.0, 1.0]), r"p2_neurons: taus=\[2\.0, 1\.0\]; need at least one value, each above 1"),
        (at("p2_neurons.taus", []), r"taus=\[\]; need at least one value"),
        (at("p2_coding.quantiles", [0.0]), r"quantiles=\[0\.0\]; need at least one value, each above 0 up to 1"),
        (at("p2_coding.seeds", [3]), r"p2_coding: seeds=\[3\]; need at least two seeds"),
        (at("p4.strengths", [0.1, 0.0]), r"p4: strengths=\[0\.1, 0\.0\]; need at least one value, none negative, in rising order"),
        (at("p4_prune.sparsities", [0.5, 1.0]), r"p4_prune: sparsities=\[0\.5, 1\.0\]; need at least one value, each above 0 and below 1"),
        (at("p4.strengths", [-0.1]), r"strengths=\[-0\.1\]; need"),
        (at("p4_quantize.bits", [4, 1]), r"p4_quantize: bits=\[4, 1\]; need at least one width, each from 2 to 8"),
        (at("p4_quantize.bits", [4, 4]), r"bits=\[4, 4\]; need .* all different"),
        (at("p5.epsilons", [0.5, 1.1]), r"p5: epsilons=\[0\.5, 1\.1\]; need at least one value, each from 0 to 1"),
        (at("p8.odds", [0.5, 0.5]), r"p8: odds=\[0\.5, 0\.5\]; need four values from 0 to 1"),
        (lambda raw: raw["p8"].update(dt_ms=5.0, delay_ms=2.0), r"p8: delay_ms=2\.0 is less than one step of dt_ms=5\.0; raise it"),
    ],
)
def test_impossible_combinations(tmp_path: Path, change: Change, said: str | None) -> None:
    if said is None:
        changed(tmp_path, change)  # allowed: 45 % and 25 % leave 30 %
        return
    with pytest.raises(UserError, match=said):
        changed(tmp_path, change)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"params\.yaml is missing; run from the checkout's root, or restore it with `git checkout"),
        (b"", r"params\.yaml must be a mapping of settings; it holds NoneType"),
        (b"- 1\n", r"params\.yaml must be a mapping of settings; it holds list"),
        (b"a: [1\n", r"params\.yaml is not valid YAML"),
        (b"a: \xff\n", r"params\.yaml is not valid YAML"),
    ],
)
def test_a_file_that_is_no_params(tmp_path: Path, text: bytes | None, said: str) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_bytes(text)
    with pytest.raises(UserError, match=said):
        load(tmp_path / "params.yaml")


def dataclasses_of(cls: type, place: str = "") -> list[tuple[str, type]]:
    found = [(place, cls)]
    for name, kind in get_type_hints(cls).items():
        if is_dataclass(kind):
            found += dataclasses_of(kind, f"{place}.{name}".lstrip("."))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("cls", sorted({cls for _, cls in dataclasses_of(Config)}, key=str))
def test_every_number_and_default_has_its_range(cls: type) -> None:
    """A number without bounds would let NaN, infinity and negative sizes in; a default outside its range could not be spelt out."""
    hints = get_type_hints(cls)
    for f in fields(cls):
        if hints[f.name] in (int, float):
            assert f.metadata.get("low") is not None, f"{cls.__name__}.{f.name}"
            assert hints[f.name] is int or f.metadata.get("high") is not None, f"{cls.__name__}.{f.name}"
            if isinstance(f.default, int | float):
                assert f.metadata["low"] <= f.default and (f.metadata["high"] is None or f.default <= f.metadata["high"])
        if f.metadata.get("among") and isinstance(f.default, str):
            assert f.default in f.metadata["among"]


def test_a_dataclass_made_in_code_checks_its_combinations_too() -> None:
    with pytest.raises(UserError, match="warmup_epochs=1 needs more epochs than epochs=1"):
        Train(model="m", epochs=1)
    with pytest.raises(UserError, match="odds"):
        Liquid(odds=[2.0, 0.0, 0.0, 0.0])


# --- what would fail, or overwrite, only after hours of training


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "place", ["p2_neurons.taus", "p4.strengths", "p4_prune.sparsities", "p5.epsilons", "p2_coding.quantiles", "p8.odds"]
)
def test_lists_take_no_nan(tmp_path: Path, place: str, bad: float) -> None:
    with pytest.raises(UserError, match=rf"{place}\[1\]=-?(nan|inf): need a finite number"):
        changed(tmp_path, at(place, [0.5, bad]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_lists_made_in_code_take_no_nan(bad: float) -> None:
    with pytest.raises(UserError, match="taus="):
        Neurons(taus=[2.0, bad], train=Train(model="m", epochs=2))
    with pytest.raises(UserError, match="strengths="):
        Sparsity(strengths=[0.0, bad], epochs=1)
    with pytest.raises(UserError, match="epsilons="):
        Cutoff(epsilons=[0.0, bad])


def test_arguments_of_a_model_take_no_nan(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"p1\.frames\.model_args\.neuron_args\.tau=nan: need a finite number"):
        changed(tmp_path, at("p1.frames.model_args", {"width": 8, "neuron_args": {"tau": math.nan}}))
    with pytest.raises(UserError, match=r"model_args\.sizes\[1\]=inf: need a finite number"):
        changed(tmp_path, at("p1.frames.model_args", {"sizes": [1.0, math.inf]}))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("p2_neurons.taus", [2.0, 2.0], "all different"),
        ("p2_neurons.taus", [2.0, 2.0000001], "all different"),  # both would be the run plif-tau2
        ("p4.strengths", [0.0, 0.1, 0.1], "none twice"),
        ("p4_prune.sparsities", [0.5, 0.9, 0.9], "all different"),
        ("p5.epsilons", [0.01, 0.0, 0.01], "all different"),
    ],
)
def test_lists_take_no_value_twice(tmp_path: Path, place: str, value: list[float], said: str) -> None:
    with pytest.raises(UserError, match=rf"{place.split('.')[1]}=\[.*{said}"):
        changed(tmp_path, at(place, value))


@pytest.mark.parametrize("section", ["p1.frames", "p1.events", "p2_neurons.train", "p2_coding"])
def test_batches_of_one(tmp_path: Path, section: str) -> None:
    with pytest.raises(UserError, match=rf"{section}\.batch_size=1: need a value from 2 to"):
        changed(tmp_path, at(f"{section}.batch_size", 1))
    changed(tmp_path, at(f"{section}.batch_size", 2))


def test_the_tuned_network_must_be_that_of_the_integration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"p3\.data=events but p6\.data=frames; P6 builds on the network that P3 tunes"):
        changed(tmp_path, at("p3.data", "events"))


@pytest.mark.parametrize("name", sorted(REAL["profiles"]))
def test_profiles_tune_what_they_integrate(name: str) -> None:
    config = load(ROOT / "params.yaml", name)
    top = REAL["profiles"][name]
    assert config.p3.data == config.p6.data == top.get("p6", {}).get("data", "frames")


def test_warm_up_must_fit_into_a_trial(tmp_path: Path) -> None:
    def change(slot: str, epochs: int) -> Change:
        def both(raw: dict[str, Any]) -> None:
            raw["p1"][slot]["warmup_epochs"] = 5
            raw["p3"]["max_epochs"] = epochs

        return both

    with pytest.raises(UserError, match=r"p3\.max_epochs=5 leaves a trial no epoch after p1\.frames\.warmup_epochs=5; raise max_epochs"):
        changed(tmp_path, change("frames", 5))
    changed(tmp_path, change("frames", 6))
    changed(tmp_path, change("events", 5))  # not the slot that is tuned


# --- malformed files


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("profile", ["a"]), r"params\.yaml: profile=\['a'\]: need the name of one profile"),
        (at("profile", 3), r"profile=3: need the name"),
        (at("profiles", ["default"]), r"profiles=\['default'\]: need a mapping"),
        (at("profiles", {"default": ["a"]}), r"profiles\.default=\['a'\]: need a mapping of settings"),
        (at("profiles", {1: {}}), r"profiles: the name 1 is no text"),
        (at("profiles", None), r"unknown profile 'default'; known: none"),
    ],
)
def test_profiles_of_another_shape(tmp_path: Path, change: Change, said: str) -> None:
    with pytest.raises(UserError, match=said):
        changed(tmp_path, change)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is missing"),
        ("a: [1\n", "is not valid YAML"),
        ("- 1\n", "must be a mapping"),
        ("a: 2024-13-01\n", "is not valid YAML"),
        ("profiles: [a]\n", r"profiles=\['a'\]: need a mapping"),
    ],
)
def test_names_of_profiles_of_no_file(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        profiles(tmp_path / "params.yaml")


def test_a_folder_is_no_params(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("extra", "key", "line"),
    [("seeds: [9]", "seeds", 1), ("extra: {lr: 1.0, b: 2, lr: 2.0}", "lr", 1), ("extra:\n  a: 1\n  a: 1", "a", 3)],
)
def test_a_key_twice(tmp_path: Path, extra: str, key: str, line: int) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8").rstrip() + "\n"
    (tmp_path / "params.yaml").write_text(text + extra + "\n", encoding="utf-8")
    said = rf"params\.yaml: the key '{key}' stands twice, again in line {text.count(chr(10)) + line}; remove one"
    with pytest.raises(UserError, match=said):
        load(tmp_path / "params.yaml")
    with pytest.raises(UserError, match=said):
        profiles(tmp_path / "params.yaml")


# --- nothing unseen


@pytest.mark.parametrize(("place", "cls"), dataclasses_of(Config), ids=lambda value: value or "top" if isinstance(value, str) else "")
def test_the_common_part_spells_every_setting_out(place: str, cls: type) -> None:
    """A default of the dataclasses that stands in no file would change results behind DVC's back."""
    raw = REAL
    for key in place.split(".") if place else []:
        raw = raw[key]
    assert {f.name for f in fields(cls)} == set(raw) - {"profiles"}
