"""Training of spiking networks and their twins (P1, P4.1)."""

from snn5.training._activity import check_activity as check_activity
from snn5.training._augment import Affine as Affine
from snn5.training._augment import Augmentation as Augmentation
from snn5.training._augment import Cutout as Cutout
from snn5.training._augment import Elastic as Elastic
from snn5.training._augment import Flip as Flip
from snn5.training._augment import Shift as Shift
from snn5.training._average import Average as Average
from snn5.training._batches import Samples as Samples
from snn5.training._batches import in_order as in_order
from snn5.training._batches import samples as samples
from snn5.training._distributed import Group as Group
from snn5.training._distributed import distributed as distributed
from snn5.training._evaluate import Evaluation as Evaluation
from snn5.training._evaluate import evaluate as evaluate
from snn5.training._evaluate import spike_rates as spike_rates
from snn5.training._fit import fit as fit
from snn5.training._losses import RateLoss as RateLoss
from snn5.training._losses import TETLoss as TETLoss
from snn5.training._losses import loss_of as loss_of
from snn5.training._mix import CutMix as CutMix
from snn5.training._mix import Mixup as Mixup
from snn5.training._one import train_one as train_one
from snn5.training._state import Fit as Fit
