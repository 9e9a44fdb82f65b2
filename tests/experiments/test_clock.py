"""Minutes by epoch: added up, also over an interruption, whose half epoch does not count."""

from pathlib import Path

from experiments._clock import Clock


def test_minutes_by_hand(tmp_path: Path) -> None:
    times = iter([(100.0, 7.0), (160.0, 97.0), (190.0, 127.0)])
    clock = Clock(tmp_path / "clock.json", lambda: next(times))
    assert clock.note(0, val=0.5) == {"epoch": 0, "wall_min": 1.0, "cpu_min": 1.5, "val": 0.5}
    assert clock.note(1) == {"epoch": 1, "wall_min": 1.5, "cpu_min": 2.0}


def test_what_was_not_kept_is_done_and_counted_anew(tmp_path: Path) -> None:
    """Epoch 1 ended, but the training's state of it was never written: the next process starts from epoch 0's."""
    first = iter([(0.0, 0.0), (60.0, 60.0), (180.0, 120.0)])
    clock = Clock(tmp_path / "clock.json", lambda: next(first))
    clock.note(0)
    clock.note(1)
    then = iter([(5000.0, 0.0), (5030.0, 90.0)])
    again = Clock(tmp_path / "clock.json", lambda: next(then))
    assert again.note(1) == {"epoch": 1, "wall_min": 1.5, "cpu_min": 2.5}
    assert [entry["epoch"] for entry in again.epochs] == [0, 1]
