"""The biological track as a learner: a random liquid, and a read-out learned sample by sample with a local rule.

Shapes: T steps, N samples, C inputs.
"""

import io
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from snn5.bio._dynamics import State
from snn5.bio._features import features
from snn5.bio._liquid import Liquid
from snn5.bio._observe import digest, observe
from snn5.bio._online import delta_rule
from snn5.bio._readout import Readout, accuracy, one_hot, standardise
from snn5.bio.reproducibility._encode import encode
from snn5.bio.reproducibility._trial import Draws, Manner, Outcome, permutation
from snn5.config import Liquid as Settings
from snn5.datasets import Splits


@dataclass(frozen=True, kw_only=True)
class LiquidLearner:
    """`init` draws the wiring, `noise` the input spikes, `order` that in which the read-out sees the training set.

    Attributes:
        settings: of the liquid. splits: images. code: see `encode`. time_steps: T. epochs: passes of the read-out's rule.
    """

    settings: Settings
    splits: Splits
    code: str
    time_steps: int
    epochs: int

    def __call__(self, draws: Draws, manner: Manner = Manner()) -> Outcome:  # noqa: B008 - a tuple
        """Wire, observe, learn, and answer the test set, which decides nothing."""
        sides = (self.splits.train, self.splits.val, self.splits.test)
        (x_train, y_train), (x_val, y_val), (x_test, y_test) = (
            encode(side, self.code, self.time_steps, seed=draws.noise) for side in sides
        )
        rate = float(x_train.sum(dtype=torch.float64)) / x_train.numel() / self.settings.dt_ms
        liquid = Liquid(x_train.shape[2], self.settings, input_rate=rate, generator=torch.Generator().manual_seed(draws.init))
        pool = _InTwo(liquid) if manner.interrupt else liquid
        look = partial(observe, pool, features=features(self.settings), batch=manner.batch)
        seen, of_val, of_test = look(x_train), look(x_val), look(x_test)
        order_N = permutation(len(y_train), draws.order)
        scale = standardise(seen.features_Np)
        classes = int(self.splits.train.info["num_classes"])
        readout = self._learn(scale(seen.features_Np)[order_N], one_hot(y_train, classes)[order_N], manner.interrupt).after(scale)
        prediction_N = readout(of_test.features_Np).argmax(1)
        return Outcome(
            prediction_N=prediction_N,
            label_N=y_test,
            val=accuracy(readout(of_val.features_Np), y_val),
            sha256={
                "wiring": digest(*liquid.buffers()),
                "spikes": seen.sha256 + of_test.sha256,
                "readout": digest(readout.weight_pK, readout.bias_K),
                "predictions": digest(prediction_N),
            },
        )

    def _learn(self, x_Np: Tensor, target_NK: Tensor, interrupt: bool) -> Readout:
        learn = partial(delta_rule, x_Np, target_NK, epochs=self.epochs)
        if not interrupt:
            return learn()
        middle = self.epochs * len(x_Np) // 2 + 1
        weight_pK, bias_K = _through_bytes(learn(end=middle)[:2])
        return learn(start=Readout(weight_pK, bias_K, 0.0), begin=middle)


class _InTwo:
    """A liquid that is stopped in the middle of every sample."""

    def __init__(self, liquid: Liquid) -> None:
        self.liquid = liquid

    def simulate(self, x_TNC: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As `Liquid.simulate`."""
        half = len(x_TNC) // 2
        first_TNn, between = self.liquid.simulate(x_TNC[:half], state)
        second_TNn, after = self.liquid.simulate(x_TNC[half:], State(*_through_bytes(between)))
        return torch.cat([first_TNn, second_TNn]), after


def _through_bytes(tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """What a file would hold of them."""
    file = io.BytesIO()
    torch.save(list(tensors), file)
    file.seek(0)
    back: list[Tensor] = torch.load(file, weights_only=True)
    return back
