import importlib
import sys
from pathlib import Path

import pytest

from snn5._lazy import on_use


def test_a_name_is_imported_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lazy_example"
    package.mkdir()
    (package / "_part.py").write_text("VALUE = 7\n")
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\nfrom snn5._lazy import on_use\n"
        "if TYPE_CHECKING:\n    from lazy_example._part import VALUE as SEVEN\n"
        "else:\n    __getattr__, __dir__ = on_use(__name__, __file__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.import_module("lazy_example")
    assert "lazy_example._part" not in sys.modules
    assert (found.SEVEN, dir(found)) == (7, ["SEVEN"])
    with pytest.raises(AttributeError, match="module 'lazy_example' has no attribute 'EIGHT'"):
        _ = found.EIGHT


def test_imports_outside_the_guard_are_not_its_business() -> None:
    get, names = on_use("snn5._lazy", str(Path(__file__).parents[1] / "snn5" / "_lazy.py"))
    assert names() == []
    with pytest.raises(AttributeError):
        get("Path")
