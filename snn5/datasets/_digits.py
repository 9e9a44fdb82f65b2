"""Handwritten digits that come with scikit-learn: as images, and as events of a simulated moving camera."""

from dataclasses import asdict

import numpy as np

from snn5.datasets._camera import duration_us, simulate
from snn5.datasets._frames import accumulate, time_slices
from snn5.datasets._registry import Entry, Request, Samples, register

_CHUNK = 128  # images at a time; bounds the memory, changes nothing else
_SCALE = 16  # an 8x8 pixel counts the black ones of a 4x4 block of the scan
_CLASSES = tuple("0123456789")
_CITATION = "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49"


def read_digits(request: Request) -> Samples:
    """1797 images of 8x8 pixels, intensities 0..16: x uint8 [1, 1797, 1, 8, 8]. No two are equal."""
    images_NHW, y_N = _images()
    return Samples(x_TNCHW=images_NHW[None, :, None], y_N=y_N, scale=_SCALE)


def read_digits_events(request: Request) -> Samples:
    """The same images seen by the simulated event camera: counts uint8 [T, 1797, 2, S, S], T slices of equal length."""
    images_NHW, y_N = _images()
    camera, side, count = request.camera, request.camera.sensor, len(y_N)
    x_TNCHW = np.empty((request.time_steps, count, 2, side, side), np.uint8)
    for start in range(0, count, _CHUNK):
        part = slice(start, min(start + _CHUNK, count))
        events = simulate(images_NHW[part], _SCALE, camera)
        slice_E = time_slices(events.t_E, request.time_steps, (0, duration_us(camera)))
        shape = (request.time_steps, part.stop - start, 2, side, side)
        x_TNCHW[:, part] = accumulate(slice_E, events.sample_E, events.x_E, events.y_E, events.p_E, shape)
        if request.progress is not None:
            request.progress(part.stop, count)
    return Samples(x_TNCHW=x_TNCHW, y_N=y_N, info={"camera": asdict(camera), "frames": "time", "channels": ["off", "on"]})


def _images() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # takes a second to import, which only these sets should cost

    digits = load_digits()
    return digits.images.astype(np.uint8), digits.target.astype(np.int64)


register(
    Entry(
        name="digits",
        kind="frames",
        classes=_CLASSES,
        source="scikit-learn, sklearn.datasets.load_digits (the UCI test set, 1797 samples of 8x8 pixels)",
        licence="CC BY 4.0",
        citation=_CITATION,
        loader=read_digits,
    )
)
register(
    Entry(
        name="digits_events",
        kind="events",
        classes=_CLASSES,
        source="made from `digits` by the simulated event camera (snn5.datasets.simulate); no recording",
        licence="CC BY 4.0",
        citation=_CITATION,
        loader=read_digits_events,
    )
)
