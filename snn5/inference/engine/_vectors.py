"""Whole vectors of channels at once, written as LLVM vectors: the compiler keeps the sums of a position in registers, whatever the CPU.

A numba loop over a slice would load and store the sums again for every event. `lanes` is a literal, 16, 32 or 64; an array is given with
the index at which the vectors begin. Numbers wrap as in C; the caller sees to it that they never do.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)
FULL = 4095  # of the fraction of a decay
V_MAX = 2**23 - 1  # of a potential


def _vector(bits: int, lanes: int) -> Any:
    return ir.VectorType(ir.IntType(bits), lanes)


def _all(bits: int, lanes: int, value: int) -> Any:
    return ir.Constant(_vector(bits, lanes), [value] * lanes)


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _at(builder: Any, data: Any, index: Any, kind: Any) -> Any:
    """The address of data[index], as one of `kind`."""
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _load(builder: Any, data: Any, index: Any, bits: int, lanes: int) -> Any:
    return builder.load(_at(builder, data, index, _vector(bits, lanes)), align=bits // 8)


def _store(builder: Any, value: Any, data: Any, index: Any) -> None:
    builder.store(value, _at(builder, data, index, value.type), align=value.type.element.width // 8)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    """A scalar in every lane."""
    kind = ir.VectorType(value.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_vector(32, lanes), [0] * lanes))


def _widen(builder: Any, value: Any, bits: int, lanes: int) -> Any:
    return value if value.type.element.width == bits else builder.sext(value, _vector(bits, lanes))


def _loop(
    builder: Any, start: Any, stop: Any, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]], stride: int = 1
) -> list[Any]:
    """for i in range(start, stop, stride): carried = body(i, carried). What is `carried` stays in registers."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    index, values = builder.phi(I64), [builder.phi(value.type) for value in carried]
    index.add_incoming(start, before)
    for phi, value in zip(values, carried, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", index, stop), inside, after)
    builder.position_at_end(inside)
    following = body(index, values)
    index.add_incoming(builder.add(index, ir.Constant(I64, stride)), builder.block)
    for phi, value in zip(values, following, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values


@intrinsic(prefer_literal=True)
def add_rows(_context, lanes, bits, acc, acc_at, weights, block, rows, start, stop, factor):  # type: ignore[no-untyped-def]
    """acc[acc_at:] += factor * sum_i weights[rows[i] + block:], start <= i < stop, summed in `bits` bits; stop - start a multiple of 4."""
    n, wide = lanes.literal_value, bits.literal_value

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, acc_v, acc_i, w_v, block_v, rows_v, start_v, stop_v, factor_v = args
        acc_p, w_p, rows_p = (_data(context, builder, t, v) for t, v in ((acc, acc_v), (weights, w_v), (rows, rows_v)))

        def body(i: Any, sofar: list[Any]) -> list[Any]:
            [total] = sofar
            for j in range(4):
                row = builder.load(builder.gep(rows_p, [builder.add(i, ir.Constant(I64, j))]))
                where = builder.add(builder.sext(row, I64), block_v)
                total = builder.add(total, _widen(builder, _load(builder, w_p, where, weights.dtype.bitwidth, n), wide, n))
            return [total]

        [total] = _loop(builder, start_v, stop_v, [_all(wide, n, 0)], body, 4)
        total = _widen(builder, total, 32, n)
        total = builder.mul(total, _splat(builder, builder.trunc(factor_v, I32), n))
        _store(builder, builder.add(_load(builder, acc_p, acc_i, 32, n), total), acc_p, acc_i)
        return context.get_dummy_value()

    return types.none(lanes, bits, acc, types.int64, weights, types.int64, rows, types.int64, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def add_run(_context, lanes, sums, sums_at, weights, start, count, factor):  # type: ignore[no-untyped-def]
    """sums[sums_at + i] += weights[start + i] for i < count, a multiple of `lanes`, in the bits of `sums`; if these are 32, times `factor`.

    `lanes` as a position has channels: a load that spans what two stores have just written waits for both.
    """
    n, bits = lanes.literal_value, sums.dtype.bitwidth

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, sums_v, at_v, w_v, start_v, count_v, factor_v = args
        sums_p, w_p = _data(context, builder, sums, sums_v), _data(context, builder, weights, w_v)

        def body(i: Any, nothing: list[Any]) -> list[Any]:
            more = _widen(builder, _load(builder, w_p, builder.add(start_v, i), weights.dtype.bitwidth, n), bits, n)
            if bits == 32:
                more = builder.mul(more, _splat(builder, builder.trunc(factor_v, I32), n))
            where = builder.add(at_v, i)
            _store(builder, builder.add(_load(builder, sums_p, where, bits, n), more), sums_p, where)
            return nothing

        _loop(builder, ir.Constant(I64, 0), count_v, [], body, n)
        return context.get_dummy_value()

    return types.none(lanes, sums, types.int64, weights, types.int64, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def add_patch(_context, lanes, down, across, sums, sums_at, sums_row, weights, start, row, line, chan, first, stop):  # type: ignore[no-untyped-def]
    """Add the weights of a position's events to the rectangle of positions that they reach; `down` and `across` are literals.

        sums[sums_at + y sums_row + x lanes + c] += sum_i weights[start + chan[i] row + y line + x lanes + c]

    y < down, x < across, c < lanes, first <= i < stop, and there is an i. The sums stay in registers from the first event to the last.
    """
    n, high, wide, bits = lanes.literal_value, down.literal_value, across.literal_value, sums.dtype.bitwidth

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, _, sums_v, at_v, step_v, w_v, start_v, row_v, line_v, chan_v, first_v, stop_v = args
        sums_p, w_p, chan_p = (_data(context, builder, t, value) for t, value in ((sums, sums_v), (weights, w_v), (chan, chan_v)))
        grid = [(y, ir.Constant(I64, x * n)) for y in range(high) for x in range(wide)]
        rows = [builder.mul(step_v, ir.Constant(I64, y)) for y in range(high)]
        lines = [builder.mul(line_v, ir.Constant(I64, y)) for y in range(high)]
        places = [builder.add(builder.add(at_v, rows[y]), aside) for y, aside in grid]
        taps = [builder.add(builder.add(start_v, lines[y]), aside) for y, aside in grid]

        def body(i: Any, sofar: Any) -> Any:
            begin = builder.mul(builder.sext(builder.load(builder.gep(chan_p, [i])), I64), row_v)
            found = (_load(builder, w_p, builder.add(begin, tap), weights.dtype.bitwidth, n) for tap in taps)
            return [builder.add(value, _widen(builder, more, bits, n)) for value, more in zip(sofar, found, strict=True)]

        held = [_load(builder, sums_p, place, bits, n) for place in places]
        for value, place in zip(_loop(builder, first_v, stop_v, held, body), places, strict=True):
            _store(builder, value, sums_p, place)
        return context.get_dummy_value()

    whole = types.int64
    return types.none(lanes, down, across, sums, whole, whole, weights, whole, whole, whole, chan, whole, whole), make


@intrinsic(prefer_literal=True)
def peek(_context, array, index):  # type: ignore[no-untyped-def]
    """array[index] as int64, for whole numbers; the index is not negative, and nobody asks."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(builder.gep(_data(context, builder, array, args[0]), [args[1]]))
        return value if value.type == I64 else builder.sext(value, I64)

    return types.int64(array, types.int64), make


@intrinsic(prefer_literal=True)
def poke(_context, array, index, value):  # type: ignore[no-untyped-def]
    """array[index] = value, which it can hold; likewise."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _data(context, builder, array, args[0])
        builder.store(builder.trunc(args[2], data.type.pointee), builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def add_graded(_context, lanes, acc, acc_at, weights, block, rows, values, start, stop, factor):  # type: ignore[no-untyped-def]
    """acc[acc_at:] += factor * sum_i values[i] * weights[rows[i] + block:], start <= i < stop, in 32 bits."""
    n = lanes.literal_value

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, acc_v, acc_i, w_v, block_v, rows_v, values_v, start_v, stop_v, factor_v = args
        pairs = ((acc, acc_v), (weights, w_v), (rows, rows_v), (values, values_v))
        acc_p, w_p, rows_p, values_p = (_data(context, builder, t, v) for t, v in pairs)

        def body(i: Any, sofar: list[Any]) -> list[Any]:
            where = builder.add(builder.sext(builder.load(builder.gep(rows_p, [i])), I64), block_v)
            weight = _widen(builder, _load(builder, w_p, where, weights.dtype.bitwidth, n), 32, n)
            value = builder.mul(builder.load(builder.gep(values_p, [i])), builder.trunc(factor_v, I32))
            return [builder.add(sofar[0], builder.mul(weight, _splat(builder, value, n)))]

        [total] = _loop(builder, start_v, stop_v, [_load(builder, acc_p, acc_i, 32, n)], body)
        _store(builder, total, acc_p, acc_i)
        return context.get_dummy_value()

    return types.none(lanes, acc, types.int64, weights, types.int64, rows, values, types.int64, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def copy_shifted(_context, target, target_at, source, start, stop, shift):  # type: ignore[no-untyped-def]
    """target[target_at + i] = source[start + i] + shift, in vectors of 16: up to 15 entries behind the end are written, too."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target_v, at_v, source_v, start_v, stop_v, shift_v = args
        target_p, source_p = _data(context, builder, target, target_v), _data(context, builder, source, source_v)
        shifts = _splat(builder, builder.trunc(shift_v, I32), 16)
        away = builder.sub(at_v, start_v)

        def body(i: Any, nothing: list[Any]) -> list[Any]:
            _store(builder, builder.add(_load(builder, source_p, i, 32, 16), shifts), target_p, builder.add(i, away))
            return nothing

        _loop(builder, start_v, stop_v, [], body, 16)
        return context.get_dummy_value()

    return types.none(target, types.int64, source, types.int64, types.int64, types.int64), make


@intrinsic(prefer_literal=True)
def combine(_context, target, target_at, a, b, at, count, factor_a, factor_b):  # type: ignore[no-untyped-def]
    """target[target_at + i] = a[at + i] factor_a + b[at + i] factor_b for i < count, in vectors of 16: up to 15 more are written, too."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target_v, to_v, a_v, b_v, at_v, count_v, one_v, other_v = args
        target_p, a_p, b_p = (_data(context, builder, t, v) for t, v in ((target, target_v), (a, a_v), (b, b_v)))
        one, other = (_splat(builder, builder.trunc(value, I32), 16) for value in (one_v, other_v))

        def body(i: Any, nothing: list[Any]) -> list[Any]:
            where = builder.add(at_v, i)
            terms = (builder.mul(_load(builder, data, where, 32, 16), factor) for data, factor in ((a_p, one), (b_p, other)))
            _store(builder, builder.add(*terms), target_p, builder.add(to_v, i))
            return nothing

        _loop(builder, ir.Constant(I64, 0), count_v, [], body, 16)
        return context.get_dummy_value()

    whole = types.int64
    return types.none(target, whole, a, b, whole, whole, whole, whole), make


@intrinsic(prefer_literal=True)
def update(_context, lanes, fresh, clear, acc, acc_at, v, v_at, bias, threshold, c_at, keep, limit):  # type: ignore[no-untyped-def]
    """One step of a vector of neurons, as `loihi_step`; with `clear` the sums go to 0.

        V <- rtz(V keep / 4096) + 64 acc + bias      fires where V > threshold, and is 0 then

    Returns three bit masks: fired, left the range, V is not 0.

    `fresh`: V was 0 and is not read. |V| <= limit < 2^24 and keep <= 4096, so that V = h 4096 + l makes (h keep) + (l keep >> 12)
    exact in 32 bits.
    """
    n = lanes.literal_value

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, _, _, acc_v, acc_i, v_v, v_i, bias_v, threshold_v, c_i, keep_v, limit_v = args
        pairs = ((acc, acc_v), (v, v_v), (bias, bias_v), (threshold, threshold_v))
        acc_p, v_p, bias_p, threshold_p = (_data(context, builder, t, value) for t, value in pairs)
        zero = _all(32, n, 0)
        bits = acc.dtype.bitwidth
        sums = _widen(builder, _load(builder, acc_p, acc_i, bits, n), 32, n)
        new = builder.add(builder.shl(sums, _all(32, n, 6)), _load(builder, bias_p, c_i, 32, n))
        if clear.literal_value:
            _store(builder, _all(bits, n, 0), acc_p, acc_i)
        if not fresh.literal_value:
            old, factor = _load(builder, v_p, v_i, 32, n), _splat(builder, builder.trunc(keep_v, I32), n)
            sign = builder.ashr(old, _all(32, n, 31))
            size = builder.sub(builder.xor(old, sign), sign)
            high = builder.mul(builder.lshr(size, _all(32, n, 12)), factor)
            low = builder.lshr(builder.mul(builder.and_(size, _all(32, n, FULL)), factor), _all(32, n, 12))
            new = builder.add(new, builder.sub(builder.xor(builder.add(high, low), sign), sign))
        fired = builder.icmp_signed(">", new, _load(builder, threshold_p, c_i, 32, n))
        limits = _splat(builder, builder.trunc(limit_v, I32), n)
        outside = builder.icmp_unsigned(">", builder.add(new, limits), builder.add(limits, limits))
        new = builder.select(fired, zero, new)
        _store(builder, new, v_p, v_i)
        masks = (fired, outside, builder.icmp_signed("!=", new, zero))
        bits = [builder.bitcast(mask, ir.IntType(n)) for mask in masks]
        return context.make_tuple(builder, signature.return_type, [b if n == 64 else builder.zext(b, I64) for b in bits])

    arguments = (lanes, fresh, clear, acc, types.int64, v, types.int64, bias, threshold, types.int64, types.int64, types.int64)
    return types.UniTuple(types.uint64, 3)(*arguments), make
