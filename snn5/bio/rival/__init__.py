"""P8.1: what gradients make of the liquid's samples: a spiking state space model on the same splits."""

from snn5.bio.rival._trial import order_splits as order_splits
from snn5.bio.rival._trial import rival_trial as rival_trial
from snn5.bio.rival._trial import rival_verdict as rival_verdict
