"""What p5_cutoff records of a sweep and of a run."""

from snn5.benchmark import measure
from snn5.checkpoint import Checkpoint
from snn5.datasets import Split
from snn5.inference import Tried
from snn5.record import Run


def swept_run(tried: dict[str, Tried], rule: str, epsilon: float, seed: int) -> Run:
    """A rule's sweep, worked out from the logits of full runs, and its figures at the epsilon that validation chose for it."""
    val, test = tried["val"], tried["test"]
    curves = {"val/acc": val.accuracy, "test/acc": test.accuracy, "cost/steps_mean": test.steps}
    metrics = {name: values[test.epsilons.index(epsilon)] for name, values in curves.items()}
    metrics["cutoff/fewer_steps"] = len(test.accuracy_by_step) / metrics["cost/steps_mean"]
    metrics["cutoff/acc_change"] = metrics["test/acc"] - test.full_accuracy
    params = {"seed": seed, "rule": rule, "epsilon": epsilon, "n_test": test.change_EN.shape[1]}
    return Run(params=params, metrics=metrics, curves={name: list(enumerate(values)) for name, values in curves.items()})


def measured_run(source: Checkpoint, test: Split, seed: int) -> Run:
    """All of a Measurement on test."""
    measured = measure(source, test, seed=seed, protocol="val_selected")
    return Run(params={"seed": seed, "n_test": measured.n}, metrics=measured.metrics(), details={"measurement": measured.to_json()})
