"""Which sample goes into which split: by class, from a seed, and never two copies of one sample on different sides."""

import hashlib
from dataclasses import dataclass

import numpy as np

from snn5.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Positions of the samples of each split, in rising order.

    Attributes:
        train, val, test: int64 positions.
        dropped: samples outside the official test set that are copies of one inside it, and those of train that are copies of one in an
            official validation set; used nowhere.
        duplicates: number of samples that are a copy of an earlier one.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    dropped: np.ndarray
    duplicates: int


def first_copies(x_TNCHW: np.ndarray) -> np.ndarray:
    """For each sample the position of the first one with the same bytes (its own where it has no earlier copy)."""
    seen: dict[bytes, int] = {}
    digests = (hashlib.sha256(x_TNCHW[:, i].tobytes()).digest() for i in range(x_TNCHW.shape[1]))
    return np.array([seen.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)


def partition(
    y_N: np.ndarray,
    first_N: np.ndarray,
    test_N: np.ndarray | None,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    val_N: np.ndarray | None = None,
    keys_N: list[str] | None = None,
) -> Partition:
    """Divide N samples into train, validation and test, class by class.

    Each class gives round(fraction * samples) of its samples, at least one where it has three or more, to test and to validation,
    and the rest to train; copies of one sample stay together. An official test set stays whole: `test_fraction` is then unused,
    `val_fraction` is of the rest, and copies of a test sample outside it are dropped. The same holds for an official validation set and
    its copies in train.

    Args:
        y_N: class numbers. first_N: from `first_copies`. test_N: True for the official test set, or None.
        val_fraction, test_fraction: 0..1, of all samples that are not in an official test set.
        seed: >= 0; equal seeds give equal splits.
        val_N: True for the official validation set, or None.
        keys_N: hashes of the samples' files; a class is then divided in order of sha256(seed, key), so neither names nor the order of files
            have a say, and a sample that is added or taken away moves few others. None draws the order from the seed.

    Raises:
        UserError: a fraction or the seed is out of range, or a split would be empty.
    """
    if not (0 < val_fraction < 1 and 0 < test_fraction < 1 and val_fraction + test_fraction < 1 and seed >= 0):
        raise UserError(
            f"val_fraction={val_fraction}, test_fraction={test_fraction}, split_seed={seed}; "
            "need fractions above 0 with a sum below 1, and a seed of at least 0"
        )
    everyone = np.arange(len(y_N))
    official = np.zeros(len(y_N), bool) if test_N is None else test_N
    leaked = ~official & np.isin(first_N, first_N[official])
    validated = np.zeros(len(y_N), bool) if val_N is None else val_N & ~leaked
    leaked |= ~official & ~validated & np.isin(first_N, first_N[validated])
    pool = everyone[~official & ~validated & ~leaked]
    sides: dict[str, list[int]] = {"test": list(everyone[official]), "val": list(everyone[validated]), "train": []}
    for label in np.unique(y_N[first_N[pool]]):
        members = pool[y_N[first_N[pool]] == label]
        wanted = {
            "test": 0 if test_N is not None else _share(len(members), test_fraction),
            "val": 0 if val_N is not None else _share(len(members), val_fraction),
        }
        groups = np.unique(first_N[members])
        for first in _order(groups, seed, int(label), keys_N):
            copies = members[first_N[members] == first] if len(groups) < len(members) else [first]
            side = next((name for name, left in wanted.items() if left >= len(copies)), "train")
            wanted[side] = wanted.get(side, 0) - len(copies)
            sides[side].extend(int(i) for i in copies)
    for side, chosen in sides.items():
        if not chosen:
            raise UserError(f"{len(y_N)} samples leave the {side} split empty; provide more, or raise the fractions")
    train, val, test = (np.array(sorted(sides[side]), np.int64) for side in ("train", "val", "test"))
    return Partition(train=train, val=val, test=test, dropped=everyone[leaked], duplicates=int((first_N != everyone).sum()))


def _order(groups: np.ndarray, seed: int, label: int, keys_N: list[str] | None) -> np.ndarray:
    if keys_N is None:
        return np.random.default_rng([seed, label]).permutation(groups)
    return np.array(sorted(groups.tolist(), key=lambda i: hashlib.sha256(f"{seed} {keys_N[i]}".encode()).digest()), np.int64)


def _share(count: int, fraction: float) -> int:
    return max(1, round(count * fraction)) if count >= 3 else round(count * fraction)


def split_sha256(index_N: np.ndarray, y_N: np.ndarray) -> str:
    """The hash of who is in a split: sha256 over the (index, label) pairs, in order of index, as little-endian int64."""
    pairs = np.stack([index_N, y_N], axis=1)[np.argsort(index_N, kind="stable")]
    return hashlib.sha256(pairs.astype("<i8").tobytes()).hexdigest()


def samples_sha256(x_TNCHW: np.ndarray) -> str:
    """The hash of what is in a split: sha256 over its samples' bytes, in the array's order [T,N,C,H,W]."""
    return hashlib.sha256(np.ascontiguousarray(x_TNCHW).data).hexdigest()
