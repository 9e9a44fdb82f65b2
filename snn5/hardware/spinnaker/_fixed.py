"""s16.15, the chip's numbers: whole multiples of 2^-15, and the constants and the step of its neuron in them."""

import math

import numpy as np
from numpy.typing import NDArray

from snn5.hardware._integer_network import Int

ACCUM = 1 << 15  # one


def accum(value: float | NDArray[np.float64]) -> Int:
    """The nearest s16.15, as a whole number of 2^-15."""
    return np.asarray(np.rint(np.asarray(value, np.float64) * ACCUM), np.int64)


def times(a: Int, b: Int) -> Int:
    """Product of two accums, rounded to the nearest."""
    return np.asarray((a * b + (ACCUM >> 1)) >> 15, np.int64)


def divide(a: Int, b: Int) -> Int:
    """Quotient of two accums, rounded down, as the compiler's division does it for positive ones."""
    return np.asarray((a << 15) // b, np.int64)


def kept(tau_m: float) -> Int:
    """E = exp(-dt / tau_m), dt = 1 ms."""
    return accum(math.exp(-float(divide(accum(1.0), accum(tau_m))) / ACCUM))


def resistance(tau_m: float, cm: float) -> Int:
    """R = tau_m / cm."""
    return divide(accum(tau_m), accum(cm))


def membrane(v: Int, current: Int, tau_m: float, cm: float) -> Int:
    """V[t-1], I[t] -> V[t] before the threshold."""
    alpha = times(current, resistance(tau_m, cm))
    return np.asarray(alpha - times(kept(tau_m), alpha - v), np.int64)
