"""How kernels meet the memory: rows at an address, asked for ahead of need, written past the cache.

A layer's currents and spikes do not fit into the cache, so the memory is what its kernels wait for. A plain store first reads the line
that it is going to overwrite; a streamed one does not (a third of all traffic). Streams stand still, though, at every locked instruction,
and numba counts references to an array that it made by two of them per slice: rows of scratch are therefore views of an address.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from snn5.neurons._fused_layout import LINE
from snn5.neurons._kernels_common import helper


@intrinsic
def _pointer(typing_context, address, like):  # type: ignore[no-untyped-def]
    """An address as a pointer to numbers of like's type."""
    kind = types.CPointer(like.dtype)

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(types.int64, like), generate


@helper
def row_at(address, count, like):  # type: ignore[no-untyped-def]
    """`count` numbers of like's type at an address (`Tensor.data_ptr`), as a flat array; an array per tensor costs the caller more than
    these loops do on a small layer. Address 0 is no array: an empty one. The caller keeps the memory."""
    return numba.carray(_pointer(address, like), count if address else 0)


@intrinsic
def allocate(typing_context, size):  # type: ignore[no-untyped-def]
    """The address of `size` new bytes, 0 if there are none; `free` it."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ptrtoint(context.nrt.allocate(builder, args[0]), ir.IntType(64))

    return types.int64(types.int64), generate


@intrinsic
def free(typing_context, address):  # type: ignore[no-untyped-def]
    """Give back what `allocate` gave; rows there are none any more."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        context.nrt.free(builder, builder.inttoptr(args[0], ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64), generate


@helper
def scratch(count):  # type: ignore[no-untyped-def]
    """Memory for `count` numbers of 32 bits: its address, to `free`, and that of its first whole line."""
    room = allocate(4 * count + LINE)
    if room == 0:
        raise MemoryError("no memory left for a block of neurons; use a smaller batch")
    return room, (room + LINE - 1) // LINE * LINE


def per_line(row: Any) -> int:
    """How many numbers of a row share a line, known to the compiler."""
    raise NotImplementedError


@overload(per_line)
def _per_line(row):  # type: ignore[no-untyped-def]
    count = LINE * 8 // row.dtype.bitwidth
    return lambda row: count


@intrinsic
def _fetch(typing_context, row, at):  # type: ignore[no-untyped-def]
    """Ask for the line in which row[at] lies."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        data = context.make_array(row)(context, builder, args[0]).data
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, near, data_cache = number(0), number(3), number(1)
        builder.call(prefetch, [builder.bitcast(builder.gep(data, [args[1]]), pointer), read, near, data_cache])
        return context.get_dummy_value()

    return types.void(row, types.int64), generate


@helper
def fetch_row(row):  # type: ignore[no-untyped-def]
    """Ask for a row that is read soon: hardware foresees one long row, not many short ones."""
    for at in range(0, len(row), per_line(row)):
        _fetch(row, at)


@intrinsic
def _stream_line(typing_context, row, out, at):  # type: ignore[no-untyped-def]
    """A line of `out` from the same numbers of `row`."""
    count = LINE * 8 // out.dtype.bitwidth

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = ir.VectorType(context.get_value_type(out.dtype), count)

        def place(array, its_type):  # type: ignore[no-untyped-def]
            data = context.make_array(its_type)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [args[2]]), kind.as_pointer())

        line = builder.load(place(args[0], row), align=out.dtype.bitwidth // 8)
        store = builder.store(line, place(args[1], out), align=LINE)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(row, out, types.int64), generate


@helper
def stream_row(row, out):  # type: ignore[no-untyped-def]
    """out = row, past the cache; `out` is whole lines, as long as `row`. Others see it after `settle_streams`."""
    for at in range(0, len(out), per_line(out)):
        _stream_line(row, out, at)


@intrinsic
def settle_streams(typing_context):  # type: ignore[no-untyped-def]
    """Wait until every thread sees what was streamed."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@helper
def copy_row(row, out):  # type: ignore[no-untyped-def]
    """out = row; numba's own assignment looks at every index."""
    for i in range(len(row)):
        out[i] = row[i]
