"""Sound -> spikes: a bank of gammatone filters, compression, adaptation, and a leaky neuron for each channel.

Shapes: C channels, S steps of 1 ms.
"""

import numpy as np

from snn5.config import Cochlea
from snn5.errors import UserError

DT_MS = 1.0
ADAPTATION_MS, ADAPTED = 60.0, 0.5  # time constant, and the share of a lasting drive that it takes away
MEMBRANE_MS = 20.0
_PAD_MS = 64  # of silence behind the sound: what a filter still rings does not come round to the beginning
_PER_STEP = 4  # samples of the envelope in a step
_BATCH = 100  # channels at a time, which bounds the memory


def centres_hz(settings: Cochlea) -> np.ndarray:
    """C centre frequencies, equally spaced on the scale of equivalent rectangular bandwidths.

        E(f) = 21.4 log10(1 + 0.00437 f)

    Source: Glasberg and Moore, Hear. Res. 47, 1990, doi:10.1016/0378-5955(90)90170-T.
    """
    low, high = (21.4 * np.log10(1 + 0.00437 * f) for f in (settings.low_hz, settings.high_hz))
    centres: np.ndarray = (10 ** (np.linspace(low, high, settings.channels) / 21.4) - 1) / 0.00437
    return centres


def drive(samples: np.ndarray, rate_hz: int, settings: Cochlea) -> np.ndarray:
    """What reaches the neurons of each channel, float64 [C, S] in 0..1; S = duration_ms.

        z_c = X H_c,   H_c(f) = (1 + i (f - f_c) / b_c)^-4 for f > 0,   b_c = 1.019 * 24.7 (1 + 0.00437 f_c)      (gammatone, order 4)
        P_c[s] = mean of |z_c|^2 in step s
        u_c[s] = max(0, 1 + 10 log10(P_c[s] / max P) / floor_db)                                       (level above silence)
        a_c[s] = a_c[s-1] + (u_c[s] - a_c[s-1]) dt / ADAPTATION_MS,   drive = max(0, u_c[s] - ADAPTED a_c[s-1])

    The loudest channel and step of a recording have u = 1, so its volume has no say.

    Args:
        samples: the sound, any scale; what lies behind duration_ms is not looked at, a shorter one is followed by silence.
        rate_hz: samples per second, at least twice high_hz.

    Raises:
        UserError: too few samples per second, no samples, or silence.

    Source: Patterson et al., the gammatone filterbank (APU report 2341, 1988), here in the frequency domain: each channel's band is cut out
    of the spectrum and brought down to frequency 0, which leaves the envelope as it is.
    """
    from scipy.signal import lfilter

    if rate_hz < 2 * settings.high_hz:
        raise UserError(f"{rate_hz} samples per second hold nothing above {rate_hz / 2:g} Hz; lower high_hz={settings.high_hz:g}")
    steps = round(settings.duration_ms / DT_MS)
    length = round(rate_hz * (steps + _PAD_MS) / 1000)
    sound = np.zeros(length)
    part = samples[: round(rate_hz * steps / 1000)]
    sound[: len(part)] = part
    spectrum, resolution_hz = np.fft.rfft(sound), rate_hz / length
    band = _PER_STEP * (steps + _PAD_MS)  # bins around each centre
    centres = centres_hz(settings)
    power_CS = np.empty((len(centres), steps))
    for begin in range(0, len(centres), _BATCH):
        f_C1 = centres[begin : begin + _BATCH, None]
        bins_CB = np.rint(f_C1 / resolution_hz).astype(np.int64) + np.fft.fftfreq(band, 1 / band).astype(np.int64)
        b_C1 = 1.019 * 24.7 * (1 + 0.00437 * f_C1)
        response_CB = (1 + 1j * (bins_CB * resolution_hz - f_C1) / b_C1) ** -4
        inside_CB = (bins_CB > 0) & (bins_CB < len(spectrum))
        z_CB = np.fft.ifft(np.where(inside_CB, spectrum[np.clip(bins_CB, 0, len(spectrum) - 1)] * response_CB, 0), axis=1)
        power_CS[begin : begin + _BATCH] = (np.abs(z_CB) ** 2).reshape(len(z_CB), -1, _PER_STEP)[:, :steps].mean(axis=2)
    loudest = power_CS.max()
    if not loudest > 0:
        raise UserError("it holds only silence")
    level_CS = np.maximum(0, 1 + 10 * np.log10(np.maximum(power_CS / loudest, 1e-30)) / settings.floor_db)
    k = DT_MS / ADAPTATION_MS
    adapted_CS = lfilter([0, k], [1, k - 1], level_CS, axis=1)  # a[s-1]
    driven_CS: np.ndarray = np.maximum(0, level_CS - ADAPTED * adapted_CS)
    return driven_CS


def cochlea(samples: np.ndarray, rate_hz: int, settings: Cochlea) -> np.ndarray:
    """Spikes uint8 [C, S] of one leaky integrate-and-fire neuron for each channel.

        v_c[s] = exp(-dt / MEMBRANE_MS) v_c[s-1] + gain dt drive_c[s],   spike where v_c[s] >= 1, then v_c[s] -= 1

    Args:
        samples, rate_hz: see `drive`.
        settings: channels 2..700; gain in thresholds per second.

    Raises:
        UserError: see `drive`.
    """
    driven_CS = np.round(drive(samples, rate_hz, settings) * 65536) / 65536  # the last bits of a Fourier transform decide no spike
    keep, step = np.exp(-DT_MS / MEMBRANE_MS), settings.gain * DT_MS / 1000
    v_C, spikes_CS = np.zeros(len(driven_CS)), np.zeros(driven_CS.shape, np.uint8)
    for s in range(driven_CS.shape[1]):
        v_C = keep * v_C + step * driven_CS[:, s]
        fired_C = v_C >= 1
        spikes_CS[:, s] = fired_C
        v_C -= fired_C
    return spikes_CS


def spike_frames(spikes_CS: np.ndarray, time_steps: int, columns: int) -> np.ndarray:
    """Counts uint8 [T, 1, C, W]: W = `columns` bins of time side by side in each of T steps.

        bin_s = floor(s T W / S)

    Raises:
        UserError: there are more bins than steps of 1 ms.
    """
    channels, steps = spikes_CS.shape
    bins = time_steps * columns
    if bins > steps:
        raise UserError(
            f"time_steps={time_steps} times binning.columns={columns} are more bins than the {steps} steps of 1 ms; lower one of them"
        )
    counts_CB = np.add.reduceat(spikes_CS, -(-np.arange(bins) * steps // bins), axis=1, dtype=np.int64)
    counts_CTW = np.minimum(counts_CB, 255).astype(np.uint8).reshape(channels, time_steps, columns)
    return np.ascontiguousarray(counts_CTW.transpose(1, 0, 2)[:, None])
