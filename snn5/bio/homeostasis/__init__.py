"""P8.3, homeostasis: adaptive thresholds against BCM's sliding threshold where the gain of the inputs changes."""

from snn5.bio.homeostasis._measures import bcm_at_loop_gain as bcm_at_loop_gain
from snn5.bio.homeostasis._measures import responses as responses
from snn5.bio.homeostasis._measures import selectivity as selectivity
from snn5.bio.homeostasis._measures import settled_after as settled_after
from snn5.bio.homeostasis._measures import window_rates as window_rates
from snn5.bio.homeostasis._population_kernel import Control as Control
from snn5.bio.homeostasis._population_kernel import Looks as Looks
from snn5.bio.homeostasis._population_kernel import Sliding as Sliding
from snn5.bio.homeostasis._population_kernel import run as run
from snn5.bio.homeostasis._thresholds import AdditiveHomeostasis as AdditiveHomeostasis
from snn5.bio.homeostasis._trial import GAINS as GAINS
from snn5.bio.homeostasis._trial import VARIANTS as VARIANTS
from snn5.bio.homeostasis._trial import Variant as Variant
from snn5.bio.homeostasis._trial import patterns as patterns
from snn5.bio.homeostasis._trial import trial as trial
from snn5.bio.homeostasis._verdict import LOOP_GAINS as LOOP_GAINS
from snn5.bio.homeostasis._verdict import stability_bound as stability_bound
from snn5.bio.homeostasis._verdict import verdict as verdict
