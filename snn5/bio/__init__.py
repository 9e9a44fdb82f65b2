"""Learning without gradients (P8). P8.1: a liquid state machine, a random recurrent pool of spiking neurons, with a linear read-out.

A classifier by local rules alone; the rules themselves are in `snn5.bio.learning_rules`.
"""

from snn5.bio._ablation import ablation_summary as ablation_summary
from snn5.bio._diagnostics import branching as branching
from snn5.bio._diagnostics import cv_isi as cv_isi
from snn5.bio._diagnostics import effective_rank as effective_rank
from snn5.bio._diagnostics import guard as guard
from snn5.bio._diagnostics import population_rates as population_rates
from snn5.bio._diagnostics import separation as separation
from snn5.bio._dynamics import Constants as Constants
from snn5.bio._dynamics import State as State
from snn5.bio._dynamics import step as step
from snn5.bio._features import bin_counts as bin_counts
from snn5.bio._features import traces as traces
from snn5.bio._grouped import GROUPED_ALPHAS as GROUPED_ALPHAS
from snn5.bio._grouped import fit_grouped as fit_grouped
from snn5.bio._grouped import leave_groups_out as leave_groups_out
from snn5.bio._liquid import EventWork as EventWork
from snn5.bio._liquid import Liquid as Liquid
from snn5.bio._local_trials import LOCAL_VARIANTS as LOCAL_VARIANTS
from snn5.bio._local_trials import local_trial as local_trial
from snn5.bio._local_trials import local_verdict as local_verdict
from snn5.bio._observe import Activity as Activity
from snn5.bio._observe import digest as digest
from snn5.bio._observe import observe as observe
from snn5.bio._online import delta_rule as delta_rule
from snn5.bio._online import fit_online as fit_online
from snn5.bio._plastic import ABLATIONS as ABLATIONS
from snn5.bio._plastic import train_liquid as train_liquid
from snn5.bio._readout import Readout as Readout
from snn5.bio._readout import accuracy as accuracy
from snn5.bio._readout import fit as fit
from snn5.bio._readout import gcv as gcv
from snn5.bio._readout import ridge as ridge
from snn5.bio._recordings import finer as finer
from snn5.bio._synops import fan_out as fan_out
from snn5.bio._synops import synops as synops
from snn5.bio._tasks import EASY as EASY
from snn5.bio._tasks import HARD as HARD
from snn5.bio._tasks import OrderTask as OrderTask
from snn5.bio._tasks import draw as draw
from snn5.bio._tasks import prototypes as prototypes
from snn5.bio._trials import counts_trial as counts_trial
from snn5.bio._trials import order_trial as order_trial
from snn5.bio._trials import recordings_trial as recordings_trial
from snn5.bio._verdict import verdict as verdict
