"""P4: a joined stem answers what the two convolutions did, and costs what its one convolution costs."""

from typing import Any

import pytest
import torch
from torch import nn

from snn5.benchmark import measure
from snn5.checkpoint import Card, Checkpoint, load, of, save
from snn5.compression import fold_norms, join_stem
from snn5.datasets import Split
from snn5.errors import UserError
from snn5.models import ann_twin, create_model, initialise

ARGS: dict[str, Any] = {"in_channels": 3, "num_classes": 4, "image_size": 12, "time_steps": 3, "width": 4, "neuron": "lif"}


STEM = ("0.weight", *(f"1.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")))


def made(*, twin: bool = False, **changes: Any) -> Checkpoint:
    """Every weight and statistic drawn, the fixed ones, too."""
    model = create_model("spiking_airnet", **(ARGS | changes))
    arguments = model.arguments
    if twin:
        model = ann_twin(model)
    generator = torch.Generator().manual_seed(1)
    initialise(model, generator)
    with torch.no_grad():
        for value in (v for v in model.state_dict().values() if v.is_floating_point()):
            value.copy_(
                0.2 + 0.5 * torch.rand(value.shape, generator=generator) * (1 - 2 * (torch.rand(value.shape, generator=generator) < 0.4))
            )
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.abs_()
    card = Card(model=model.name, model_args=arguments, dataset="made", time_steps=1 if twin else 3, neuron="lif", twin=twin)
    return of(model, card)


def images(n: int = 4) -> torch.Tensor:
    return torch.rand(1, n, 3, 12, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("twin", [False, True])
@pytest.mark.parametrize("shortcut", [False, True])
def test_it_answers_the_same(twin: bool, shortcut: bool) -> None:
    """The twin's logits are as close as the sums' rounding; of the spiking network the currents are, borders included."""
    before = made(twin=twin, shortcut=shortcut)
    after = join_stem(before)
    a, b = (one.build().double() for one in (before, after))
    assert torch.allclose(a.encode(images()), b.encode(images()), atol=1e-5) and a.encode(images()).std() > 0.1
    if twin:
        assert torch.allclose(a(images()), b(images()), rtol=1e-4, atol=1e-4) and a(images()).std() > 1e-3
    behind = {name: value for name, value in before.state.items() if not name.startswith("stem")}
    assert behind and all(torch.equal(after.state[name], value) for name, value in behind.items())
    assert {name for name in after.state if name.startswith("stem")} == {f"stem_conv.{name}" for name in STEM}


def test_the_card_rebuilds_it_and_says_so(tmp_path: Any) -> None:
    after = join_stem(made(), parents={"a": "b"})
    save(after, tmp_path / "joined.safetensors")
    read = load(tmp_path / "joined.safetensors")
    assert torch.equal(read.build()(images().float()), after.build()(images().float()))
    assert [t.name for t in read.card.transforms] == ["join_stem"] and read.card.transforms[0].parents == {"a": "b"}
    assert join_stem(read) is read


def test_the_stem_costs_what_4x4_costs() -> None:
    """12 pixels pass as 13, then 11: 4 x 12 x 9 weights at 11^2 places; joined 4 x 3 x 16 there, less the border."""
    x_TNCHW = (images() * 255).byte().numpy()
    split = Split(x_TNCHW=x_TNCHW, y_N=torch.zeros(4, dtype=torch.long).numpy(), index_N=torch.arange(4).numpy(), info={"dataset": "made"})
    two, one = (measure(checkpoint, split, seed=0, protocol="validation").layers for checkpoint in (made(), join_stem(made())))
    assert two["stem_conv.1"].dense == 4 * 12 * 9 * 11**2 and "stem_conv.1" not in one
    assert one["stem_conv.0"].dense == 4 * 3 * (4 * 11 - 2) ** 2  # at each border one of four taps falls outside


def test_what_cannot_be_joined_says_why() -> None:
    with pytest.raises(UserError, match="folded, pruned or quantised"):
        join_stem(fold_norms(made()))
    model = create_model("sew_resnet8", **{**ARGS, "width": 4})
    with pytest.raises(UserError, match=r"sew_resnet8.*spiking_airnet"):
        join_stem(of(model, Card(model=model.name, model_args=model.arguments, dataset="made", time_steps=3, neuron="lif")))
