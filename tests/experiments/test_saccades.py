"""Recordings held still: positions worked out by hand, a dot that moves as the camera did, and the real digits, which become sharper."""

import numpy as np
import pytest

from experiments import nmnist_folds
from experiments._saccades import held_still
from snn5.datasets import Recording
from snn5.datasets._root import configured_root

REAL = pytest.mark.skipif(configured_root() is None, reason="SNN5_DATA_ROOT is not set: the real N-MNIST recordings are not here")


def events(t: list[int], x: list[int], y: list[int]) -> Recording:
    return Recording(t=np.array(t), x=np.array(x), y=np.array(y), p=np.arange(len(t)) % 2)


def test_positions_within_each_saccade() -> None:
    # x + 4 - 3.5 t / 105 ms, y + 2 - 7 t / 105 ms in the first; on to x - 7, back to y in the second; back to x in the third
    found = held_still(events([0, 30_000, 60_000, 150_000, 240_000], [10] * 5, [10] * 5))
    assert (found.x.tolist(), found.y.tolist()) == ([14, 13, 12, 9, 9], [12, 10, 8, 8, 12])
    assert found.p.tolist() == [0, 1, 0, 1, 0] and found.t.tolist() == [0, 30_000, 60_000, 150_000, 240_000]


def test_what_leaves_the_sensor_is_left_out_and_nothing_else() -> None:
    # by x + 4 and y + 2, then by x + 1 and y - 4
    found = held_still(events([0, 0, 0, 90_000, 90_000], [29, 30, 5, 5, 5], [31, 5, 32, 4, 3]))
    assert (found.x.tolist(), found.y.tolist(), found.p.tolist()) == ([33, 6], [33, 0], [0, 1])


def test_the_recording_itself_stays_as_it_is() -> None:
    moving = events([0, 60_000], [10, 10], [10, 10])
    held_still(moving)
    assert (moving.x.tolist(), moving.y.tolist(), moving.t.tolist()) == ([10, 10], [10, 10], [0, 60_000])


def test_a_dot_under_the_moving_camera_stays_in_its_pixel() -> None:
    t_E = np.arange(0, 315_000, 500)
    corner_us = [0, 105_000, 210_000, 315_000]
    x_E, y_E = np.interp(t_E, corner_us, [10.0, 13.5, 17.0, 10.0]), np.interp(t_E, corner_us, [12.0, 19.0, 12.0, 12.0])
    moving = Recording(t=t_E, x=np.rint(x_E).astype(int), y=np.rint(y_E).astype(int), p=np.ones(len(t_E), int))
    found = held_still(moving)
    assert len(found) == len(moving) and np.ptp(moving.x) == np.ptp(moving.y) == 7
    assert np.ptp(found.x) <= 1 and np.ptp(found.y) <= 1


@REAL
def test_the_real_recordings_are_the_same_without_a_change_and_sharper_held_still() -> None:
    moving, same, still = (nmnist_folds.recordings(change=change) for change in (None, lambda recording: recording, held_still))
    assert (moving.x_TNCHW == same.x_TNCHW).all() and (moving.y_N == still.y_N).all()
    assert still.x_TNCHW.sum() >= 0.99 * moving.x_TNCHW.sum()
    sharpness = [(whole.x_TNCHW.sum(axis=(0, 2), dtype=np.float64) ** 2).mean() for whole in (moving, still)]
    assert sharpness[1] > 1.4 * sharpness[0]
