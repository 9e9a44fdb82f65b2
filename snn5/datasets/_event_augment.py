"""Augmentation of recordings before they become frames: small callables, recording in, recording out; draws come from a generator.

A recording that would lose all its events is returned as it is: an empty sample teaches nothing.
"""

from dataclasses import dataclass, replace

import numpy as np

from snn5.datasets._recording import Recording
from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CropEvents:
    """A window of the sensor at a random place; what lies outside is left out, and the rest is counted from the window's corner.

        x <- x - x_0,   y <- y - y_0   for events with 0 <= x - x_0 < W', 0 <= y - y_0 < H';   x_0 in 0..W - W', y_0 in 0..H - H'

    Attributes:
        sensor: (H, W) of the recording. size: (H', W') of the window, at most that.

    Raises:
        UserError: the window does not fit on the sensor.
    """

    sensor: tuple[int, int]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if not all(1 <= part <= whole for part, whole in zip(self.size, self.sensor, strict=True)):
            raise UserError(f"a window of {self.size} does not fit on a sensor of {self.sensor}; need 1 to that, as (height, width)")

    def __call__(self, found: Recording, generator: np.random.Generator) -> Recording:
        top, left = (int(generator.integers(0, whole - part + 1)) for part, whole in zip(self.size, self.sensor, strict=True))
        x, y = found.x - left, found.y - top
        return _only(replace(found, x=x, y=y, sensor=self.size), (x >= 0) & (x < self.size[1]) & (y >= 0) & (y < self.size[0]), found)


@dataclass(frozen=True, kw_only=True)
class FlipEvents:
    """Left and right change places: x <- W - 1 - x, with a probability.

    Attributes:
        width: W. probability: 0..1.

    Raises:
        UserError: the probability is out of range.
    """

    width: int
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UserError(f"probability={self.probability}; need 0 to 1")

    def __call__(self, found: Recording, generator: np.random.Generator) -> Recording:
        return replace(found, x=self.width - 1 - found.x) if generator.random() < self.probability else found


@dataclass(frozen=True, kw_only=True)
class CropTime:
    """A random stretch of the recording: events with t_0 <= t <= t_0 + share (t_last - t_first).

    Attributes:
        share: of the recording's length, above 0 up to 1.

    Raises:
        UserError: the share is out of range.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UserError(f"share={self.share}; need above 0 up to 1, of a recording's length")

    def __call__(self, found: Recording, generator: np.random.Generator) -> Recording:
        first, last = int(found.t.min()), int(found.t.max())
        start = first + generator.random() * (1 - self.share) * (last - first)
        return _only(found, (found.t >= start) & (found.t <= start + self.share * (last - first)), found)


@dataclass(frozen=True, kw_only=True)
class JitterTime:
    """Every event's time moves by a draw from a normal distribution; the order of the events is made anew.

        t_e <- round(t_e + sigma_us n_e),   n_e ~ N(0, 1)

    Attributes:
        sigma_us: standard deviation in microseconds, at least 0.

    Raises:
        UserError: it is negative.
    """

    sigma_us: float

    def __post_init__(self) -> None:
        if self.sigma_us < 0:
            raise UserError(f"sigma_us={self.sigma_us}; need at least 0 microseconds")

    def __call__(self, found: Recording, generator: np.random.Generator) -> Recording:
        t = np.rint(found.t + self.sigma_us * generator.standard_normal(len(found))).astype(np.int64)
        order = np.argsort(t, kind="stable")
        return Recording(t=t[order], x=found.x[order], y=found.y[order], p=found.p[order], sensor=found.sensor)


@dataclass(frozen=True, kw_only=True)
class DropEvents:
    """Each event is left out with a probability.

    Attributes:
        probability: 0 up to, not including, 1.

    Raises:
        UserError: the probability is out of range.
    """

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability < 1:
            raise UserError(f"probability={self.probability}; need 0 to 1, which itself would leave nothing")

    def __call__(self, found: Recording, generator: np.random.Generator) -> Recording:
        return _only(found, generator.random(len(found)) >= self.probability, found)


def _only(found: Recording, kept: np.ndarray, before: Recording) -> Recording:
    """The events of `found` that are kept; `before` where none is."""
    if not kept.any():
        return before
    return Recording(t=found.t[kept], x=found.x[kept], y=found.y[kept], p=found.p[kept], sensor=found.sensor)
