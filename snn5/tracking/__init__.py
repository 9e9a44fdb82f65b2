"""MLflow: runs keyed by stage and content hash, lineage, and a registry of pointers to DVC's bytes.

MLflow holds nothing that the files do not: its runs are made from metrics.json, curves.csv and dvc.lock, so `backfill` can make them again.
`SNN5_TRACKING=off` switches it off; `MLFLOW_TRACKING_URI` names a server, otherwise .mlflow/mlflow.db serves.
"""

from ._backfill import Backfill as Backfill
from ._backfill import backfill as backfill
from ._client import EXPERIMENT as EXPERIMENT
from ._client import check as check
from ._client import client as client
from ._client import enabled as enabled
from ._client import prepare as prepare
from ._client import uri as uri
from ._ingredients import Ingredient as Ingredient
from ._ingredients import from_alias as from_alias
from ._ingredients import log_lineage as log_lineage
from ._ingredients import resolve as resolve
from ._later import LATER as LATER
from ._later import leave_or_log as leave_or_log
from ._later import log_left as log_left
from ._log import log_stage as log_stage
from ._reach import shown as shown
from ._registry import ModelRow as ModelRow
from ._registry import list_models as list_models
from ._registry import promote as promote
from ._registry import pull as pull
