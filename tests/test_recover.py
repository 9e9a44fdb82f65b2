"""What a killed run leaves, and what is left of it after `python -m snn5.recover`."""

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from snn5.errors import UserError
from snn5.recover import _whole, recover

LOCK = {
    "schema": "2.0",
    "stages": {
        "p1@a": {
            "cmd": "python -m x",
            "deps": [{"path": "snn5/models", "hash": "md5", "md5": "0" * 32 + ".dir", "size": 10, "nfiles": 2}],
            "params": {"params.yaml": {"p1.a": {"lr": 0.1, "extra": None}}},
            "outs": [
                {"path": "data/p1/a/checkpoints", "hash": "md5", "md5": "1" * 32 + ".dir", "size": 20, "nfiles": 3},
                {"path": "data/p1/a/metrics.json", "hash": "md5", "md5": "2" * 32, "size": 30},
            ],
        },
        "p2": {"cmd": "python -m y", "outs": [{"path": "data/p2/metrics.json", "hash": "md5", "md5": "3" * 32, "size": 40}]},
    },
}
TEXT = yaml.safe_dump(LOCK, sort_keys=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.lock").write_text(TEXT)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True)


def test_nothing_to_do(root: Path) -> None:
    assert recover(root) == []
    assert (root / "dvc.lock").read_text() == TEXT


def test_every_cut_is_seen_unless_whole_entries_are_left() -> None:
    lines = TEXT.splitlines(keepends=True)
    whole = {cut for cut in range(len(TEXT) + 1) if _whole(TEXT[:cut].encode())}
    # A stage that lost whole entries is a changed stage to DVC, which then asks its run cache.
    ends = {sum(map(len, lines[:n])) for n in range(1, len(lines) + 1)}
    assert whole <= ends, "a cut inside a line"
    kept = [yaml.safe_load(TEXT[:cut]) for cut in sorted(whole)]
    for raw in kept:
        for name, stage in (raw.get("stages") or {}).items():
            for section in ("deps", "outs"):
                original = LOCK["stages"][name].get(section, [])  # type: ignore[index]
                assert stage.get(section, []) == original[: len(stage.get(section, []))], "an entry that lost its end"
    assert kept[-1] == LOCK


def test_a_lock_cut_short_comes_back_from_git(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "dvc.lock")
    git(root, "commit", "-qm", "one")
    for cut in (b"", TEXT[: TEXT.index("size: 40")].encode(), b"\xff\xfe"):
        (root / "dvc.lock").write_bytes(cut)
        (line,) = recover(root)
        assert "dvc.lock was cut short; took the committed one" in line
        assert (root / "dvc.lock").read_text() == TEXT
    assert recover(root) == []


def test_a_lock_cut_short_is_removed_where_git_has_none(root: Path) -> None:
    (root / "dvc.lock").write_text(TEXT[:100])
    (line,) = recover(root)
    assert "cut short and removed" in line
    assert not (root / "dvc.lock").exists()


def test_a_merge_is_not_taken_for_damage(root: Path) -> None:
    text = "<<<<<<< HEAD\n" + TEXT + "=======\n>>>>>>> other\n"
    (root / "dvc.lock").write_text(text)
    with pytest.raises(UserError, match="unfinished merge; take one side"):
        recover(root)
    assert (root / "dvc.lock").read_text() == text


def test_stray_parts_go_and_all_else_stays(root: Path) -> None:
    stray = [root / "data" / "p1" / ".seed0.safetensors.ab12.part", root / "reports" / ".table.md.x_y.part"]
    kept = [root / "data" / "p1" / "seed0.safetensors", root / "data" / "a.part", root / "snn5" / ".x.part", root / "data" / ".gitignore"]
    for path in (*stray, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert sorted(recover(root)) == [
        "removed the half-written data/p1/.seed0.safetensors.ab12.part",
        "removed the half-written reports/.table.md.x_y.part",
    ]
    assert not any(path.exists() for path in stray) and all(path.exists() for path in kept)


@pytest.mark.parametrize("text", ["", '{"write": {"data/a": {"pid": 1', "[]", '{"write": {"data/a": {}}}'])
def test_a_broken_lock_table_goes(root: Path, text: str) -> None:
    (root / ".dvc" / "tmp" / "rwlock").write_text(text)
    assert recover(root) == ["removed .dvc/tmp/rwlock, which a killed dvc left behind"]
    assert not (root / ".dvc" / "tmp" / "rwlock").exists()


def table(pid: int) -> str:
    return json.dumps({"write": {"data/a": {"pid": pid, "cmd": "dvc repro"}}, "read": {"data/b": [{"pid": pid, "cmd": "dvc repro"}]}})


def test_a_number_that_came_round_holds_no_lock(root: Path) -> None:
    (root / ".dvc" / "tmp" / "rwlock").write_text(table(os.getpid()))  # alive, but pytest
    assert recover(root) == ["removed .dvc/tmp/rwlock, which a killed dvc left behind"]


def test_nothing_is_touched_while_dvc_works(root: Path) -> None:
    (root / "dvc.lock").write_text("half")
    program = root / "dvc"
    program.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    dvc = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
    assert dvc.stdout is not None
    try:
        dvc.stdout.readline()  # before that its command line may still be empty
        (root / ".dvc" / "tmp" / "rwlock").write_text(table(dvc.pid))
        assert recover(root) == ["another dvc is at work here: nothing was looked at"]
        assert (root / "dvc.lock").read_text() == "half" and (root / ".dvc" / "tmp" / "rwlock").exists()
    finally:
        dvc.kill()
        dvc.communicate()
    with (root / ".dvc" / "tmp" / "lock").open("w") as file:  # as zc.lockfile holds it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert recover(root) == ["another dvc is at work here: nothing was looked at"]
    assert len(recover(root)) == 2


def test_the_command_is_quick_and_says_what_it_did(root: Path) -> None:
    (root / "dvc.lock").write_text("half")
    best = 1e9
    for expected in ("recover: dvc.lock was cut short and removed (what ran comes back from DVC's run cache)\n", "", ""):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "snn5.recover"], cwd=root, capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - begin)
        assert (done.stderr, done.stdout) == (expected, "")
    assert best < 1.0  # 0.15 s on an idle machine
    heavy = "import sys, snn5.recover; sys.exit(any(name in sys.modules for name in ('torch', 'mlflow', 'dvc', 'numpy')))"
    subprocess.run([sys.executable, "-c", heavy], check=True)
