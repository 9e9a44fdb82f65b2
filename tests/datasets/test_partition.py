"""Who goes where: stratified, disjoint, reproducible, copies together."""

import hashlib
import struct

import numpy as np
import pytest

from snn5.datasets import split_sha256
from snn5.datasets._partition import Partition, first_copies, partition
from snn5.errors import UserError


def divide(y_N: np.ndarray, *, first_N: np.ndarray | None = None, test_N: np.ndarray | None = None, seed: int = 5) -> Partition:
    first_N = np.arange(len(y_N)) if first_N is None else first_N
    return partition(y_N, first_N, test_N, val_fraction=0.15, test_fraction=0.25, seed=seed)


@pytest.fixture
def y_N() -> np.ndarray:
    return np.random.default_rng(0).choice(5, size=503, p=[0.4, 0.3, 0.2, 0.08, 0.02])


def test_disjoint_and_complete(y_N: np.ndarray) -> None:
    parts = divide(y_N)
    assert sorted(np.concatenate([parts.train, parts.val, parts.test])) == list(range(503))
    assert len(parts.dropped) == parts.duplicates == 0
    for side in (parts.train, parts.val, parts.test):
        assert (np.diff(side) > 0).all()


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_stratified_within_one_sample_per_class(y_N: np.ndarray, seed: int) -> None:
    parts = divide(y_N, seed=seed)
    for label in range(5):
        n = (y_N == label).sum()
        assert abs((y_N[parts.test] == label).sum() - 0.25 * n) <= 1
        assert abs((y_N[parts.val] == label).sum() - 0.15 * n) <= 1
        assert (y_N[parts.val] == label).sum() >= 1 and (y_N[parts.test] == label).sum() >= 1


def test_by_hand() -> None:
    # classes of 10 and 4: test round(2.5) = 2 and round(1.0) = 1, validation round(1.5) = 2 and max(1, round(0.6)) = 1
    y_N = np.array([0] * 10 + [1] * 4)
    parts = divide(y_N)
    assert np.bincount(y_N[parts.test]).tolist() == [2, 1]
    assert np.bincount(y_N[parts.val]).tolist() == [2, 1]
    assert np.bincount(y_N[parts.train]).tolist() == [6, 2]


def test_seed_decides(y_N: np.ndarray) -> None:
    assert (divide(y_N).test == divide(y_N).test).all()
    assert not np.array_equal(divide(y_N, seed=5).test, divide(y_N, seed=6).test)
    assert not np.array_equal(divide(y_N, seed=5).val, divide(y_N, seed=6).val)


def test_official_test_set_stays_whole(y_N: np.ndarray) -> None:
    test_N = np.arange(503) % 4 == 0
    parts = divide(y_N, test_N=test_N)
    assert (parts.test == np.flatnonzero(test_N)).all()
    for label in range(5):
        n = ((y_N == label) & ~test_N).sum()
        assert abs((y_N[parts.val] == label).sum() - 0.15 * n) <= 1


def test_copies_stay_together() -> None:
    rng = np.random.default_rng(2)
    x_TNCHW = rng.integers(0, 2, size=(1, 400, 1, 2, 4)).astype(np.uint8)  # 256 patterns for 400 samples
    first_N, y_N = first_copies(x_TNCHW), np.zeros(400, int)
    assert (first_N != np.arange(400)).sum() > 100
    parts = divide(y_N, first_N=first_N)
    seen = [{x_TNCHW[:, i].tobytes() for i in side} for side in (parts.train, parts.val, parts.test)]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert parts.duplicates == (first_N != np.arange(400)).sum()
    assert (len(parts.val), len(parts.test)) == (60, 100)  # shares are kept all the same


def test_first_copies_by_hand() -> None:
    x_TNCHW = np.array([3, 1, 3, 2, 1, 3], np.uint8).reshape(1, 6, 1, 1, 1)
    assert first_copies(x_TNCHW).tolist() == [0, 1, 0, 3, 1, 0]


def test_a_train_copy_of_an_official_test_sample_is_dropped_and_counted() -> None:
    y_N = np.zeros(20, int)
    test_N = np.arange(20) >= 16
    first_N = np.arange(20)
    first_N[17] = 3  # sample 17, in the test set, is a copy of sample 3
    first_N[18] = 3  # and so is sample 18
    parts = divide(y_N, first_N=first_N, test_N=test_N)
    assert parts.test.tolist() == [16, 17, 18, 19]
    assert parts.dropped.tolist() == [3]
    assert parts.duplicates == 2
    assert len(parts.train) + len(parts.val) == 15


def test_hash_by_hand() -> None:
    # pairs in order of index: (1, 7), (2, 9), each number as eight little-endian bytes
    expected = hashlib.sha256(struct.pack("<4q", 1, 7, 2, 9)).hexdigest()
    assert split_sha256(np.array([2, 1]), np.array([9, 7])) == expected
    assert split_sha256(np.array([1, 2]), np.array([7, 8])) != expected


def test_errors() -> None:
    with pytest.raises(UserError, match="4 samples leave the test split empty; provide more"):
        divide(np.array([0, 0, 1, 1]))
    with pytest.raises(UserError, match=r"val_fraction=0.6, test_fraction=0.5, .* sum below 1"):
        partition(np.zeros(9, int), np.arange(9), None, val_fraction=0.6, test_fraction=0.5, seed=0)
    with pytest.raises(UserError, match="split_seed=-1"):
        partition(np.zeros(9, int), np.arange(9), None, val_fraction=0.1, test_fraction=0.5, seed=-1)
