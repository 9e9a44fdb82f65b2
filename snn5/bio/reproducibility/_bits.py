"""R0: the same seeds give the same bits, whatever the repetition, the batches, the process and an interruption."""

from collections.abc import Mapping

from snn5.bio.reproducibility._trial import Manner, Outcome
from snn5.errors import UserError

# What is run again, and how: with the first run, three repetitions. `other process` is for the caller to run where the first was not.
MANNERS: dict[str, Manner] = {
    "again": Manner(),
    "third time": Manner(),
    "other batches": Manner(batch=7),
    "one at a time": Manner(batch=1),
    "interrupted": Manner(interrupt=True),
    "other process": Manner(),
}


def same_bits(first: Outcome, others: Mapping[str, Outcome]) -> dict[str, list[str]]:
    """What differs between the first run and each of the others, by how it was run: names of `Outcome.sha256`; empty lists are R0.

    Raises:
        UserError: nothing to compare with, or other things were hashed.
    """
    if not others:
        raise UserError("R0 needs at least one run beside the first")
    for name, other in others.items():
        if other.sha256.keys() != first.sha256.keys():
            raise UserError(f"run {name!r} hashed {sorted(other.sha256)}, the first {sorted(first.sha256)}; compare one kind of learner")
    return {name: [part for part, value in first.sha256.items() if other.sha256[part] != value] for name, other in others.items()}
