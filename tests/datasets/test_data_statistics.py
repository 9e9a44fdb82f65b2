"""Figures of a split, worked out by hand."""

import numpy as np

from snn5.datasets import Split, statistics


def test_events_by_hand() -> None:
    x_TNCHW = np.zeros((2, 3, 2, 2, 2), np.uint8)
    x_TNCHW[0, 0, 0, 0, 0] = 3  # OFF
    x_TNCHW[0, 1, 1, 0, 0] = 255  # ON, saturated
    x_TNCHW[1, 1, 1, 1, 1] = 2  # ON; sample 2 has no events
    split = Split(x_TNCHW=x_TNCHW, y_N=np.array([0, 2, 2]), index_N=np.arange(3), info={"kind": "events", "scale": 1, "num_classes": 4})
    found = statistics(split)
    assert found.samples == 3 and found.classes == [1, 0, 2, 0]
    assert found.mean_sum == 260 / 3 and found.mean_sum_per_step == [258 / 3, 2 / 3]
    assert found.empty_frames == 3 / 6 and found.empty_samples == 1 / 3
    assert found.active == 3 / 48 and found.saturated == 1 / 48 and found.largest == 255
    assert found.on == 257 / 260


def test_frames_by_hand() -> None:
    x_TNCHW = np.array([[[[[16, 8]]], [[[0, 0]]]]], np.uint8)
    split = Split(x_TNCHW=x_TNCHW, y_N=np.array([1, 0]), index_N=np.arange(2), info={"kind": "frames", "scale": 16, "num_classes": 2})
    found = statistics(split)
    assert found.mean_sum == 24 / 16 / 2 and found.mean_sum_per_step == [0.75]
    assert found.empty_frames == found.empty_samples == 0.5 and found.active == 0.5 and found.on is None
