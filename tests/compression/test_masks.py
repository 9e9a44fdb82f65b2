"""Pruned weights stay zero under whatever trains afterwards."""

import pytest
import torch
from torch import nn

from snn5.compression import keep_zeros
from snn5.errors import UserError


def pruned() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.arange(1.0, parameter.numel() + 1).reshape(parameter.shape) / 10)
            if name == "0.weight":
                parameter[:, 1] = 0
    return model


@pytest.mark.parametrize(
    "optimiser", [lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)]
)
def test_zeros_stay_and_the_rest_learns(optimiser):
    model = pruned()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    steps = optimiser(model.parameters())
    with keep_zeros(model, ["0.weight"]):
        for _ in range(3):
            steps.zero_grad()
            model(torch.ones(5, 4)).square().sum().backward()
            steps.step()
    assert torch.equal(model[0].weight == 0, before["0.weight"] == 0)
    assert all((p != before[name])[before[name] != 0].all() for name, p in model.named_parameters())


def test_without_it_they_grow_back():
    model = pruned()
    steps = torch.optim.SGD(model.parameters(), lr=0.1)
    with keep_zeros(model, ["0.weight"]):
        pass  # closed again: no hook is left
    model(torch.ones(5, 4)).square().sum().backward()
    steps.step()
    assert (model[0].weight != 0).all()


def test_an_unknown_mask_is_named():
    with pytest.raises(UserError, match=r"mask 'conv9\.weight' is no parameter of this Sequential"), keep_zeros(pruned(), ["conv9.weight"]):
        pass
