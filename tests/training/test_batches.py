"""Batches: order and scale."""

import numpy as np
import pytest
import torch

import snn5.training._batches as batches_module
from snn5.datasets import Split
from snn5.training import in_order, samples
from snn5.training._batches import cut


def split(steps: int = 2, n: int = 5, scale: float | None = 16) -> Split:
    """Every value says where it is: step 100, sample 10, pixel 1 (of 2 x 2, one channel)."""
    t, s, p = np.ogrid[:steps, :n, :4]
    x_TNCHW = (100 * t + 10 * s + p).astype(np.uint8).reshape(steps, n, 1, 2, 2)
    return Split(x_TNCHW=x_TNCHW, y_N=np.arange(n) % 3, index_N=np.arange(n), info={} if scale is None else {"scale": scale})


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


def test_large_samples_come_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 values each: batches of 24 values hold 3, and of 7 still one."""
    for largest, sizes in ((24, [3, 2]), (7, [1] * 5), (40, [5])):
        monkeypatch.setattr(batches_module, "_LARGEST", largest)
        assert [len(y_N) for _, y_N in in_order(samples(split()), 256)] == sizes


def test_a_last_batch_of_one_is_left_out() -> None:
    order_N = torch.tensor([4, 2, 0, 1, 3])
    assert [index.tolist() for index in cut(order_N, 2)] == [[4, 2], [0, 1]]
    assert [index.tolist() for index in cut(order_N, 3)] == [[4, 2, 0], [1, 3]]
    assert [index.tolist() for index in cut(order_N, 3, smallest=4)] == []
    assert [index.tolist() for index in cut(order_N, 100)] == [[4, 2, 0, 1, 3]]
