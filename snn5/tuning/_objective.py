"""What a trial does: train on train, report validation accuracy after each epoch. The test split is never in reach."""

import math
from typing import Any

import optuna
import torch
from torch import nn

from snn5.benchmark import OperationCounter
from snn5.compression import MeanRate
from snn5.config import Train
from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.training import Evaluation, Samples, evaluate, fit, penalised
from snn5.tuning._space import apply, suggest

SILENT, SATURATED = 1e-3, 0.6  # mean rate of any layer after the first epoch: outside, the trial cannot be worth its budget
# Of the optimiser: until then the norms' running statistics (0.9^32 = 0.03 is left of their start) say little. A small set's first epoch
# has fewer steps; then it is the first epoch that ends with so many.
FAIR_STEPS = 32
RATES = MeanRate()  # what the point's rate_penalty is the strength of


class Objective:
    """Maximise validation accuracy.

    Args:
        settings: what the point is laid over. shape: arguments of `create_model` beside name, neuron and overrides.
        train, val: samples. epochs: the full budget of a trial. seed: of weights and order, the same for every trial.
    """

    prunes = True  # asks the study's pruner after each epoch, which a study of several goals cannot have

    def __init__(self, settings: Train, shape: dict[str, Any], train: Samples, val: Samples, *, epochs: int, seed: int) -> None:
        self.settings, self.shape, self.train, self.val, self.epochs, self.seed = settings, shape, train, val, epochs, seed

    def __call__(self, trial: optuna.Trial) -> float:
        """-> validation accuracy after the last epoch; raises TrialPruned."""
        return self._train(trial)[1]

    def _train(self, trial: optuna.Trial) -> tuple[nn.Module, float]:
        point = suggest(trial)
        trial.set_user_attr("point", point)
        settings = apply(self.settings, point, self.epochs)
        model = create_model(settings.model, neuron=settings.neuron, **self.shape, **settings.model_args)
        generator = torch.Generator().manual_seed(self.seed)
        initialise(model, generator)
        model.to(self.train.y_N.device)
        score, judged = 0.0, math.ceil(FAIR_STEPS / math.ceil(len(self.train) / settings.batch_size)) - 1

        def report(epoch: int, evaluation: Evaluation) -> None:
            nonlocal score
            score = evaluation.accuracy
            if self.prunes:
                trial.report(score, epoch + 1)
            trial.set_user_attr("val/loss", evaluation.loss)
            low, high = min(evaluation.rates, key=evaluation.rates.__getitem__), max(evaluation.rates, key=evaluation.rates.__getitem__)
            if epoch == judged and (evaluation.rates[low] < SILENT or evaluation.rates[high] > SATURATED):
                layer = low if evaluation.rates[low] < SILENT else high
                trial.set_user_attr("stopped", f"layer {layer} at {evaluation.rates[layer]:.2g} spikes per neuron and step")
                raise optuna.TrialPruned
            # after the last epoch there is nothing left to save
            if self.prunes and epoch + 1 < self.epochs and trial.should_prune():
                raise optuna.TrialPruned

        try:
            with penalised(model, RATES, point["rate_penalty"]) as extra:
                fit(model, self.train, self.val, settings, generator=generator, report=report, extra_loss=extra)
        except UserError as error:  # a diverged or silent network is a bad point, not the end of the study
            trial.set_user_attr("stopped", str(error))
            raise optuna.TrialPruned from error
        return model, score


class Tradeoff(Objective):
    """Maximise validation accuracy, minimise synaptic operations: those of all spike layers per validation sample, over all steps."""

    prunes = False

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:  # type: ignore[override]
        """-> (accuracy 0..1, additions per sample) after the last epoch; raises TrialPruned where the network is of no use."""
        model, score = self._train(trial)
        with OperationCounter(model) as counter:
            evaluate(model, self.val)
        return score, counter.operations(len(self.val)).total("acs")
