"""Hyper-parameter optimisation with Optuna (P3.1, the roadmap's run_hpo)."""

from snn5.tuning._objective import RATES as RATES
from snn5.tuning._objective import Objective as Objective
from snn5.tuning._objective import Tradeoff as Tradeoff
from snn5.tuning._plan import Plan as Plan
from snn5.tuning._plan import run_plans as run_plans
from snn5.tuning._space import apply as apply
from snn5.tuning._space import point_of as point_of
from snn5.tuning._space import suggest as suggest
from snn5.tuning._storage import open_storage as open_storage
from snn5.tuning._study import Budget as Budget
from snn5.tuning._study import best as best
from snn5.tuning._study import front as front
from snn5.tuning._study import search as search
from snn5.tuning._workers import reclaim as reclaim
from snn5.tuning._workers import work as work
