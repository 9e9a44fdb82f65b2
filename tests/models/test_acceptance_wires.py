"""What travels on the wires (G4): each convolution, linear layer and product of activations sees spikes, counts or real numbers.

binary   0 or 1            integer   sums of spikes, 2 among them            float   anything else
"""

import re
from collections.abc import Callable

import pytest
import torch
from small_models import MODELS, C, Case, T, alive, every_case, lively, neurons_of
from torch import Tensor, nn

from snn5.benchmark import count_operations
from snn5.models import MatMul, SpikingModel

KINDS = ("binary", "integer", "float")
MULTIPLIES = (nn.Conv1d, nn.Conv2d, nn.Linear, MatMul)
ENDS = [(r"stem_conv\.0|head", "float")]  # the image, and the mean over pixels
Expected = list[tuple[str, str]]  # full match of a layer's name -> kind; the first that matches holds


def sew_resnet(args: dict[str, object]) -> Expected:
    """ADD sums spikes from the first block on; AND and IAND stay binary."""
    if args.get("connect", "add") != "add":
        return [*ENDS, (r"blocks\..*", "binary")]
    return [*ENDS, (r"blocks\.0\..*", "binary"), (r"blocks\.\d+\.(branch|shortcut)\.0\.0", "integer"), (r"blocks\..*", "binary")]


def sew_dvs(args: dict[str, object]) -> Expected:
    """As SEW-ResNet; the head is behind a flatten, not a mean. Wide-7B's sixth stage part is behind conv-BN-SN."""
    stem: Expected = [(r"stem_conv\.0", "float")]
    if args.get("connect", "add") != "add":
        return [*stem, (".*", "binary")]
    first = (r"stages\.0\..*", "binary")
    return [*stem, ("head", "integer"), first, (r"stages\.\d+\.(branch\.0\.)?0", "integer"), (".*", "binary")]


def spikingformer(_args: dict[str, object]) -> Expected:
    """Only stem and head see real numbers; q, k and v are spikes, and the second product has a sum of coincidences on one side."""
    return [*ENDS, (r".*\.attention\.outer", "integer"), (r"(tokenizer|blocks)\..*", "binary")]


def airnet(_args: dict[str, object]) -> Expected:
    """Two convolutions, the first of them fixed, before the first neuron."""
    return [(r"stem_conv\.1", "float"), *spikes_between_the_ends({})]


def token_attention(_args: dict[str, object]) -> Expected:
    """Sums of q's spikes go to neurons; the gate multiplies spikes."""
    return [*ENDS, (r"(tokenizer|blocks)\..*", "binary")]


def spikes_between_the_ends(_args: dict[str, object]) -> Expected:
    """A neuron behind each sum."""
    return [*ENDS, (r"blocks\..*", "binary")]


def mlp(_args: dict[str, object]) -> Expected:
    """No mean before the head."""
    return [(r"stem_conv\.0", "float"), (".*", "binary")]


def ms_resnet(_args: dict[str, object]) -> Expected:
    """Shortcuts carry the membrane's real numbers."""
    return [*ENDS, (r"blocks\.\d+\.shortcut\.0", "float"), (r"blocks\.\d+\.branch\..*", "binary")]


def dta(args: dict[str, object]) -> Expected:
    """Attention is real-valued; behind it all is as in MS-ResNet."""
    return [(r"dta\..*", "float"), *ms_resnet(args)]


def staa(args: dict[str, object]) -> Expected:
    """A block answers spikes times gates; the first block sees the stem's spikes, the head those of the hidden layer."""
    plain = args.get("attention") is False
    ends = [(r"stem_conv\.0|hidden\.0", "float"), ("head", "binary")]
    attention = [(r".*\.(context|steps)\..*", "float")]
    gated = [(r"blocks\.[1-9]\.branch\.0\.0|.*\.shortcut\.0", "binary" if plain else "float")]
    return [*ends, *([] if plain else attention), *gated, (r"blocks\..*", "binary")]


def hsvt(_args: dict[str, object]) -> Expected:
    """Attention, down-sampling and LSTM are real-valued; STFE's second convolution and spiking feed-forward layers see spikes."""
    return [(r".*\.cell\.read\.0|.*\.feed_forward\.[13]\.0", "binary"), (".*", "float")]


def spiking_ssm(_args: dict[str, object]) -> Expected:
    """A neuron behind each sum and behind the last block, so that the head sees spikes, too."""
    return [(r"stem_conv\.0", "float"), (r"blocks\.\d+\.mix|head", "binary")]


def spiking_tcn(_args: dict[str, object]) -> Expected:
    """Blocks sum spikes, as SEW-ResNet's do; the head sees the sum."""
    return [(r"stem_conv\.0", "float"), (r"blocks\.0\..*", "binary"), (r"blocks\..*|head", "integer")]


FAMILIES: dict[str, Callable[[dict[str, object]], Expected]] = {
    "sew_resnet": sew_resnet,
    "sew_dvs": sew_dvs,
    "mlp": mlp,
    "spiking_resnet": spikes_between_the_ends,
    "spikingformer": spikingformer,
    "spikingformer_qk": token_attention,
    "hsvt": hsvt,
    "ms_resnet": ms_resnet,
    "dta": dta,
    "staa": staa,
    "glif_resnet": spikes_between_the_ends,
    "spiking_ssm": spiking_ssm,
    "spiking_tcn": spiking_tcn,
    "airnet": airnet,
}


def table(model: SpikingModel, x_TNCHW: Tensor) -> dict[str, str]:
    """The kind of each layer's input; of a product, the wider of the two."""
    kinds: dict[str, str] = {}

    def kind(x: Tensor) -> str:
        if bool((x == x.round()).all()) and bool((x >= 0).all()):
            return "binary" if x.max() <= 1 else "integer"
        return "float"

    def note(name: str) -> Callable[..., None]:
        return lambda _module, inputs: kinds.__setitem__(name, max([kinds.get(name, "binary"), *map(kind, inputs)], key=KINDS.index))

    layers = {name: m for name, m in model.named_modules() if isinstance(m, MULTIPLIES)}
    handles = [m.register_forward_pre_hook(note(name)) for name, m in layers.items()]
    with torch.no_grad():
        model(x_TNCHW)
    for handle in handles:
        handle.remove()
    assert kinds.keys() == layers.keys()  # all of them ran
    return kinds


def expected(case: Case, names: list[str], **changes: object) -> dict[str, str]:
    assert case.small.family in FAMILIES, f"say in FAMILIES what the wires of {case.small.family!r} carry"
    rules = FAMILIES[case.small.family]({**case.small.args, **changes})
    return {name: next((kind for pattern, kind in rules if re.fullmatch(pattern, name)), "no rule") for name in names}


MADE: dict[str, tuple[SpikingModel, Tensor]] = {}  # nothing here changes a model


def sharp(case: Case) -> tuple[SpikingModel, Tensor]:
    """A living network, with 2 x 2 pixels or more at the end, so that the mean over them is no integer."""
    if case.small.family not in ("sew_resnet", "spiking_resnet") or case.small.image < 32:
        return lively(case)
    if case.id not in MADE:
        x_TNCHW = 2 * torch.rand(T, 4, C, 64, 64, generator=torch.Generator().manual_seed(3))
        MADE[case.id] = alive(case.make(image_size=64), x_TNCHW), x_TNCHW
    return MADE[case.id]


@every_case
def test_g4_wires_carry_what_the_family_promises(case: Case) -> None:
    model, x_TNCHW = sharp(case)
    found = table(model, x_TNCHW)
    wanted = expected(case, list(found))
    if case.name == "sew_wide_7b":
        wanted["stages.6.branch.0.0"] = "binary"  # behind the neuron of the channel change
    wrong = {name: f"{found[name]}, not {wanted[name]}" for name in found if found[name] != wanted[name]}
    assert not wrong


@every_case
def test_neurons_answer_zeros_and_ones_and_none_is_silent(case: Case) -> None:
    model, x_TNCHW = sharp(case)
    values: dict[str, set[float]] = {}
    handles = [
        neuron.register_forward_hook(lambda _m, _i, s, name=name: values.__setitem__(name, set(s.unique().tolist())))
        for name, neuron in neurons_of(model).items()
    ]
    with torch.no_grad():
        model(x_TNCHW)
    for handle in handles:
        handle.remove()
    assert values.keys() == neurons_of(model).keys() and values
    assert {name: v for name, v in values.items() if v != {0.0, 1.0}} == {}


@every_case
def test_the_operation_counter_tells_the_same_kinds(case: Case) -> None:
    """It decides which layers pay for multiplications."""
    model, x_TNCHW = sharp(case)
    counted = count_operations(model, x_TNCHW).layers
    found = table(model, x_TNCHW)
    assert found == {name: counted[name].kind for name in found}


def test_another_connection_is_noticed() -> None:
    """The table of an ADD network is not the one that IAND promises, and the other way round."""
    case = next(c for c in MODELS if c.name == "sew_resnet8")
    for built, promised in (("add", "iand"), ("iand", "add")):
        x = case.images()
        found = table(alive(case.make(connect=built), x), x)
        assert found == expected(case, list(found), connect=built)
        assert found != expected(case, list(found), connect=promised)


@pytest.mark.parametrize(("x", "kind"), [([0.0, 1.0], "binary"), ([0.0, 2.0], "integer"), ([0.5], "float"), ([-1.0], "float")])
def test_kinds(x: list[float], kind: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(len(x), 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    assert table(Net(), torch.tensor(x)) == {"layer": kind}  # type: ignore[arg-type]
