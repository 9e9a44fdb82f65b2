"""A simulated event camera that looks at still images while they move: no noise, no random numbers.

Shapes: N images of H x W pixels; S x S sensor pixels; E events.
"""

from dataclasses import dataclass

import numpy as np

from snn5.config import Camera
from snn5.datasets._crossings import crossings, to_fixed
from snn5.errors import UserError

STEPS_PER_PIXEL = 16  # simulated samples while the image moves by one sensor pixel
_WEIGHT = 2**12  # interpolation weights are multiples of 1/4096: every product and sum below is exact in float64
_LEVELS = 2**16 - 1  # intensities that the logarithm tells apart
# N-MNIST's three saccades (Orchard et al. 2015): an isosceles triangle, in units of the amplitude; x to the right, y down.
_TRIANGLE = ((0.0, 0.0), (0.5, 1.0), (1.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Events:
    """Events of N recordings, ordered by recording, then time.

    Attributes:
        sample_E: int64 number of the recording. t_E: int64 microseconds from its start.
        x_E, y_E: int64 column and row. p_E: uint8, 1 = ON (brighter), 0 = OFF (darker).
    """

    sample_E: np.ndarray
    t_E: np.ndarray
    x_E: np.ndarray
    y_E: np.ndarray
    p_E: np.ndarray


def duration_us(camera: Camera) -> int:
    """Length of a recording: three saccades, in microseconds."""
    return 3 * round(camera.saccade_ms * 1000)


def saccades(camera: Camera, steps_per_pixel: int = STEPS_PER_PIXEL) -> tuple[np.ndarray, np.ndarray]:
    """Times and displacements of the image on the sensor.

        d(t) = a (v_s + (v_{s+1} - v_s) (t - s D) / D) - a/2,   v = (0,0), (1/2,1), (1,0), (0,0)

    at constant speed within a saccade, a = amplitude in pixels, D = saccade_ms. A real pan-tilt head accelerates and stops;
    this one does not.

    Returns:
        t_K int64 microseconds (first 0, last the duration), d_K2 displacement (x, y) in sensor pixels.

    Source: Orchard, Jayawant, Cohen, Thakor, "Converting static image datasets to spiking neuromorphic datasets using saccades",
    Front. Neurosci. 9:437, 2015, doi:10.3389/fnins.2015.00437.
    """
    length = duration_us(camera) // 3
    t_K, d_K2 = [0], [np.array(_TRIANGLE[0])]
    for s in range(3):
        here, there = np.array(_TRIANGLE[s]), np.array(_TRIANGLE[s + 1])
        count = max(1, int(np.ceil(float(np.hypot(*(there - here))) * camera.amplitude * steps_per_pixel)))
        for k in range(1, count + 1):
            t_K.append(s * length + length * k // count)
            d_K2.append(here + (there - here) * k / count)
    return np.array(t_K, np.int64), (np.array(d_K2) - 0.5) * camera.amplitude


def resample(size: int, sensor: int, zoom: float, shift: float) -> np.ndarray:
    """Bilinear weights that show a line of `size` image pixels, enlarged and shifted, on `sensor` pixels; black beyond its ends.

        sensor pixel j looks at u = (j + 1/2 - sensor/2 - shift) / zoom + (size - 1)/2
        with the weights 1 - frac(u) on image pixel floor(u) and frac(u) on floor(u) + 1

    Returns:
        [sensor, size] float64 integers, in units of 1/4096.
    """
    u_S = (np.arange(sensor) + 0.5 - sensor / 2 - shift) / zoom + (size - 1) / 2
    fixed_S = np.rint(u_S * _WEIGHT).astype(np.int64)
    left_S, right_S = fixed_S // _WEIGHT, fixed_S % _WEIGHT
    columns = np.arange(size)
    on_left = (left_S[:, None] == columns) * (_WEIGHT - right_S)[:, None]
    on_right = (left_S[:, None] + 1 == columns) * right_S[:, None]
    return (on_left + on_right).astype(np.float64)


def simulate(images_NHW: np.ndarray, scale: int, camera: Camera, *, steps_per_pixel: int = STEPS_PER_PIXEL) -> Events:
    """Move each image past the camera along the three saccades and collect the events.

    The image fills the sensor less the amplitude, zoom = (S - a) / max(H, W), so that its pixels never leave it; log intensity is
    L = ln(dark + (1 - dark) I / scale). A recording depends on its image alone, never on the others, the machine or the number of threads.

    Args:
        images_NHW: intensities 0..`scale`.
        scale: the intensity of white.
        camera: sensor, contrast threshold, saccades and dark level.
        steps_per_pixel: samples of the motion while the image moves by one sensor pixel.

    Raises:
        UserError: the amplitude leaves no room for the image; a value lies outside 0..`scale`.
    """
    _, height, width = images_NHW.shape
    side = camera.sensor
    if camera.amplitude > side / 2:
        raise UserError(f"camera.amplitude={camera.amplitude} leaves no room on a sensor of {side} pixels; take at most {side / 2}")
    if images_NHW.size and (images_NHW.max() > scale or images_NHW.min() < 0):
        raise UserError(f"image values go from {images_NHW.min()} to {images_NHW.max()}; need 0 to scale={scale}")
    zoom = (side - camera.amplitude) / max(height, width)
    t_K, d_K2 = saccades(camera, steps_per_pixel)
    table = to_fixed(np.log(camera.dark + (1 - camera.dark) * np.arange(_LEVELS + 1) / _LEVELS))
    to_level = _LEVELS / (float(scale) * _WEIGHT * _WEIGHT)
    light_NHW = images_NHW.astype(np.float64)

    def log_intensity(shift_x: float, shift_y: float) -> np.ndarray:
        seen_NSS = resample(height, side, zoom, shift_y) @ light_NHW @ resample(width, side, zoom, shift_x).T
        return table[np.rint(seen_NSS * to_level).astype(np.int64)].ravel()  # seen: integers below 2^53, exact in any order of summation

    found = crossings(((int(t), log_intensity(*d)) for t, d in zip(t_K, d_K2, strict=True)), camera.contrast)
    sample_E, pixel_E = found.pixel_E // side**2, found.pixel_E % side**2
    order_E = np.argsort(sample_E, kind="stable")  # keeps the order of time within a recording
    return Events(
        sample_E=sample_E[order_E],
        t_E=found.t_E[order_E],
        x_E=pixel_E[order_E] % side,
        y_E=pixel_E[order_E] // side,
        p_E=found.p_E[order_E],
    )
