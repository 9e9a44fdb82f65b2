"""Activity regularisation (P4.1): the penalty is the network's own synaptic operations.

    Omega = sum_l sum_i psi_{l,i} s_{l,i}  /  (N T sum_l M_l)         (p = 1)

with s_{l,i} the spikes that reach input i of layer l, psi_{l,i} its true fan-out (fewer at the borders, see snn5.benchmark), M_l the
layer's dense MACs per step: Omega is the share of its dense operations that the network does, whatever T, batch and size (with ADD, whose
integers count as that many operations, it can pass 1). The loss gets lambda Omega.
The layer that sees the analogue image is left out: its work does not depend on spikes.
Source: Suetake, Ikegawa, Saiin, Sawada, S3NN / spiking synaptic penalty, arXiv 2302.01500.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from snn5.benchmark import conv_fanout
from snn5.checkpoint import Checkpoint, Transform
from snn5.config import Train
from snn5.errors import UserError
from snn5.training import Fit, Samples, fit


class SynOpsPenalty:
    """Collects Omega of each forward pass of `model` while `watching`.

    Args:
        model: its stem (the first convolution, `model.stem`) is excluded by name prefix `stem`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and not n.startswith("stem")}
        self._fanout: dict[tuple[str, torch.Size], Tensor] = {}
        self._operations: list[Tensor] = []
        self._dense = 0.0

    @contextmanager
    def watching(self) -> Iterator["SynOpsPenalty"]:
        """Hook the convolutions; unhook at the end. Each pass of the model starts a new count."""
        handles = [self._model.register_forward_pre_hook(self._forget)]
        handles += [m.register_forward_pre_hook(self._hook(n)) for n, m in self._layers.items()]
        try:
            yield self
        finally:
            for handle in handles:
                handle.remove()

    def value(self) -> Tensor:
        """Omega of the last pass, differentiable through the surrogates: scalar."""
        if not self._operations:
            raise RuntimeError("no forward pass yet; call the model inside `watching` first")
        return torch.stack(self._operations).sum() / self._dense

    def _forget(self, _model: nn.Module, _inputs: tuple[Tensor, ...]) -> None:
        self._operations, self._dense = [], 0.0

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def count(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            s = inputs[0]  # [T, N, C, H, W] or, inside the multi-step wrapper, [T N, C, H, W]
            key = (name, s.shape[-3:])
            if key not in self._fanout:
                self._fanout[key] = conv_fanout(layer, s.shape[-3:], torch.ones_like(layer.weight)).to(s)
            psi_CHW = self._fanout[key]
            self._operations.append((s * psi_CHW).sum())
            self._dense += float(psi_CHW.sum()) * (s.numel() // psi_CHW.numel())

        return count


def sparsify(
    checkpoint: Checkpoint,
    train: Samples,
    val: Samples,
    settings: Train,
    *,
    strength: float,
    ramp_fraction: float = 0.2,
    generator: torch.Generator,
    parents: dict[str, str] | None = None,
    tick: Callable[[], None] = lambda: None,
    guard: bool = True,
) -> tuple[Checkpoint, Fit]:
    """Fine-tune under CE + strength * Omega and keep the last epoch (the best on accuracy would be the least sparse one).

    Args:
        settings: epochs, lr and loss of the fine-tuning (warm-up is switched off).
        strength: lambda >= 0; 0 is plain fine-tuning, bit for bit.
        ramp_fraction: share of the steps over which lambda rises linearly from 0.
        guard: see `fit`; a sweep passes False and lets validation refuse a strength that silences the network.

    Raises:
        UserError: a negative strength, a quantised checkpoint, or a layer went silent; names it.
    """
    if checkpoint.card.quantisation is not None:
        raise UserError(
            "this checkpoint is quantised, and fine-tuning would take its weights off their grid; sparsify first, then quantize"
        )
    if strength < 0:
        raise UserError(f"strength={strength}; a negative one rewards spikes; give 0 or more")
    settings = replace(settings, warmup_epochs=0)
    model = checkpoint.build().to(train.y_N.device)
    penalty = SynOpsPenalty(model)
    steps = settings.epochs * -(-len(train) // settings.batch_size)
    ramp = max(1, round(ramp_fraction * steps))

    def extra(step: int) -> Tensor:
        return strength * min(1.0, (step + 1) / ramp) * penalty.value()

    if strength == 0:
        result = fit(model, train, val, settings, generator=generator, tick=tick, guard=guard)
    else:
        with penalty.watching():
            result = fit(model, train, val, settings, generator=generator, tick=tick, extra_loss=extra, guard=guard)
    model.load_state_dict(result.last)
    transform = Transform(name="sparsify", args={"strength": strength, "epochs": settings.epochs, "lr": settings.lr}, parents=parents or {})
    # Thresholds of an early exit belong to the old logits.
    return checkpoint.after(transform, model.cpu(), cutoff=None), result
