"""The experiments that P8 grew out of, as they were published and with their defects mended: a documented regression, not a method."""

from snn5.bio.prototype._trial import FLAWS as FLAWS
from snn5.bio.prototype._trial import MENDED as MENDED
from snn5.bio.prototype._trial import MODELS as MODELS
from snn5.bio.prototype._trial import Flaws as Flaws
from snn5.bio.prototype._trial import prototype_trial as prototype_trial
