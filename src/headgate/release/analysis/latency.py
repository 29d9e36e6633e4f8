"""Histograms of two sides: the rank test, and the interval of a percentile. For display, and for a stage's end only.

Neither decides: the rank test is wrong as often as one looks (releases.md, 3.3), so verdicts rest on thresholds, see
`looks`. A histogram maps a bucket to a count; buckets are numbers in the order of the values that they hold.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import e, erfc, exp, inf, log, sqrt
from typing import Final

from headgate.model.value import Value

_LEAST_UNITS: Final = 100
_SCALE: Final = 0.85  # of the band: good from hundreds to millions of units
_EPOCHS: Final = [1 + j / 1000 for j in range(1, 500)]


class RankTest(Value, frozen=True):
    """`p` is two-sided; `superiority` is the chance that a request of the canary is slower than one of the stable side,
    ties counting half."""

    u: float
    z: float
    p: float
    superiority: float


def mann_whitney(canary: Mapping[int, int], base: Mapping[int, int]) -> RankTest | None:
    """The Mann-Whitney U test with ties, normal approximation, no continuity correction; None where a side is empty."""
    n_canary, n_base = sum(canary.values()), sum(base.values())
    if not (n_canary and n_base):
        return None
    both, below, u, ties = n_canary + n_base, 0, 0.0, 0
    for bucket in sorted({*canary, *base}):
        a, b = canary.get(bucket, 0), base.get(bucket, 0)
        u += a * (below + b / 2)
        below += b
        ties += (a + b) ** 3 - (a + b)
    pairs = n_canary * n_base
    variance = pairs / 12 * (both + 1 - ties / (both * (both - 1)))
    z = (u - pairs / 2) / sqrt(variance) if variance > 0 else 0.0
    return RankTest(u=u, z=z, p=erfc(abs(z) / sqrt(2)), superiority=u / pairs)


def distribution_band(units: int, alpha: float) -> float:
    """How far the share below any value may be from the one observed, for all values and whenever one looks.

    Howard and Ramdas, Bernoulli 28 (2022), theorem 2, from 100 units on; before that nothing is bounded.
    """
    if units < _LEAST_UNITS:
        return 1.0
    return _SCALE * sqrt((log(log(e * units / _LEAST_UNITS)) + _band_constant(alpha)) / units)


@lru_cache(maxsize=16)
def _band_constant(alpha: float) -> float:
    """The least constant with which the band is left with a chance of at most alpha."""
    low, high = 2.0, 60.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_leaving(middle) > alpha else (low, middle)
    return high


def _chance_of_leaving(constant: float) -> float:
    """The theorem's bound, with the best of its free parameter (the growth of the epochs)."""
    least = inf
    for growth in _EPOCHS:
        speed = sqrt(2 / growth) * (_SCALE - sqrt(2 * (growth - 1) / constant))
        if speed > 1:
            bound = 4 * exp(-speed * speed * constant) * (1 + 1 / ((speed * speed - 1) * log(growth)))
            least = min(least, bound)
    return least


def percentile_interval(counts: Mapping[int, int], percentile: float, alpha: float) -> tuple[int | None, int | None]:
    """The buckets between which a percentile (0 to 100) lies, whenever one looks; None where it is not bounded."""
    units = sum(counts.values())
    if not units:
        return None, None
    band = distribution_band(units, alpha)
    return _bucket_at(counts, (percentile / 100 - band) * units), _bucket_at(counts, (percentile / 100 + band) * units)


def _bucket_at(counts: Mapping[int, int], rank: float) -> int | None:
    if not 0 <= rank <= sum(counts.values()):
        return None
    below = 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below >= rank:
            return bucket
    return None
