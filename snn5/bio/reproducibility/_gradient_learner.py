"""The gradient track as a learner: a spiking network trained by surrogate gradients, in the loop of P1.

Shapes: T steps, N samples, C inputs, K classes.
"""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from snn5.bio._observe import digest
from snn5.bio.reproducibility._encode import encode
from snn5.bio.reproducibility._trial import Draws, Manner, Outcome
from snn5.config import Train
from snn5.datasets import Split, Splits
from snn5.models import predict
from snn5.neurons import create_neuron
from snn5.training import Fit, Samples, fit, in_order


class SpikingMLP(nn.Module):
    """Linear layers with spiking neurons between them: spikes [T, N, ...] -> logits [T, N, K].

        s_l = neuron(W_l s_(l-1) + b_l),   logits = W_L s_(L-1) + b_L;   W ~ N(0, 2 / inputs), b = 0

    Args:
        sizes: C, hidden layers, K. neuron: see `snn5.neurons`. time_steps: T. generator: of the weights.
    """

    def __init__(self, sizes: list[int], *, neuron: str, time_steps: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.neurons = nn.ModuleList(create_neuron(neuron, channels=size, time_steps=time_steps) for size in sizes[1:-1])
        for linear in self.linears:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(linear.bias)

    def forward(self, x_TNCHW: Tensor) -> Tensor:
        """Each call starts from rest."""
        functional.reset_net(self)
        *hidden, last = self.linears
        s_TNC = x_TNCHW.flatten(2)
        for linear, neuron in zip(hidden, self.neurons, strict=True):
            s_TNC = neuron(linear(s_TNC))
        logits_TNK: Tensor = last(s_TNC)
        return logits_TNK


@dataclass(frozen=True, kw_only=True)
class GradientLearner:
    """`init` draws the weights, `noise` the input spikes, `order` that of the training samples in every epoch.

    Attributes:
        settings: of the training; model_args: {hidden: [...]}. splits: images. code: see `encode`. time_steps: T.
    """

    settings: Train
    splits: Splits
    code: str
    time_steps: int

    def __call__(self, draws: Draws, manner: Manner = Manner()) -> Outcome:  # noqa: B008 - a tuple
        """Train, and answer the test set with the weights of the last epoch, which nothing picked."""
        train, val, test = (self._samples(side, draws.noise) for side in (self.splits.train, self.splits.val, self.splits.test))
        model = self._model(draws)
        first = digest(*model.state_dict().values())
        trained = self._interrupted(draws, train, val) if manner.interrupt else self._fit(model, draws, train, val)
        model.load_state_dict(trained.last)
        with torch.no_grad():
            model.eval()
            prediction_N = torch.cat([predict(model(x_TNCHW)) for x_TNCHW, _ in in_order(test, manner.batch)])
        return Outcome(
            prediction_N=prediction_N,
            label_N=test.y_N,
            val=trained.curves["val/acc"][-1][1],
            sha256={"first": first, "weights": digest(*trained.last.values()), "predictions": digest(prediction_N)},
        )

    def _samples(self, split: Split, noise: int) -> Samples:
        spikes_TNC, y_N = encode(split, self.code, self.time_steps, seed=noise)
        return Samples(x_NTCHW=spikes_TNC.transpose(0, 1)[..., None, None].contiguous(), y_N=y_N, scale=1.0)

    def _model(self, draws: Draws) -> SpikingMLP:
        shape, classes = self.splits.train.x_TNCHW.shape, int(self.splits.train.info["num_classes"])
        sizes = [shape[2] * shape[3] * shape[4], *self.settings.model_args["hidden"], classes]
        generator = torch.Generator().manual_seed(draws.init)
        return SpikingMLP(sizes, neuron=self.settings.neuron, time_steps=self.time_steps, generator=generator)

    def _fit(
        self, model: nn.Module, draws: Draws, train: Samples, val: Samples, resume: Path | None = None, until: int | None = None
    ) -> Fit:
        epochs = iter(range(1, self.settings.epochs + 1))

        def tick(_text: str = "") -> None:
            if next(epochs) == until:
                raise _Stopped

        generator = torch.Generator().manual_seed(draws.order)
        return fit(model, train, val, self.settings, generator=generator, tick=tick, resume=resume, every_s=0.0)

    def _interrupted(self, draws: Draws, train: Samples, val: Samples) -> Fit:
        """Stop in the middle epoch, after its last step and before its validation; a new network goes on from the file."""
        with tempfile.TemporaryDirectory() as folder:
            resume = Path(folder, "training.pt")
            try:
                self._fit(self._model(draws), draws, train, val, resume, until=self.settings.epochs // 2 + 1)
            except _Stopped:
                return self._fit(self._model(draws), draws, train, val, resume)
        raise RuntimeError("the training was not stopped")


class _Stopped(Exception):
    """Ends a training as a kill would."""
