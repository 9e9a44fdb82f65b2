"""What the compiled loops over neurons share: how they are compiled and cached, number formats, surrogate slopes, and a shared counter.

All arithmetic is float32 in the order written, without fused multiply-adds, so that a kernel gives the bits that torch gives.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from snn5._compiled import digest_of, kept, named

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
FLOATS, SUMS = np.empty(0, np.float32), np.empty(0, np.float64)  # for `row_at`
LOG2_E, LN2_HIGH, LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
LOWEST_EXPONENT = np.float32(-87)

ATAN, SIGMOID, TRIANGLE, RECTANGLE = range(4)  # kinds of slope


_HERE = Path(__file__).parent
_DIGEST = digest_of([*_HERE.glob("_kernels*.py"), _HERE / "_fused_layout.py"])


def kernel(function: Callable[..., Any], *variant: int) -> Any:
    """Compile at the first call, to run without the GIL; kept on disk. `variant`: see `named`."""
    return kept(helper(function, *variant), function, _DIGEST)


def helper(function: Callable[..., Any], *variant: int) -> Any:
    """Compile as a part of the kernels that call it."""
    return numba.njit(nogil=True, error_model="numpy")(named(function, variant))


def helper_of(*variant: int) -> Callable[[Callable[..., Any]], Any]:
    """`helper` for a function that is made anew for every `variant`."""
    return lambda function: helper(function, *variant)


@intrinsic
def take(typing_context, counter):  # type: ignore[no-untyped-def]
    """counter[0]++ as one indivisible step: threads take the next piece of work from it."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        array = context.make_array(counter)(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), generate


@intrinsic
def bits_of(typing_context, value):  # type: ignore[no-untyped-def]
    """The 32 bits of a float32."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@intrinsic
def from_bits(typing_context, bits):  # type: ignore[no-untyped-def]
    """The float32 with these 32 bits."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), generate


def unpack(value: Any) -> Any:
    """A stored number as float32: float32 itself, or the upper half of one in a uint16 (bfloat16)."""
    raise NotImplementedError


def pack(value: Any, row: Any) -> Any:
    """A float32 as `row` stores it; bfloat16 is rounded to the nearest, ties to even."""
    raise NotImplementedError


@overload(unpack, jit_options={"error_model": "numpy"})
def _unpack(value):  # type: ignore[no-untyped-def]
    if value == types.uint16:
        return lambda value: from_bits(np.uint32(value) << np.uint32(16))
    return lambda value: value


@overload(pack, jit_options={"error_model": "numpy"})
def _pack(value, row):  # type: ignore[no-untyped-def]
    if row.dtype == types.uint16:
        return lambda value, row: _round(value)
    return lambda value, row: value


@helper
def _round(value):  # type: ignore[no-untyped-def]
    bits = bits_of(value)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.uint16(rounded) if value == value else np.uint16(0x7FC0)


@helper
def exp(x):  # type: ignore[no-untyped-def]
    """e^x for x in [-87, 0], to 2 units in the last place; written out because a call would keep the loop from being vectorised."""
    n = np.floor(x * LOG2_E + HALF)
    r = x - n * LN2_HIGH
    r = r - n * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + HALF
    p = p * r * r + r + ONE
    return p * from_bits(np.uint32(np.int32(n) + np.int32(127)) << np.uint32(23))


@helper
def slope_at(kind, alpha, gap):  # type: ignore[no-untyped-def]
    """dS/dH at gap = H - threshold, in the order in which SpikingJelly computes it (the sigmoid excepted)."""
    if kind == ATAN:
        z = gap * np.float32(np.pi / 2 * alpha)
        return (ONE / (ONE + z * z)) * np.float32(alpha * 0.5)
    width = np.float32(alpha)
    if kind == SIGMOID:
        e = exp(max(-abs(gap * width), LOWEST_EXPONENT))
        return width * e / ((ONE + e) * (ONE + e))
    if kind == TRIANGLE:
        return max(width - np.float32(alpha * alpha) * abs(gap), ZERO)
    return width if abs(gap) < np.float32(0.5 / alpha) else ZERO


@helper
def slope_row(kind, alpha, h, threshold, out):  # type: ignore[no-untyped-def]
    """out = dS/dH at H - threshold; a loop for each kind, so that each is vectorised."""
    if kind == ATAN:
        for i in range(len(h)):
            out[i] = slope_at(ATAN, alpha, h[i] - threshold)
    elif kind == SIGMOID:
        for i in range(len(h)):
            out[i] = slope_at(SIGMOID, alpha, h[i] - threshold)
    elif kind == TRIANGLE:
        for i in range(len(h)):
            out[i] = slope_at(TRIANGLE, alpha, h[i] - threshold)
    else:
        for i in range(len(h)):
            out[i] = slope_at(RECTANGLE, alpha, h[i] - threshold)


@helper
def lane_sum(row, lanes):  # type: ignore[no-untyped-def]
    """The sum of a row in float64, always in the same order; `lanes` is float64 scratch that lets it be vectorised."""
    lanes[:] = 0.0
    whole = len(row) - len(row) % len(lanes)
    for start in range(0, whole, len(lanes)):
        part = row[start : start + len(lanes)]
        for j in range(len(lanes)):
            lanes[j] += part[j]
    for j in range(len(row) - whole):
        lanes[j] += row[whole + j]
    total = 0.0
    for j in range(len(lanes)):
        total += lanes[j]
    return total
