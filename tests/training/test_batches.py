"""Batches: order, scale, and the shift augmentation moved by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from snn5.datasets import Split
from snn5.training import Samples, in_order, samples
from snn5.training._batches import shift, shuffled


def split(steps: int = 2, n: int = 5, scale: float | None = 16) -> Split:
    """Every value says where it is: step 100, sample 10, pixel 1 (of 2 x 2, one channel)."""
    t, s, p = np.ogrid[:steps, :n, :4]
    x_TNCHW = (100 * t + 10 * s + p).astype(np.uint8).reshape(steps, n, 1, 2, 2)
    return Split(x_TNCHW=x_TNCHW, y_N=np.arange(n) % 3, index_N=np.arange(n), info={} if scale is None else {"scale": scale})


def moves(row: int, column: int, pixels: int) -> torch.Generator:
    """A generator whose first draw of one sample's move is (row, column), each from 0 to 2 `pixels`."""
    for seed in range(10000):
        generator = torch.Generator().manual_seed(seed)
        if torch.randint(0, 2 * pixels + 1, (1, 2), generator=generator).tolist() == [[row, column]]:
            return torch.Generator().manual_seed(seed)
    raise RuntimeError("no such seed")


def bounded_generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- samples and order


def test_a_batch_is_time_first_and_scaled() -> None:
    x_TNCHW, y_N = samples(split()).batch(torch.tensor([3, 1]))
    assert x_TNCHW.shape == (2, 2, 1, 2, 2) and x_TNCHW.dtype == torch.float32
    assert (x_TNCHW[1, 0, 0] * 16).tolist() == [[130, 131], [132, 133]]  # step 1, sample 3
    assert (x_TNCHW[0, 1, 0] * 16).tolist() == [[10, 11], [12, 13]]  # step 0, sample 1
    assert y_N.tolist() == [0, 1]


def test_without_a_scale_counts_stay_counts() -> None:
    x_TNCHW, _ = samples(split(scale=None)).batch(torch.tensor([1]))
    assert x_TNCHW.flatten().tolist() == [10, 11, 12, 13, 110, 111, 112, 113]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_in_order_gives_every_sample_once(size: int) -> None:
    batches = list(in_order(samples(split()), size))
    assert max(len(y_N) for _, y_N in batches) <= size
    assert torch.equal(torch.cat([x for x, _ in batches], 1), samples(split()).batch(torch.arange(5))[0])
    assert torch.cat([y for _, y in batches]).tolist() == [0, 1, 2, 0, 1]


def seen(data: Samples, size: int, seed: int, pixels: int = 0) -> list[int]:
    """The samples' numbers in the order of the batches (read from the tens of their first pixel)."""
    return [round(v * 16) // 10 for x, _ in shuffled(data, size, bounded_generator(seed), pixels) for v in x[0, :, 0, 0, 0].tolist()]


def test_shuffled_gives_every_sample_once_in_the_generators_order() -> None:
    data = samples(split(n=6))
    assert sorted(seen(data, 3, 0)) == list(range(6))
    assert seen(data, 3, 0) == seen(data, 3, 0) == torch.randperm(6, generator=bounded_generator(0)).tolist()
    assert seen(data, 3, 0) != seen(data, 3, 1)


def test_shuffled_keeps_labels_with_their_samples() -> None:
    for x_TNCHW, y_N in shuffled(samples(split(n=6)), 2, bounded_generator()):
        assert [round(v * 16) // 10 % 3 for v in x_TNCHW[0, :, 0, 0, 0].tolist()] == y_N.tolist()


def test_a_last_batch_of_one_is_left_out() -> None:
    data = samples(split(n=5))
    assert [len(y_N) for _, y_N in shuffled(data, 2, bounded_generator())] == [2, 2]
    assert [len(y_N) for _, y_N in shuffled(data, 3, bounded_generator())] == [3, 2]


def test_shuffling_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(shuffled(samples(split()), 2, bounded_generator(), 1))
    assert torch.equal(torch.get_rng_state(), before)


# --- shift, by hand: row 0, column 0 of the draw is a move by +`pixels` (down, right)


IMAGE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])


@pytest.mark.parametrize(
    ("row", "column", "moved"),
    [
        (1, 1, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),  # the middle of 0..2: stays
        (0, 1, [[0, 0, 0], [1, 2, 3], [4, 5, 6]]),  # down
        (2, 1, [[4, 5, 6], [7, 8, 9], [0, 0, 0]]),  # up
        (1, 0, [[0, 1, 2], [0, 4, 5], [0, 7, 8]]),  # right
        (1, 2, [[2, 3, 0], [5, 6, 0], [8, 9, 0]]),  # left
        (0, 2, [[0, 0, 0], [2, 3, 0], [5, 6, 0]]),  # down and left
    ],
)
def test_moves_by_hand(row: int, column: int, moved: list[list[int]]) -> None:
    out = shift(IMAGE[None, None, None], 1, moves(row, column, 1))
    assert out.shape == (1, 1, 1, 3, 3) and out[0, 0, 0].tolist() == moved


def test_a_move_of_two_pixels_on_an_image_that_is_not_square() -> None:
    wide = torch.arange(1.0, 9.0).reshape(1, 1, 1, 2, 4)  # 1 2 3 4 / 5 6 7 8
    assert shift(wide, 2, moves(2, 0, 2))[0, 0, 0].tolist() == [[0, 0, 1, 2], [0, 0, 5, 6]]
    assert shift(wide, 2, moves(3, 4, 2))[0, 0, 0].tolist() == [[7, 8, 0, 0], [0, 0, 0, 0]]


def move_of(out: Tensor, source: Tensor, pixels: int) -> tuple[int, int]:
    """The one (down, right) that turns `source` into `out`, zeros coming in."""
    height, width = source.shape
    found = []
    for down in range(-pixels, pixels + 1):
        for right in range(-pixels, pixels + 1):
            moved = torch.zeros_like(source)
            for r in range(height):
                for c in range(width):
                    if 0 <= r - down < height and 0 <= c - right < width:
                        moved[r, c] = source[r - down, c - right]
            if torch.equal(moved, out):
                found.append((down, right))
    assert len(found) == 1
    return found[0]


def test_all_steps_and_channels_of_a_sample_move_alike_and_samples_differ() -> None:
    x_TNCHW = 1 + torch.rand(3, 40, 2, 5, 4, generator=bounded_generator())
    out = shift(x_TNCHW, 2, bounded_generator(1))
    assert out.shape == x_TNCHW.shape and out.is_contiguous()
    moved = [move_of(out[0, n, 0], x_TNCHW[0, n, 0], 2) for n in range(40)]
    assert len(set(moved)) > 10  # of 25
    assert {d for d, _ in moved} == {r for _, r in moved} == {-2, -1, 0, 1, 2}
    for t in range(3):
        for c in range(2):
            assert [move_of(out[t, n, c], x_TNCHW[t, n, c], 2) for n in range(0, 40, 8)] == moved[::8]


def test_shift_is_the_generators_and_leaves_its_input() -> None:
    x_TNCHW = torch.rand(2, 8, 1, 4, 4, generator=bounded_generator())
    before = x_TNCHW.clone()
    assert torch.equal(shift(x_TNCHW, 1, bounded_generator(5)), shift(x_TNCHW, 1, bounded_generator(5)))
    assert not torch.equal(shift(x_TNCHW, 1, bounded_generator(5)), shift(x_TNCHW, 1, bounded_generator(6)))
    assert torch.equal(x_TNCHW, before)


def test_shuffled_shifts_when_asked() -> None:
    data = samples(split(n=6))
    (still, _), (moved, _) = (next(shuffled(data, 6, bounded_generator(2), pixels)) for pixels in (0, 1))
    assert not torch.equal(still, moved)
    assert set(moved.unique().tolist()) <= set(still.unique().tolist()) | {0.0}
