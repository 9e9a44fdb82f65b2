"""What the architectures' tests share: inputs, a network that fires, and the questions that are asked of all of them."""

from collections.abc import Callable

import torch
from spikingjelly.activation_based import base, functional
from torch import Tensor, nn

from snn5.models import SpikingModel


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Pixels in [0, 2)."""
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def spikes(*shape: int, rate: float = 0.3) -> Tensor:
    return torch.bernoulli(torch.full(shape, rate), generator=torch.Generator().manual_seed(1))


def size_of(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def lively(model: nn.Module) -> None:
    """Norms that give as much current as trained ones do, so that neurons fire."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.constant_(module.weight, 2.0)
            nn.init.constant_(module.bias, 0.7)


def settle(model: SpikingModel, x_TNCHW: Tensor) -> SpikingModel:
    """A lively network in eval mode whose running statistics are those of `x_TNCHW`."""
    lively(model)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(x_TNCHW)
    functional.reset_net(model)
    return model.eval()


def neurons_in(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, base.MemoryModule) and "v" in m._memories]


def without_gradient(model: SpikingModel, x_TNCHW: Tensor) -> list[str]:
    """Parameters that one batch does not teach anything, or something that is not finite."""
    y_N = torch.arange(x_TNCHW.shape[1]) % model.num_classes
    nn.functional.cross_entropy(model(x_TNCHW).mean(0), y_N).backward()
    return [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all() or p.grad.abs().sum() == 0]


@torch.no_grad()
def step_by_step(model: SpikingModel, x_TNCHW: Tensor) -> Tensor:
    functional.reset_net(model)
    current_TNCHW = model.encode(x_TNCHW)
    return torch.cat([model.run(current_TNCHW[t : t + 1]) for t in range(len(current_TNCHW))])


@torch.no_grad()
def samples_are_independent(model: SpikingModel, x_TNCHW: Tensor) -> None:
    """Permuted, alone, or among others, a sample gets the same logits (double precision)."""
    whole_TNK = model(x_TNCHW)
    order = torch.arange(x_TNCHW.shape[1]).flip(0)
    torch.testing.assert_close(model(x_TNCHW[:, order]), whole_TNK[:, order], rtol=0, atol=1e-10)
    torch.testing.assert_close(model(x_TNCHW[:, 2:3]), whole_TNK[:, 2:3], rtol=0, atol=1e-10)
    others = x_TNCHW.clone()
    others[:, 1:] = 1.5
    torch.testing.assert_close(model(others)[:, 0], whole_TNK[:, 0], rtol=0, atol=1e-10)
    assert not torch.allclose(whole_TNK[:, 0], whole_TNK[:, 1])


@torch.no_grad()
def first_step_sees_the_last(model: SpikingModel, x_TNCHW: Tensor) -> bool:
    changed = x_TNCHW.clone()
    changed[-1] = 2.0 - changed[-1]
    before, after = model(x_TNCHW), model(changed)
    assert not torch.equal(before[-1], after[-1])
    return not torch.equal(before[:-1], after[:-1])


@torch.no_grad()
def wires(model: SpikingModel, x_TNCHW: Tensor) -> dict[str, str]:
    """What each convolution and linear layer sees: `binary`, `integer` or `float`."""
    kinds: dict[str, str] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0]
            integer = bool((x == x.round()).all()) and bool((x >= 0).all())
            kinds[name] = "float" if not integer else "binary" if x.max() <= 1 else "integer"

        return hook

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_pre_hook(note(name)) for name, module in layers]
    model(x_TNCHW)
    for handle in handles:
        handle.remove()
    assert len(kinds) == len(layers)
    return kinds
