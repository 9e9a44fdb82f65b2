"""Names of a package that are imported at first use, so that a process which needs two of them does not load torch for all of them."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def on_use(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package whose imports stand under `if TYPE_CHECKING:`, where type checkers see them.

    Args:
        package: its `__name__`. file: its `__file__`; the imports are read from it.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    where = {
        alias.asname or alias.name: (node.module or package, alias.name)
        for block in guarded
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = where[name]
        return getattr(import_module(module), original)

    return get, lambda: sorted(where)
