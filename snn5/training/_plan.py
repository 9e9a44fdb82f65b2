"""What a recipe may do differently from `fit`'s own: the plan of a training. This one changes nothing."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from snn5.config import Train
from snn5.training._batches import Samples
from snn5.training._optimiser import optimiser_of


class Plan:
    """Override what differs. Equal plans must have equal `repr`: it is part of what tells one training from another."""

    def prepare(self, model: nn.Module, train: Samples) -> None:
        """Called once, before anything else: what a network measures on the training images."""

    def optimiser(
        self, model: nn.Module, settings: Train, steps_per_epoch: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """The optimiser and its schedule."""
        return optimiser_of(model, settings, steps_per_epoch)

    def begin(self, model: nn.Module, epoch: int) -> None:
        """Called before the first batch of each epoch (0-based), and when an interrupted one is taken up again."""

    def change(self, x_TNCHW: Tensor, index_N: Tensor, epoch: int, generator: torch.Generator) -> Tensor:
        """A batch before the augmentations that params.yaml switches on; `index_N`: the samples' places in the training split."""
        return x_TNCHW

    def validating(self, model: nn.Module) -> AbstractContextManager[None]:
        """Entered while a model is validated."""
        return nullcontext()

    def __repr__(self) -> str:
        return ""
