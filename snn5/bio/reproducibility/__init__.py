"""P8.4, reproducible learning: bits (R0), success rate (R1), spread (R2), agreement (R3), and where the spread comes from.

A learner is any function of `Draws` and `Manner` that answers with an `Outcome`; here one of each track.
"""

from snn5.bio.reproducibility._bits import MANNERS as MANNERS
from snn5.bio.reproducibility._bits import same_bits as same_bits
from snn5.bio.reproducibility._encode import CODES as CODES
from snn5.bio.reproducibility._encode import encode as encode
from snn5.bio.reproducibility._encode import poisson as poisson
from snn5.bio.reproducibility._grades import agreement as agreement
from snn5.bio.reproducibility._grades import grade as grade
from snn5.bio.reproducibility._grades import kappa as kappa
from snn5.bio.reproducibility._gradient_learner import GradientLearner as GradientLearner
from snn5.bio.reproducibility._gradient_learner import SpikingMLP as SpikingMLP
from snn5.bio.reproducibility._liquid_learner import LiquidLearner as LiquidLearner
from snn5.bio.reproducibility._sources import EVERYTHING as EVERYTHING
from snn5.bio.reproducibility._sources import SOURCES as SOURCES
from snn5.bio.reproducibility._sources import decompose as decompose
from snn5.bio.reproducibility._sources import design as design
from snn5.bio.reproducibility._study import Job as Job
from snn5.bio.reproducibility._study import Study as Study
from snn5.bio.reproducibility._tracks import TRACKS as TRACKS
from snn5.bio.reproducibility._tracks import learners as learners
from snn5.bio.reproducibility._tracks import studies as studies
from snn5.bio.reproducibility._trial import Draws as Draws
from snn5.bio.reproducibility._trial import Learner as Learner
from snn5.bio.reproducibility._trial import Manner as Manner
from snn5.bio.reproducibility._trial import Outcome as Outcome
