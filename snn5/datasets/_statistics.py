"""What is in a split, in figures: so that an empty, saturated or lopsided set is seen before a network is trained on it."""

from dataclasses import dataclass

import numpy as np

from snn5.datasets._split import Split


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Figures of one split.

    Attributes:
        samples: N. classes: samples of each class, by class number.
        mean_sum: mean over samples of the sum over a sample: its events, or its total intensity in units of `scale`.
        mean_sum_per_step: the same for each of the T steps.
        empty_frames: fraction of the T N frames in which every value is 0. empty_samples: of the samples.
        active: fraction of values above 0. saturated: fraction of values at 255, where a count may have been cut off.
        largest: the largest value.
        on: fraction of the events that are ON; None for images, sounds and a split without events.
    """

    samples: int
    classes: list[int]
    mean_sum: float
    mean_sum_per_step: list[float]
    empty_frames: float
    empty_samples: float
    active: float
    saturated: float
    largest: int
    on: float | None


def statistics(split: Split) -> Statistics:
    """Count what `split` holds; exact integer sums, so equal splits give equal figures everywhere."""
    x_TNCHW, scale = split.x_TNCHW, split.info.get("scale", 1)
    sums_TNC = x_TNCHW.sum(axis=(3, 4), dtype=np.int64)
    sums_TN, total = sums_TNC.sum(axis=2), int(sums_TNC.sum())
    events = split.info.get("kind") == "events"
    return Statistics(
        samples=len(split),
        classes=np.bincount(split.y_N, minlength=split.info.get("num_classes", 0)).tolist(),
        mean_sum=total / (len(split) * scale),
        mean_sum_per_step=[int(s) / (len(split) * scale) for s in sums_TN.sum(axis=1)],
        empty_frames=int((sums_TN == 0).sum()) / sums_TN.size,
        empty_samples=int((sums_TN.sum(axis=0) == 0).sum()) / len(split),
        active=int(np.count_nonzero(x_TNCHW)) / x_TNCHW.size,
        saturated=int(np.count_nonzero(x_TNCHW == 255)) / x_TNCHW.size,
        largest=int(x_TNCHW.max()),
        on=int(sums_TNC[:, :, 1].sum()) / total if events and total and sums_TNC.shape[2] == 2 else None,
    )
