"""Random numbers by counter: a draw depends on what it is for, not on how many came before it.

So a sample's draws stay the same whatever the batch it is shown in, the order of the samples or the number of workers.
"""

import numpy as np

_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = 10


def philox(counter: tuple[np.ndarray | int, ...], key: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Philox4x32-10: four random 32 bit words for every counter of four 32 bit words.

    Each of ten rounds maps (c0, c1, c2, c3) to (hi(m1 c2) ^ c1 ^ k0, lo(m1 c2), hi(m0 c0) ^ c3 ^ k1, lo(m0 c0)); the keys grow by Weyl
    constants from round to round.

    Args:
        counter: four arrays or numbers of 0 to 2^32 - 1 that can be broadcast together. key: two such numbers.

    Returns:
        Four uint64 arrays with values below 2^32.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    c0, c1, c2, c3 = (np.asarray(word).astype(np.uint64) & _LOW for word in counter)
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        c0, c1, c2, c3 = (
            (second >> _SHIFT) ^ c1 ^ np.uint64(k0),
            second & _LOW,
            (first >> _SHIFT) ^ c3 ^ np.uint64(k1),
            first & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uniform(counter: tuple[np.ndarray | int, ...], key: tuple[int, int]) -> np.ndarray:
    """One number of [0, 1) per counter, float64 in steps of 2^-32: the first word of `philox`."""
    return philox(counter, key)[0] * 2.0**-32
