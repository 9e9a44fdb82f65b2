"""What all tests share: one thread, no tracking, and none of the caller's servers or settings."""

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

# Before anything imports torch, Prefect or MLflow: they read these once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
os.environ |= {"SNN5_TRACKING": "off", "PREFECT_LOGGING_TO_API_ENABLED": "false", "MPLBACKEND": "Agg"}
for _name in (
    "PREFECT_API_URL",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_EXPERIMENT_NAME",
    "SNN5_TRIGGER",
    "SNN5_WORKERS",
    "DVC_STAGE",
    "DVC_ROOT",
    "SNN5_LOG_LATER",
):
    os.environ.pop(_name, None)
_home = tempfile.mkdtemp(prefix="snn5-prefect-")
os.environ["PREFECT_HOME"] = _home


@pytest.fixture(scope="session", autouse=True)
def _prefect_home() -> Iterator[None]:
    """Prefect's files of this session (of each xdist worker) go with it."""
    yield
    shutil.rmtree(_home, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the pipeline's before all: last, it would keep one worker busy for minutes while the other has nothing."""
    items.sort(key=lambda item: ("pipeline" not in item.path.parts, item.get_closest_marker("slow") is None))
