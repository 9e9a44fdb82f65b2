"""A source with changed copies of its recordings behind them; only those of training recordings will be used."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np

from snn5.config import Augment
from snn5.datasets._event_augment import CropEvents, CropTime, DropEvents, FlipEvents, JitterTime
from snn5.datasets._recording import Recording
from snn5.datasets._source import Change, Source
from snn5.errors import UserError


def with_copies(source: Source, settings: Augment, seed: int) -> Source:
    """`source` followed by `settings.copies` changed copies of all its recordings, each with draws of its own.

    Which recordings train is known only when all have been read (copies of one sample stay on one side), so copies of the others are made,
    too, and left out.

    Args:
        source: with recordings (`vary`). settings: what is changed.
        seed: of the draws; copy k of recording i gets a generator of [seed, k, i], whatever else is read.

    Raises:
        UserError: the set has no event recordings to change, or nothing would be changed.
    """
    if source.vary is None or source.sensor is None:
        raise UserError("augment.copies is for sets of event recordings; set it to 0 (training augments images and sounds, see p1)")
    if settings == Augment(copies=settings.copies):
        raise UserError(f"augment.copies={settings.copies}, but nothing is changed in them; set window, flip, stretch, jitter_us or drop")
    count, copies, vary = len(source.names), settings.copies, source.vary
    steps = _steps(settings, source.sensor)

    def read(n: int) -> tuple[np.ndarray, int]:
        k, i = divmod(n, count)
        return source.read(i) if k == 0 else vary(i, _change(steps, np.random.default_rng([seed, k, i])))

    def repeated(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.tile(values, 1 + copies)

    digest = source.digest
    return replace(
        source,
        names=[*source.names, *(f"{name} (copy {k + 1})" for k in range(copies) for name in source.names)],
        y_N=np.tile(source.y_N, 1 + copies),
        test_N=repeated(source.test_N),
        val_N=repeated(source.val_N),
        read=read,
        digest=None if digest is None else (lambda n: digest(n % count)),
        stamp=f"{source.stamp[:8]}{hash_of(settings, seed)}",
        originals=count,
        info={**source.info, "augment": asdict(settings)},
    )


def hash_of(settings: Augment, seed: int) -> str:
    """Eight hex digits of what the copies depend on."""
    return hashlib.sha256(repr((settings, seed)).encode()).hexdigest()[:8]


Step = Callable[[Recording, np.random.Generator], Recording]


def _change(steps: list[Step], generator: np.random.Generator) -> Change:
    def change(found: Recording) -> Recording:
        for step in steps:
            found = step(found, generator)
        return found

    return change


def _steps(settings: Augment, sensor: tuple[int, int]) -> list[Step]:
    steps: list[Step] = []
    if settings.stretch < 1:
        steps.append(CropTime(share=settings.stretch))
    if settings.drop > 0:
        steps.append(DropEvents(probability=settings.drop))
    if settings.window < 1:
        steps.append(_window(settings.window, sensor))
    if settings.flip:
        steps.append(FlipEvents(width=sensor[1]))
    if settings.jitter_us > 0:
        steps.append(JitterTime(sigma_us=settings.jitter_us))
    return steps


def _window(share: float, sensor: tuple[int, int]) -> Step:
    size = (max(1, round(share * sensor[0])), max(1, round(share * sensor[1])))
    crop = CropEvents(sensor=sensor, size=size)

    def step(found: Recording, generator: np.random.Generator) -> Recording:
        part = crop(found, generator)
        if part is found:  # the window was empty
            return found
        top, left = (int(generator.integers(0, whole - side + 1)) for side, whole in zip(size, sensor, strict=True))
        return replace(part, x=part.x + left, y=part.y + top, sensor=found.sensor)

    return step
