"""On a GPU: the same networks as on the CPU, and the training loop with its resume. Skipped where there is none.

python -m pytest tests/models/test_cuda.py
"""

from pathlib import Path

import pytest
import torch
from small_models import ARCHITECTURES, Case
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.config import Train
from snn5.models import create_model, initialise
from snn5.neurons import GLIF, LIF, PLIF, DynamicGLIF, TTFSLatch
from snn5.training import Samples, fit

pytestmark = [pytest.mark.hardware, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TF32: parity with the CPU is asked for."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


NEURONS = {
    "lif": lambda: LIF(tau=2.0),
    "lif_soft": lambda: LIF(tau=2.0, v_reset=None, decay_input=False),
    "plif": lambda: PLIF(tau=1.5),
    "glif": lambda: GLIF(channels=6, time_steps=4),
    "dynamic_glif": lambda: DynamicGLIF(channels=6, time_steps=4),
    "latch": lambda: TTFSLatch(time_steps=4),
}


def _answers(node: nn.Module, x_TNC: Tensor, g_TNC: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """Spikes and the current's gradient."""
    node = node.to(device)
    functional.reset_net(node)
    x = x_TNC.to(device).requires_grad_()
    s = node(x)
    return s.detach().cpu(), torch.autograd.grad(s, x, g_TNC.to(device))[0].cpu()


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_spikes_and_learns_as_on_the_cpu(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x, g = (torch.randn(4, 16, 6, 8, 8, generator=generator) for _ in range(2))
    node = NEURONS[name]()
    ours, theirs = (_answers(node, x, g, device) for device in ("cpu", "cuda"))
    assert 0.02 < ours[0].mean() < 0.98
    assert (ours[0] != theirs[0]).float().mean() < 1e-4  # a potential within rounding of the threshold
    # A spike that differs changes its neuron's gradients, no other's.
    same_NC = (ours[0] == theirs[0]).all(0).expand_as(ours[1])
    assert torch.allclose(ours[1][same_NC], theirs[1][same_NC], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("case", ARCHITECTURES, ids=lambda case: case.id)
def test_a_network_answers_as_on_the_cpu(case: Case) -> None:
    model = case.make().eval()
    x_TNCHW = case.images()
    with torch.no_grad():
        here = model(x_TNCHW)
        functional.reset_net(model)
        there = model.cuda()(x_TNCHW.cuda())
        functional.reset_net(model)
    # Random weights, deep spiking nets: a flipped spike may move a sample's logits, most samples are equal.
    close_N = torch.isclose(here, there.cpu(), atol=1e-3, rtol=1e-3).all(-1).all(0)
    assert there.device.type == "cuda"
    assert close_N.float().mean() >= 0.6, f"{int((~close_N).sum())} of {len(close_N)} samples differ"


def _task(n: int = 64) -> Samples:
    """Two classes: which half of the picture is bright."""
    generator = torch.Generator().manual_seed(3)
    y_N = torch.randint(0, 2, (n,), generator=generator)
    x_NTCHW = torch.randint(0, 64, (n, 1, 1, 8, 8), generator=generator)
    x_NTCHW[..., :4] += 128 * (y_N == 0)[:, None, None, None, None]
    x_NTCHW[..., 4:] += 128 * (y_N == 1)[:, None, None, None, None]
    return Samples(x_NTCHW=x_NTCHW.to(torch.uint8).cuda(), y_N=y_N.cuda(), scale=64.0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("model", "neuron"), [("sew_resnet8", "plif"), ("spikingformer_4_256", "lif"), ("glif_resnet18", "glif")])
def test_it_trains(model: str, neuron: str, precision: str, tmp_path: Path) -> None:
    small = {"sew_resnet8": {"width": 8}, "spikingformer_4_256": {"dim": 32, "depth": 1, "heads": 2}, "glif_resnet18": {"width": 8}}[model]
    settings = Train(model=model, neuron=neuron, epochs=12, batch_size=16, lr=5e-3, shift_pixels=0, precision=precision, guard_epochs=0)
    start = {"neuron_args": {"tau": 1.2, "v_threshold": 0.3}} if neuron != "glif" else {}
    net = create_model(model, in_channels=1, num_classes=2, image_size=8, time_steps=4, neuron=neuron, **small, **start)
    initialise(net, torch.Generator().manual_seed(0))
    task = _task()
    result = fit(net.cuda(), task, task, settings, generator=torch.Generator().manual_seed(1), guard=False, resume=tmp_path / "state.pt")
    assert next(net.parameters()).is_cuda
    assert result.val >= 0.9
