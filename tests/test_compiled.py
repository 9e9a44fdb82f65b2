"""Compiled code that is kept on disk follows every file that becomes part of it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

KERNEL = """
from pathlib import Path
import numba
from helper import part
from snn5._compiled import kept

@numba.njit
def whole(x):
    return part(x)

kept(whole, whole.py_func, [Path(__file__), Path(__file__).with_name("helper.py")])
print(whole(1), sum(whole.stats.cache_hits.values()))
"""


def run(folder: Path, added: int) -> tuple[int, int]:
    """What `part` adds to 1 in a process of its own, and how often the code came from the disk.

    Without Python's own .pyc files: they tell two versions of a file apart by second and size only.
    """
    (folder / "helper.py").write_text(f"import numba\n\n@numba.njit\ndef part(x):\n    return x + {added}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "kernel.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result, hits = map(int, done.stdout.split())
    return result, hits


def test_a_changed_helper_is_compiled_anew(tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL, encoding="utf-8")
    assert run(tmp_path, 1) == (2, 0)
    assert run(tmp_path, 1) == (2, 1)
    assert run(tmp_path, 2) == (3, 0)
