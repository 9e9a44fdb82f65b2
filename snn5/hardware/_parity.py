"""Are two runs of one network the same, spike for spike?"""

from dataclasses import dataclass

import numpy as np

from snn5.errors import UserError
from snn5.hardware._integer_network import Trace


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What two traces of N samples share.

    Attributes:
        samples: N. spikes: of all layers, in the reference.
        differing: spikes that are not the same, by layer. first: (step, sample, neuron) of the first of them, where there is one.
        logits: every logit of every step is the same. labels: samples with the same class.
    """

    samples: int
    spikes: int
    differing: dict[str, int]
    first: dict[str, tuple[int, int, int]]
    logits: bool
    labels: int

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        return self.logits and not any(self.differing.values())


def compare(reference: Trace, other: Trace) -> Parity:
    """Layer by layer.

    Raises:
        UserError: traces of different networks or inputs.
    """
    shapes = [{name: s.shape for name, s in t.spikes.items()} | {"logits": t.logits_TNK.shape} for t in (reference, other)]
    if shapes[0] != shapes[1]:
        raise UserError(f"traces of different shapes cannot be compared: {shapes[0]} and {shapes[1]}")
    differing, first = {}, {}
    for name, spikes in reference.spikes.items():
        wrong = (spikes != other.spikes[name]).reshape(*spikes.shape[:2], -1)
        differing[name] = int(wrong.sum())
        if differing[name]:
            t, n, i = np.argwhere(wrong)[0]
            first[name] = (int(t), int(n), int(i))
    labels = [t.logits_TNK.sum(0).argmax(-1) for t in (reference, other)]
    return Parity(
        samples=reference.logits_TNK.shape[1],
        spikes=sum(int(s.sum()) for s in reference.spikes.values()),
        differing=differing,
        first=first,
        logits=bool(np.array_equal(reference.logits_TNK, other.logits_TNK)),
        labels=int((labels[0] == labels[1]).sum()),
    )
