"""Learning rules by name."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from snn5.bio.learning_rules._bcm_rule import BCM
from snn5.bio.learning_rules._competitive_stdp import CompetitiveSTDP
from snn5.bio.learning_rules._decayed_hebb import DecayedHebb
from snn5.bio.learning_rules._inhibitory_stdp import InhibitorySTDP
from snn5.bio.learning_rules._probabilistic_stdp import ProbabilisticSTDP
from snn5.bio.learning_rules._reward_modulated_stdp import RewardModulatedSTDP
from snn5.bio.learning_rules._rule import Rule
from snn5.bio.learning_rules._stdp import PairSTDP
from snn5.bio.learning_rules._triplet_stdp import TripletSTDP
from snn5.errors import unknown

_RULES: Mapping[str, Callable[..., Rule]] = {
    "stdp": PairSTDP,
    "triplet_stdp": TripletSTDP,
    "probabilistic_stdp": ProbabilisticSTDP,
    "reward_modulated_stdp": RewardModulatedSTDP,
    "inhibitory_stdp": InhibitorySTDP,
    "bcm": BCM,
    "decayed_hebb": DecayedHebb,
    "competitive_stdp": CompetitiveSTDP,
}


def learning_rule(name: str, **constants: Any) -> Rule:
    """The rule called `name` with these constants; its defaults for the others.

    Raises:
        UserError: an unknown name or constant, or a value out of range.
    """
    if name not in _RULES:
        raise unknown("learning rule", name, _RULES)
    known = [f.name for f in fields(_RULES[name]) if f.name != "slow"]  # type: ignore[arg-type]
    for key in constants:
        if key not in known:
            raise unknown(f"constant of {name}", key, known)
    return _RULES[name](**constants)


def list_learning_rules() -> list[str]:
    """All names, sorted."""
    return sorted(_RULES)
