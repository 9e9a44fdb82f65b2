"""What every registered model promises its users: names, errors (G12), twins, random numbers, checkpoints, evaluation."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import (
    ARCHITECTURES,
    CASES,
    IMAGENET_DEPTHS,
    REPEATS,
    SMALL,
    C,
    Case,
    K,
    N,
    T,
    alive,
    every_architecture,
    every_case,
    every_model,
    lively,
    neurons_of,
    small,
)
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.checkpoint import Card, load, of, save
from snn5.errors import UserError
from snn5.models import SpikingModel, ann_twin, create_model, initialise, list_models, predict
from snn5.neurons import NEURONS
from snn5.training import Samples, evaluate

PROMISED = {
    *(f"{kind}_resnet{d}" for kind in ("sew", "spiking") for d in (*IMAGENET_DEPTHS, 20, 56, 110)),
    *("sew_7b", "sew_wide_7b"),
    *(f"spikingformer_{size}{cml}" for size in ("4_256", "2_384", "4_384", "dvs_2_256") for cml in ("", "_cml")),
    *("hsvt_tiny", "hsvt_small", "hsvt_base", "ms_resnet18", "dta_ms_resnet18", "staa_resnet19", "glif_resnet18", "spiking_ssm"),
}


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def differ(a: dict[str, Tensor], b: dict[str, Tensor]) -> set[str]:
    assert a.keys() == b.keys()
    return {name for name in a if not torch.equal(a[name], b[name])}


@pytest.mark.parametrize("name", list_models())
def test_every_registered_model_has_a_small_one(name: str) -> None:
    assert small(name) is SMALL[name]


def test_a_model_without_a_small_one_is_named() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"'resnet_of_tomorrow' has no entry in tests/models/small_models\.py"):
        small("resnet_of_tomorrow")


def test_the_names_of_the_design_are_there_and_no_entry_is_left_over() -> None:
    assert set(list_models()) >= PROMISED
    assert set(SMALL) == set(list_models())
    assert set(SMALL) >= REPEATS and {SMALL[c.name].family for c in ARCHITECTURES} == {s.family for s in SMALL.values()}
    assert set(NEURONS) >= {"lif", "plif", "if", "glif", "dynamic_glif", "adaptive_lif"}


# --- G12: options that do nothing do not exist


@pytest.mark.parametrize("option", ["drop_path", "attn_drop", "qkv_bias", "widht"])
@every_model
def test_g12_an_unknown_option_fails_and_is_named(case: Case, option: str) -> None:
    with pytest.raises(UserError, match=f"'{option}'.*{case.name}"):
        case.make(**{option: 0.1})


@every_model
def test_g12_an_unknown_option_of_the_neuron_fails_and_is_named(case: Case) -> None:
    with pytest.raises(UserError, match="'leek'"):
        case.make(neuron_args={"leek": 0.5})


def test_options_do_something() -> None:
    """Each override of the variants changes what the network answers, or its size."""
    for case in (c for c in CASES if c.variant and not c.variant.startswith("image")):
        plain, changed = (replace(case, small=s).make() for s in (SMALL[case.name], case.small))
        x = case.images()
        alive(plain, x), alive(changed, x)
        with torch.no_grad():
            assert not torch.equal(plain(x), changed(x)), case.id


# --- twins


@every_case
def test_the_twin_runs_and_keeps_no_potential(case: Case) -> None:
    """ReLU for each neuron, T = 1: events averaged over time, one row of logits."""
    model = case.make()
    twin = ann_twin(model)
    x_TNCHW = case.images()
    assert neurons_of(model) and not neurons_of(twin) and twin.is_twin and not model.is_twin
    relus = sum(isinstance(m, nn.ReLU) for m in twin.modules())
    assert relus >= len(neurons_of(model))
    alive(twin, x_TNCHW)
    with torch.no_grad():
        logits_TNK = twin(x_TNCHW)
        assert logits_TNK.shape == (1, N, K) and logits_TNK.isfinite().all() and logits_TNK.std(1).min() > 0
        assert torch.equal(twin(x_TNCHW), logits_TNK)
        torch.testing.assert_close(twin(x_TNCHW.mean(0, keepdim=True)), logits_TNK)
    twin.train()(x_TNCHW).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in twin.parameters())


# --- random numbers


@every_model
def test_create_model_leaves_the_callers_random_state_alone(case: Case) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = state(case.make())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert differ(first, state(case.make())) == set()


# Convolutions that start by handing all their inputs on, or as many as they have outputs: nothing is left to draw.
IDENTITIES = {"airnet": re.compile(r"(stem_conv\.[01]|blocks\.(0\.2|1\.3|2\.0|2\.3)\.0)\.weight")}
NOTHING = re.compile(r"(?!)")


@every_case
def test_initialise_draws_every_parameter_from_its_generator_alone(case: Case) -> None:
    """Poisoned with NaN before: what keeps it was forgotten. What differs between seeds was drawn."""
    drawn = []
    for seed, other in ((1, 7), (1, 8), (2, 7)):
        model = case.make()
        with torch.no_grad():
            for p in model.parameters():
                p.fill_(torch.nan)
        torch.manual_seed(other)
        before = torch.get_rng_state()
        initialise(model, torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), before)
        assert [name for name, p in model.named_parameters() if not p.isfinite().all()] == []
        drawn.append(state(model))
    same, others = differ(drawn[0], drawn[1]), differ(drawn[0], drawn[2])
    assert same == set()
    weights = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)}
    identities = {name for name in weights if IDENTITIES.get(case.small.family, NOTHING).fullmatch(name)}
    if case.make().arguments.get("joined"):
        identities.remove("stem_conv.0.weight")  # its first filters only
    assert weights - others == identities


def test_a_parameter_that_initialise_cannot_reach_is_noticed() -> None:
    """The test above would see it: a bare parameter without `reset_parameters` keeps its NaN."""
    model = nn.Module()
    model.bare = nn.Parameter(torch.full((2,), torch.nan))
    initialise(model, torch.Generator().manual_seed(0))
    assert model.bare.isnan().all()


# --- checkpoints and evaluation


def card_of(model: SpikingModel) -> Card:
    args = model.arguments
    return Card(model=model.name, model_args=args, dataset="noise", time_steps=T, neuron=args["neuron"])


@every_architecture
def test_a_checkpoint_gives_the_same_network_back(case: Case, tmp_path: Path) -> None:
    model, x_TNCHW = lively(case)
    functional.reset_net(model)
    save(of(model, card_of(model)), tmp_path / "a.safetensors")
    save(of(model, card_of(model)), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load(tmp_path / "a.safetensors", case.name)
    again = loaded.build()
    assert differ(state(model), state(again)) == set() and not again.training
    with torch.no_grad():
        assert torch.equal(again(x_TNCHW), model(x_TNCHW))


@every_architecture
def test_a_twins_checkpoint_gives_the_same_twin_back(case: Case, tmp_path: Path) -> None:
    x_TNCHW, model = case.images(), case.make()
    twin = alive(ann_twin(model), x_TNCHW)
    card = replace(card_of(model), twin=True, neuron="relu", time_steps=1)
    save(of(twin, card), tmp_path / "twin.safetensors")
    again = load(tmp_path / "twin.safetensors").build()
    with torch.no_grad():
        assert torch.equal(again(x_TNCHW), twin(x_TNCHW))


@every_model
def test_evaluate_and_predict(case: Case) -> None:
    """One class per sample, whatever the size of the batches; a rate for each neuron layer, between 0 and 1."""
    x_TNCHW = (case.images(samples=6) * 100).byte()
    model = alive(case.make(), x_TNCHW.float() / 100)
    with torch.no_grad():
        model.head.bias -= model(x_TNCHW.float() / 100).mean((0, 1))  # so that not all samples get one class
    data = Samples(x_NTCHW=x_TNCHW.transpose(0, 1).contiguous(), y_N=torch.arange(6) % K, scale=100.0)
    result: Any = evaluate(model, data)
    with torch.no_grad():
        expected = predict(model(x_TNCHW.float() / 100))
    assert len(set(expected.tolist())) > 1
    assert torch.equal(result.prediction_N, expected) and expected.shape == (6,)
    assert result.n == 6 and result.accuracy == int((expected == data.y_N).sum()) / 6 and result.loss > 0
    assert result.rates.keys() >= neurons_of(model).keys() and all(0 <= r <= 1 for r in result.rates.values())
    assert torch.equal(evaluate(model, data, batch_size=4).prediction_N, expected)


def test_create_model_names_an_unknown_model() -> None:
    with pytest.raises(UserError, match=r"unknown model 'sew_resnet19'.*sew_resnet1"):
        create_model("sew_resnet19", in_channels=C, num_classes=K, image_size=8, time_steps=T)
