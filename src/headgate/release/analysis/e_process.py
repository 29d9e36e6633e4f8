"""Evidence that may be looked at at any time: bets on counts, of one form for all tests of a release.

An *e-process* is the wealth of somebody who begins with 1 and bets against a hypothesis at fair or worse odds. While
the hypothesis is true, the chance that the wealth ever reaches 1/alpha is at most alpha (Ville's inequality), however
often one looks and whatever one does in between. So one may stop, hold, jump or step back at any time.

The bet. Of `m` bad units, `x` were on the canary, which had the share `w` of all units. With d for the log of a risk
ratio, one look multiplies the wealth by

    exp(x*d - m*log(1 + w*(exp(d) - 1)))

Why its expectation is at most 1 where the canary's risk p_c is not above the stable side's p_s: with n_c and n_s units,
L = log(1 + w*(exp(d) - 1)) and log(1 + z) <= z,

    log E = n_c*log(1 + p_c*(exp(d - L) - 1)) + n_s*log(1 + p_s*(exp(-L) - 1))
         <= p_s*(n_c + n_s)*((1 - w + w*exp(d))*exp(-L) - 1) = 0

for any p_s, which may differ from look to look. The same lines show that where the ratio of the risks is exp(d0), the
*quotient* of the bets on d and d0 has an expectation of at most 1, for frequent events too; the interval of a ratio
rests on that. Within a look p may move as well, as long as the weight stays: given m, x is then hypergeometric, which
the binomial dominates in convex order (Hoeffding 1963). It is the conditional form of Lindon and Malek (NeurIPS 2022).

The same bet serves two more tests, in which it is the plain likelihood ratio of a binomial and d a log odds ratio:
- of a fixed limit: `m` units of the canary, `x` of them bad, `w` the limit;
- of the routing: `m` requests of both sides, `x` on the canary, `w` the configured weight.

Which d to bet on is not known, so the wealth is spread over a grid. Nor is known when trouble begins: a bet that has
been lost through an hour of good traffic would take as long to recover. So a quarter of the wealth is held back and
staked later, a part with each look (a mixture over the time of the change, as in Shiryaev's procedure): a mixture of
e-processes is one.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, expm1, inf, log, log1p
from typing import Final

from headgate.model.value import Value

_LEAST, _MOST, _POINTS = log(1.05), log(30.0), 64
RISES: Final = tuple(_LEAST + (_MOST - _LEAST) * j / (_POINTS - 1) for j in range(_POINTS))
"""Log ratios from 1.05 to 30."""
GRID: Final = (*(-d for d in reversed(RISES)), 0.0, *RISES)
NO_CHANGE: Final = _POINTS  # the place of 0.0 in the grid
_FACTORS: Final = tuple(expm1(d) for d in GRID)

FROM_THE_START: Final = 0.75  # of the wealth is staked at once, the rest later
LARGEST_LOG: Final = 600.0  # nobody needs more wealth, and JSON has no infinity
_LARGEST: Final = exp(LARGEST_LOG)


def _normal_density(d: float, deviation: float) -> float:
    return exp(-d * d / (2 * deviation * deviation))


def _prior() -> tuple[float, ...]:
    """Half spread evenly, half around small rises (half-normal, deviation 0.5)."""
    normal = [_normal_density(d, 0.5) for d in RISES]
    whole = sum(normal)
    return tuple(0.5 / _POINTS + 0.5 * each / whole for each in normal)


PRIOR: Final = _prior()
"""Of the rises; sums to 1."""
TWO_SIDED_LOG_PRIOR: Final = (*(log(p / 2) for p in reversed(PRIOR)), -inf, *(log(p / 2) for p in PRIOR))


@lru_cache(maxsize=256)
def costs(w: float) -> tuple[float, ...]:
    """log(1 + w*(exp(d) - 1)) over the grid: what one bad unit costs each bet. `w` is within [0, 1]."""
    return tuple([log1p(w * factor) for factor in _FACTORS])


def gains(x: int, m: int, w: float) -> list[float]:
    """The log of the factor by which each bet of the grid grows."""
    return [x * d - m * cost for d, cost in zip(GRID, costs(w), strict=True)]


def rises_only(values: Sequence[float]) -> Sequence[float]:
    return values[NO_CHANGE + 1 :]


class EProcess(Value, frozen=True):
    """Wealth by bet, before the prior is applied, and what it is worth with what is still held back."""

    wealth: tuple[float, ...] = ()
    stakes: int = 0  # how often some of what was held back has been staked
    value: float = 1.0

    def after(self, gains: Sequence[float], prior: Sequence[float] = PRIOR) -> "EProcess":
        """Stake some of what is held back, and have each bet grow. `gains` are logs, one per point of the prior."""
        stake = FROM_THE_START if self.stakes == 0 else (1 - FROM_THE_START) / (self.stakes * (self.stakes + 1))
        before = self.wealth or (0.0,) * len(prior)
        if max(gains) > LARGEST_LOG:
            gains = [min(gain, LARGEST_LOG) for gain in gains]
        wealth = [(w + stake) * exp(gain) for w, gain in zip(before, gains, strict=True)]
        if max(wealth) > _LARGEST:
            wealth = [min(w, _LARGEST) for w in wealth]
        held_back = (1 - FROM_THE_START) / (self.stakes + 1)
        value = held_back + sum([p * w for p, w in zip(prior, wealth, strict=True)])
        return EProcess(wealth=tuple(wealth), stakes=self.stakes + 1, value=min(value, _LARGEST))


def log_mean(logs: Sequence[float], log_weights: Sequence[float]) -> float:
    """log of the weighted mean of exponentials."""
    terms = [value + weight for value, weight in zip(logs, log_weights, strict=True)]
    most = max(terms)
    return most + log(sum([exp(each - most) for each in terms]))


def interval(likelihood: Sequence[float], alpha: float) -> tuple[float, float | None]:
    """The ratios (not their logs) that are not refuted at any look so far: a confidence sequence of level 1 - alpha.

    A ratio is refuted when the mixture over the whole grid has 1/alpha times its likelihood (the likelihood of the grid
    is in logs). Since that is concave in d, an end lies where the chord through two points inside, drawn on, meets the
    threshold, or before: ends err outwards. 0 and None where the grid ends first.
    """
    threshold = log_mean(likelihood, TWO_SIDED_LOG_PRIOR) + log(alpha)
    inside = [j for j, value in enumerate(likelihood) if value > threshold]
    first, last = inside[0], inside[-1]
    low = 0.0 if first == 0 else exp(_end(likelihood, first, -1, threshold))
    high = None if last == len(GRID) - 1 else exp(_end(likelihood, last, 1, threshold))
    return low, high


def _end(likelihood: Sequence[float], last: int, step: int, threshold: float) -> float:
    outside = GRID[last + step]
    fall = likelihood[last - step] - likelihood[last] if 0 <= last - step < len(GRID) else 0.0
    if fall <= 0:
        return outside
    reach = GRID[last] + (GRID[last] - GRID[last - step]) * (likelihood[last] - threshold) / fall
    return min(outside, reach) if step > 0 else max(outside, reach)


def likeliest(likelihood: Sequence[float]) -> float | None:
    """The ratio with the largest likelihood; None where it is beyond the grid, 0 where it is below."""
    best = max(range(len(GRID)), key=likelihood.__getitem__)
    if best in {0, len(GRID) - 1}:
        return None if best else 0.0
    # The top of the parabola through three points.
    (x0, x1, x2), (y0, y1, y2) = GRID[best - 1 : best + 2], likelihood[best - 1 : best + 2]
    rise, fall = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    if rise == fall:
        return exp(x1)
    return exp((x0 + x1) / 2 + rise * ((x2 - x0) / 2) / (rise - fall))
