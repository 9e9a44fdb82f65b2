"""What a trial does: train on train, report validation accuracy after each epoch. The test split is never in reach."""

from typing import Any

import optuna
import torch

from snn5.config import Train
from snn5.errors import UserError
from snn5.models import create_model, initialise
from snn5.training import Evaluation, Samples, fit
from snn5.tuning._space import apply, suggest

SILENT, SATURATED = 1e-3, 0.6  # mean rate of any layer after the first epoch: outside, the trial cannot be worth its budget


class Objective:
    """Maximise validation accuracy.

    Args:
        settings: what the point is laid over. shape: arguments of `create_model` beside name, neuron and overrides.
        train, val: samples. epochs: the full budget of a trial. seed: of weights and order, the same for every trial.
    """

    def __init__(self, settings: Train, shape: dict[str, Any], train: Samples, val: Samples, *, epochs: int, seed: int) -> None:
        self.settings, self.shape, self.train, self.val, self.epochs, self.seed = settings, shape, train, val, epochs, seed

    def __call__(self, trial: optuna.Trial) -> float:
        """-> validation accuracy after the last epoch; raises TrialPruned."""
        point = suggest(trial)
        trial.set_user_attr("point", point)
        settings = apply(self.settings, point, self.epochs)
        model = create_model(settings.model, neuron=settings.neuron, **self.shape, **settings.model_args)
        generator = torch.Generator().manual_seed(self.seed)
        initialise(model, generator)
        model.to(self.train.y_N.device)
        score = 0.0

        def report(epoch: int, evaluation: Evaluation) -> None:
            nonlocal score
            score = evaluation.accuracy
            trial.report(score, epoch + 1)
            trial.set_user_attr("val/loss", evaluation.loss)
            low, high = min(evaluation.rates, key=evaluation.rates.__getitem__), max(evaluation.rates, key=evaluation.rates.__getitem__)
            if epoch == 0 and (evaluation.rates[low] < SILENT or evaluation.rates[high] > SATURATED):
                layer = low if evaluation.rates[low] < SILENT else high
                trial.set_user_attr("stopped", f"layer {layer} at {evaluation.rates[layer]:.2g} spikes per neuron and step")
                raise optuna.TrialPruned
            if epoch + 1 < self.epochs and trial.should_prune():  # after the last epoch there is nothing left to save
                raise optuna.TrialPruned

        try:
            fit(model, self.train, self.val, settings, generator=generator, report=report)
        except UserError as error:  # a diverged or silent network is a bad point, not the end of the study
            trial.set_user_attr("stopped", str(error))
            raise optuna.TrialPruned from error
        return score
