"""Sums made event by event: the weights of a position's events are added to the outputs that it reaches, whole rows of channels at once.

The sums of a population are an image [rows, columns, channels] with a margin, into which events at the border write as well, so that no
event asks where it is: of 16 bits where spikes come in, of 32 bits where the network's input does. Then the neurons take their step (see
`_sweep`).
"""

from typing import Any

from snn5._compiled import named
from snn5.inference.engine import _table as k
from snn5.inference.engine._compiled import apart, helper, stay_apart
from snn5.inference.engine._vectors import add_patch, add_run, peek, poke


@helper
def scatter_input(p, source, s, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add what the network's input brings, event by event, its number times the weights; returns how many outputs were reached."""
    w8, strides, reach = program[2], program[7], program[8]
    chan, col, start, value, image = state[3], state[4], state[5], state[9], state[14]
    events, first = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.STARTS] + source[k.START_AT]
    width, image_at, image_row, columns = source[k.WIDTH], p[k.IMAGE_AT], p[k.IMAGE_ROW], s[k.REACH_X]
    weight_at, row, line, values = s[k.WEIGHT_AT], s[k.ROW], s[k.LINE], n * strides[k.VALUES]
    reached, narrow = 0, p[k.PADDED] == 16
    for y in range(source[k.HEIGHT]):
        i0, i1, at = peek(start, first + y * width), peek(start, first + (y + 1) * width), s[k.REACH_Y] + 4 * y
        target, taps, weights, inside = image_at + peek(reach, at), peek(reach, at + 1), weight_at + peek(reach, at + 2), 0
        for i in range(i0, i1):
            x = columns + 4 * peek(col, events + i)
            to, lanes, begin = target + peek(reach, x), peek(reach, x + 1), weights + peek(chan, events + i) * row + peek(reach, x + 2)
            inside += peek(reach, x + 3)
            factor = peek(value, values + i)
            for _ in range(taps):
                if narrow:
                    add_run(16, image, to, w8, begin, lanes, factor)
                else:
                    add_run(32, image, to, w8, begin, lanes, factor)
                to += image_row
                begin += line
        reached += inside * peek(reach, at + 3)
    return reached


def _scatter(lanes: int) -> Any:
    two, three = 2 * lanes, 3 * lanes

    def scatter(p, source, s, events, first, w8, reach, chan, start, image):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
        """Add what the spikes of a step bring through a bundle of synapses, position by position; returns how many outputs were hit."""
        stay_apart()
        width, image_at, image_row, columns = source[k.WIDTH], p[k.IMAGE_AT], p[k.IMAGE_ROW], s[k.REACH_X]
        weight_at, row, line, reached = s[k.WEIGHT_AT], s[k.ROW], s[k.LINE], 0
        for y in range(source[k.HEIGHT]):
            at = s[k.REACH_Y] + 4 * y
            target, down, weights, inside = image_at + peek(reach, at), peek(reach, at + 1), weight_at + peek(reach, at + 2), 0
            if not down:
                continue
            i1, x = events + peek(start, first + y * width), columns
            for position in range(first + y * width + 1, first + (y + 1) * width + 1):
                i0, i1, across = i1, events + peek(start, position), peek(reach, x + 1)
                if i0 < i1 and across:
                    to, begin = target + peek(reach, x), weights + peek(reach, x + 2)
                    inside += peek(reach, x + 3) * (i1 - i0)
                    if down == 3 and across == three:
                        add_patch(lanes, 3, 3, image, to, image_row, w8, begin, row, line, chan, i0, i1)
                    elif down == 2 and across == two:
                        add_patch(lanes, 2, 2, image, to, image_row, w8, begin, row, line, chan, i0, i1)
                    elif down == 2 and across == lanes:
                        add_patch(lanes, 2, 1, image, to, image_row, w8, begin, row, line, chan, i0, i1)
                    elif down == 1 and across == two:
                        add_patch(lanes, 1, 2, image, to, image_row, w8, begin, row, line, chan, i0, i1)
                    else:
                        for _ in range(down):
                            for tap in range(0, across, lanes):
                                add_patch(lanes, 1, 1, image, to + tap, image_row, w8, begin + tap, row, line, chan, i0, i1)
                            to += image_row
                            begin += line
                x += 4
            reached += inside * peek(reach, at + 3)
        return reached

    return apart(named(scatter, (lanes,)))


@helper
def scatter_own(p, source, s, n, program, state):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """`scatter` where each channel hears its own only."""
    w8, strides, reach = program[2], program[7], program[8]
    chan, start, image = state[3], state[5], state[13]
    events, first = n * strides[k.EVENTS] + source[k.EVENT_AT], n * strides[k.STARTS] + source[k.START_AT]
    width, image_at, image_row, columns, padded = source[k.WIDTH], p[k.IMAGE_AT], p[k.IMAGE_ROW], s[k.REACH_X], p[k.PADDED]
    weight_at, line, reached = s[k.WEIGHT_AT], s[k.LINE], 0
    for y in range(source[k.HEIGHT]):
        at = s[k.REACH_Y] + 4 * y
        target, down, weights, inside = image_at + peek(reach, at), peek(reach, at + 1), weight_at + peek(reach, at + 2), 0
        if not down:
            continue
        i1, x = events + peek(start, first + y * width), columns
        for position in range(first + y * width + 1, first + (y + 1) * width + 1):
            i0, i1, across = i1, events + peek(start, position), peek(reach, x + 1)
            if across:
                inside += peek(reach, x + 3) * (i1 - i0)
                for i in range(i0, i1):
                    c = peek(chan, i)
                    to, begin = target + peek(reach, x) + c, weights + peek(reach, x + 2) + c
                    for _ in range(down):
                        for tap in range(0, across, padded):
                            poke(image, to + tap, peek(image, to + tap) + peek(w8, begin + tap))
                        to += image_row
                        begin += line
            x += 4
        reached += inside * peek(reach, at + 3)
    return reached


scatter_16, scatter_32, scatter_64 = _scatter(16), _scatter(32), _scatter(64)
