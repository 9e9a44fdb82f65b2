"""Success rates: what k successes in n runs prove."""

from scipy.stats import beta

PROVEN = 0.95  # target 3: the success rate whose lower bound must be reached


def lower_bound(successes: int, n: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson lower bound of a success rate: the B(1 - confidence; k, n - k + 1) quantile; 0 for k = 0.

    >>> round(lower_bound(59, 59), 4), round(lower_bound(30, 30), 3)
    (0.9505, 0.905)

    Source: Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934.
    """
    return float(beta.ppf(1 - confidence, successes, n - successes + 1)) if successes else 0.0


def needed(rate: float = PROVEN, failures: int = 0) -> int:
    """The smallest n for which n - `failures` successes in n runs prove `rate`.

    >>> needed(), needed(failures=1), needed(failures=2)
    (59, 93, 124)
    """
    n = failures + 1
    while lower_bound(n - failures, n) < rate:
        n += 1
    return n
