"""A toy project to run flows in, and a Prefect server for flows that run inside the tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_pipeline


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_pipeline.make(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def toy(_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the toy project as working directory; p7_data@frames, p1_train@net-frames, p4 and last are up to date."""
    root = tmp_path / "project"
    shutil.copytree(_template, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A temporary Prefect server for flows that are called in the test's own process."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
