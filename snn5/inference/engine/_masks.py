"""Masks of bits, 64 neurons in each, and the lists of numbers that are made of them: LLVM vectors, as in `_vectors`."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from snn5.inference.engine._vectors import I32, I64, _data, _splat, _store, _vector


@intrinsic(prefer_literal=True)
def list_ones(_context, lanes, numbers, at, mask, base):  # type: ignore[no-untyped-def]
    """numbers[at:] = base + the indices of the ones among the lowest `lanes` bits, rising; returns how many there are.

    Up to `lanes` numbers are overwritten.
    """
    n = lanes.literal_value

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, numbers_v, at_v, mask_v, base_v = args
        bases = _splat(builder, builder.trunc(base_v, I32), 16)
        data, kind = _data(context, builder, numbers, numbers_v), _vector(32, 16)
        pack = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind, _vector(1, 16), kind]), "llvm.experimental.vector.compress.v16i32"
        )
        for first in range(0, n, 16):
            part = builder.trunc(builder.lshr(mask_v, ir.Constant(I64, first)), ir.IntType(16))
            which = builder.add(ir.Constant(kind, list(range(first, first + 16))), bases)
            packed = builder.call(pack, [which, builder.bitcast(part, _vector(1, 16)), ir.Constant(kind, ir.Undefined)])
            _store(builder, packed, data, at_v)
            at_v = builder.add(at_v, builder.zext(builder.ctpop(part), I64))
        return builder.sub(at_v, args[2])

    return types.int64(lanes, numbers, types.int64, types.uint64, types.int64), make


@intrinsic(prefer_literal=True)
def fill(_context, lanes, numbers, at, value):  # type: ignore[no-untyped-def]
    """numbers[at : at + lanes] = value."""
    n = lanes.literal_value

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, numbers_v, at_v, value_v = args
        _store(builder, _splat(builder, builder.trunc(value_v, I32), n), _data(context, builder, numbers, numbers_v), at_v)
        return context.get_dummy_value()

    return types.none(lanes, numbers, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def lowest_bit(_context, mask):  # type: ignore[no-untyped-def]
    """Index of the lowest bit that is 1; the mask is not 0."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.true_bit)

    return types.int64(types.uint64), make


@intrinsic(prefer_literal=True)
def without_lowest(_context, mask):  # type: ignore[no-untyped-def]
    """The mask with its lowest 1 taken out."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.and_(args[0], builder.sub(args[0], ir.Constant(I64, 1)))

    return types.uint64(types.uint64), make
