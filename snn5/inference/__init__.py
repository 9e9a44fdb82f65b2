"""Early exit (P5.1): calibrate it, run it."""

from typing import TYPE_CHECKING

from snn5._lazy import on_use

if TYPE_CHECKING:
    from snn5.inference._choose import Tried as Tried
    from snn5.inference._choose import choose_epsilon as choose_epsilon
    from snn5.inference._choose import try_epsilons as try_epsilons
    from snn5.inference._choose import within as within
    from snn5.inference._cutoff import calibrate_cutoff as calibrate_cutoff
    from snn5.inference._cutoff import choose_cutoff as choose_cutoff
    from snn5.inference._cutoff import rule_of as rule_of
    from snn5.inference._execute import Exit as Exit
    from snn5.inference._execute import run_until_sure as run_until_sure
    from snn5.inference._fit_rule import fit_rule as fit_rule
    from snn5.inference._fit_rule import thresholds as thresholds
    from snn5.inference._logits import accuracy_by_step as accuracy_by_step
    from snn5.inference._logits import all_logits as all_logits
    from snn5.inference._logits import answers as answers
    from snn5.inference._logits import leave as leave
    from snn5.inference._logits import optimal_step as optimal_step
    from snn5.inference._predict import Prediction as Prediction
    from snn5.inference._predict import Predictor as Predictor
    from snn5.inference._rules import RULES as RULES
    from snn5.inference._rules import EntropyRule as EntropyRule
    from snn5.inference._rules import GapRule as GapRule
    from snn5.inference._rules import MaxProbabilityRule as MaxProbabilityRule
    from snn5.inference._rules import Rule as Rule
    from snn5.inference._rules import gap as gap
    from snn5.inference._rules import never as never
else:
    __getattr__, __dir__ = on_use(__name__, __file__)  # the event engine runs where there is no torch
