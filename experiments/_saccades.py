"""N-MNIST held still: the camera's three saccades taken out of a recording, so that a digit's edges stay where they are.

The set's camera turned on a motor, three times in every recording and always alike: digits go 105 ms down to the right, 105 ms up to the
right, 105 ms back to the left. tonic's `stabilize` (ported there from the authors' own code) subtracts that path, which knows no label,
from the events, and moves them by (+4, +2) pixels, so that digits are in the middle.

Source: Orchard et al., Front. Neurosci. 9:437, 2015, doi:10.3389/fnins.2015.00437.
"""

from dataclasses import replace

import numpy as np
from tonic.datasets.nmnist import stabilize

from snn5.datasets import Recording

_FIELDS = ("x", "y", "t", "p")


def held_still(moving: Recording) -> Recording:
    """The recording without its saccades; an event that leaves the sensor's 34 x 34 pixels is left out."""
    events = np.empty(len(moving), [(field, np.int64) for field in _FIELDS])
    for field in _FIELDS:
        events[field] = getattr(moving, field)
    still = stabilize(events)
    x, y, t, p = (np.ascontiguousarray(still[field]) for field in _FIELDS)
    return replace(moving, x=x, y=y, t=t, p=p)
