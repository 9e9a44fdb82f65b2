"""Checkpoint -> checkpoint with an early exit (P5.1): calibrated for an epsilon, or for an accuracy that may be lost on validation."""

from collections.abc import Mapping, Sequence
from typing import Any

from snn5.checkpoint import Checkpoint, Transform
from snn5.datasets import Split
from snn5.errors import UserError, unknown
from snn5.inference._choose import choose_epsilon, try_epsilons
from snn5.inference._fit_rule import fit_rule
from snn5.inference._logits import all_logits
from snn5.inference._rules import RULES, Rule


def calibrate_cutoff(
    checkpoint: Checkpoint,
    split: Split,
    *,
    epsilon: float,
    rule: str = "gap",
    dropout: float = 0.3,
    seed: int = 0,
    batch_size: int = 256,
    keep_out: Sequence[Split] = (),
    parents: Mapping[str, str] | None = None,
) -> Checkpoint:
    """The checkpoint with thresholds for an early exit.

    Args:
        split: calibration samples, from the training set.
        epsilon: see `fit_rule`. rule: its name.
        dropout: the network knows its training samples too well; dropping features brings its confidence down to what new samples get.
        seed: of the dropout.
        keep_out: splits (validation, test) that must share no sample with the calibration set.
        parents: md5 of the artefacts read, by path, for the history.

    Raises:
        UserError: a sample of `keep_out` is in the calibration set; the network is a twin; epsilon or dropout out of range.
    """
    if checkpoint.card.twin:
        raise UserError(f"{checkpoint.card.model!r} is an ANN twin, which has no steps to save; calibrate a spiking network")
    if split.info.get("split", "train") != "train":
        raise UserError(
            f"this is the {split.info['split']} split; calibrate on train, so that validation can choose epsilon and test can judge it"
        )
    for other in keep_out:
        if shared := sorted(set(split.index_N.tolist()) & set(other.index_N.tolist())):
            raise UserError(
                f"{len(shared)} calibration samples are also in a split to be kept out (e.g. index {shared[0]}); calibrate on train"
            )
    logits_TNK, y_N = all_logits(checkpoint.build(), split, batch_size=batch_size, dropout=dropout, seed=seed)
    fitted = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(fit_rule(rule, logits_TNK, y_N, epsilon)).items()}
    cutoff = {"rule": rule, "epsilon": epsilon, **fitted}
    args = {"epsilon": epsilon, "dropout": dropout, "seed": seed, "samples": len(y_N)}
    return checkpoint.after(Transform(name="calibrate_cutoff", args=args, parents=dict(parents or {})), cutoff=cutoff)


def choose_cutoff(
    checkpoint: Checkpoint,
    split: Split,
    val: Split,
    *,
    epsilons: Sequence[float],
    max_accuracy_loss: float,
    standard_errors: float = 1.0,
    lost_samples: int = 0,
    rule: str = "gap",
    dropout: float = 0.3,
    seed: int = 0,
    keep_out: Sequence[Split] = (),
    parents: Mapping[str, str] | None = None,
) -> Checkpoint:
    """`calibrate_cutoff` at the largest epsilon that costs little enough on validation (see `choose_epsilon`).

    Several seeds that shall share one epsilon: `try_epsilons` for each, then `choose_epsilon` over all of them, then `calibrate_cutoff`.

    Args:
        split: calibration samples, from the training set. val: decides; the test split has no say.
        epsilons, max_accuracy_loss, standard_errors, lost_samples: see `choose_epsilon`.
        rule, dropout, seed, keep_out, parents: see `calibrate_cutoff`; `val` is kept out in any case.

    Raises:
        UserError: what `calibrate_cutoff` and `choose_epsilon` refuse.
    """
    tried = try_epsilons(checkpoint, split, {"val": val}, epsilons, rules=[rule], dropout=dropout, seed=seed)[rule]["val"]
    epsilon = choose_epsilon([tried], max_accuracy_loss=max_accuracy_loss, standard_errors=standard_errors, lost_samples=lost_samples)
    others = (val, *keep_out)
    return calibrate_cutoff(checkpoint, split, epsilon=epsilon, rule=rule, dropout=dropout, seed=seed, keep_out=others, parents=parents)


def rule_of(cutoff: Mapping[str, Any] | None) -> Rule | None:
    """The rule in a card's `cutoff` entry; None if there is none.

    Raises:
        UserError: a rule that this version does not know.
    """
    if cutoff is None:
        return None
    name = cutoff.get("rule")
    if name not in RULES:
        raise unknown("cutoff rule", str(name), list(RULES))
    made = {key: tuple(value) if isinstance(value, list) else value for key, value in cutoff.items() if key not in ("rule", "epsilon")}
    return RULES[name](**made)
