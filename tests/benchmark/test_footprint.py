import pytest
import torch
from torch import nn

from snn5.benchmark import packed_bytes, params_nnz
from snn5.benchmark._footprint import weight_bits
from snn5.errors import UserError


def test_packed_bytes_by_hand() -> None:
    net = nn.Sequential(nn.Linear(10, 3), nn.BatchNorm1d(3))
    state = net.state_dict()
    assert packed_bytes(state, {"0": 32}) == 4 * (30 + 3 + 4 * 3)  # weights, bias, four vectors of the norm; no counter of batches
    assert packed_bytes(state, {"0": 2}) == 8 + 4 * 3 + 4 * (3 + 12)  # ceil(30 * 2 / 8), one scale per output, the rest in 32 bits
    net[0].weight.data[:2] = 0.0
    assert packed_bytes(net.state_dict(), {"0": 8}) == 14 + 4 * 3 + 4 * (3 + 12)  # ceil((30 + 10 * 8) / 8): a bit map and ten weights
    assert packed_bytes(net.state_dict(), {"0": 1}) == 4 + 4 * 3 + 4 * (3 + 12)  # a bit map would not pay


def test_params_nnz() -> None:
    linear = nn.Linear(4, 2)
    linear.weight.data = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 3.0]])
    nn.init.zeros_(linear.bias)
    assert params_nnz(linear) == 3


def test_weight_bits_of_a_card() -> None:
    assert weight_bits(None, ["a", "b"]) == {"a": 32, "b": 32}
    assert weight_bits({"bits": 4}, ["a", "b"]) == {"a": 4, "b": 4}
    assert weight_bits({"bits": {"a": 8}}, ["a", "b"]) == {"a": 8, "b": 32}
    with pytest.raises(UserError, match="has no usable `bits`"):
        weight_bits({"bits": {"c": 8}}, ["a", "b"])
