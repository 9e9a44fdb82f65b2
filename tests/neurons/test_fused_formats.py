"""The fused path in bfloat16, its parts, and what the neurons refuse."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.errors import UserError
from snn5.neurons import LIF, PLIF
from snn5.neurons._kernels_common import exp, lane_sum, pack, unpack
from snn5.neurons._lif import IF

ROOT = Path(__file__).parents[2]


def currents(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 0.5


# --- bfloat16


def test_bfloat16_is_float32_with_rounded_numbers_at_the_edges() -> None:
    """Currents, spikes and gradients are rounded when they are read and written, nothing in between."""
    x16 = currents(6, 3, 100).bfloat16()
    weight = currents(6, 3, 100, seed=1).bfloat16()
    half, full, grads = LIF(), LIF(), []
    for node, x in ((half, x16.clone().requires_grad_()), (full, x16.float().requires_grad_())):
        s = node(x)
        grads.append((s.detach(), torch.autograd.grad(s, x, weight.to(x.dtype))[0]))
    assert half.v.dtype == torch.float32 and torch.equal(half.v, full.v)
    assert grads[0][0].dtype == torch.bfloat16 and torch.equal(grads[0][0].float(), grads[1][0])
    assert torch.equal(grads[0][1], grads[1][1].bfloat16())


def test_bfloat16_rounding_is_torchs() -> None:
    import numba

    values = torch.tensor([0.0, -0.0, 1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-9, -3.3, 1e-40, 3.4e38, float("inf"), float("nan")])
    out, back = np.zeros(len(values), np.uint16), np.zeros(len(values), np.float32)

    @numba.njit
    def convert(x, out, back):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            out[i] = pack(x[i], out)
            back[i] = unpack(out[i])

    convert(values.numpy(), out, back)
    expected = values.bfloat16()
    assert torch.equal(torch.from_numpy(out).view(torch.bfloat16).nan_to_num(7.0), expected.nan_to_num(7.0))
    assert torch.equal(torch.from_numpy(back).nan_to_num(7.0), expected.float().nan_to_num(7.0))


def test_a_few_steps_in_bfloat16_learn_as_in_float32() -> None:
    """Two classes of noisy currents; the curve under autocast stays within a tenth of float32's."""
    g = torch.Generator().manual_seed(0)
    y = torch.arange(64) % 2
    x = torch.rand(4, 64, 20, generator=g) + 0.7 * torch.stack([1 - y, y], 1).repeat(1, 10)
    curves = []
    for low in (False, True):
        weights = torch.Generator().manual_seed(1)
        net = nn.Sequential(nn.Linear(20, 32), PLIF(), nn.Linear(32, 2))
        for p in net.parameters():
            if p.ndim == 2:
                nn.init.kaiming_uniform_(p, generator=weights)
            elif p.ndim == 1:
                nn.init.zeros_(p)
        optimiser, losses = torch.optim.SGD(net.parameters(), lr=0.1), []
        for _ in range(15):
            functional.reset_net(net)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                logits = net(x).float().mean(0)
            loss = nn.functional.cross_entropy(logits, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        curves.append(losses)
    assert curves[0][-1] < 0.7 * curves[0][0] and curves[0] != curves[1]
    assert curves[1] == pytest.approx(curves[0], rel=0.1)


# --- parts


def test_exp_to_the_last_places() -> None:
    x = np.linspace(-87, 0, 100_001, dtype=np.float32)
    found = np.array([exp(v) for v in x], np.float32)
    np.testing.assert_allclose(found, np.exp(x.astype(np.float64)), rtol=3e-7)


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 1000])
def test_lane_sum(n: int) -> None:
    row = np.arange(1, n + 1, dtype=np.float32)
    assert lane_sum(row, np.empty(32)) == n * (n + 1) / 2


def test_a_cache_that_cannot_be_written_only_costs_time() -> None:
    """Neither beside the source nor in the user's folder."""
    script = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"  # what is left if no folder can be written
        "import torch\n"
        "from snn5.neurons import LIF\n"
        "from snn5.neurons import _kernels_lif\n"
        "kernel = _kernels_lif.forward(True, False, False)\n"
        "assert type(kernel._cache).__name__ == 'NullCache', kernel._cache\n"
        "assert LIF()(torch.tensor([[1.0], [1.5]])).flatten().tolist() == [0, 1]\n"
    )
    env = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("make", "args", "message"),
    [
        (LIF, {"surrogate": "atam"}, "unknown surrogate 'atam'; did you mean atan"),
        (PLIF, {"v_reset": 1.0}, r"v_reset=1.0; need a number below v_threshold=1.0, or None"),
        (IF, {"v_reset": float("nan")}, "v_reset=nan"),
        (IF, {"v_threshold": 0.0}, "v_threshold=0.0; need a positive number"),
        (IF, {"alpha": -1.0}, "alpha=-1.0; need a positive number"),
    ],
)
def test_mistakes(make: Callable[..., nn.Module], args: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(**args)
