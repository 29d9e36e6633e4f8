"""The interval of one share, valid at any time: the beta-binomial confidence sequence.

Howard, Ramdas, McAuliffe and Sekhon (Annals of Statistics 49, 2021), as `bernoulli_confidence_interval` of confseq.
"""

from collections.abc import Callable
from math import lgamma, log, log1p

_ROUNDS = 20  # of bisection: a millionth, far below what is shown


def best_rho(variance: float, alpha: float) -> float:
    """Where a two-sided mixture bound is to be tightest: its parameter for an intrinsic time of `variance`."""
    twice = 2 * log(1 / alpha)
    return variance / (twice + log1p(twice))


def beta_binomial_log_wealth(s: float, v: float, g: float, h: float, rho: float) -> float:
    """log of the two-sided mixture at sum `s` and intrinsic time `v`; steps lie within -g and h of their mean."""
    r, whole = rho - g * h, g + h
    return (
        v / (g * h) * log(whole)
        - (v + h * s) / (h * whole) * log(g)
        - (v - g * s) / (g * whole) * log(h)
        + _log_beta((r + v - g * s) / (g * whole), (r + v + h * s) / (h * whole))
        - _log_beta(r / (g * whole), r / (h * whole))
    )


def share_interval(bad: int, units: int, alpha: float, tightest_at: int = 500) -> tuple[float, float]:
    """The shares not refuted at level 1 - alpha after `bad` of `units`; narrowest after `tightest_at` units."""
    if units == 0:
        return 0.0, 1.0
    observed, threshold = bad / units, log(1 / alpha)

    def is_refuted(share: float) -> bool:
        spread = share * (1 - share)
        rho = best_rho(tightest_at * spread, 0.05)
        return beta_binomial_log_wealth(bad - units * share, units * spread, share, 1 - share, rho) >= threshold

    return _edge(is_refuted, observed, 0.0), _edge(is_refuted, observed, 1.0)


def _edge(is_refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Between a share that stands and one that does not; `outside` itself where all between stand."""
    nearly = outside + (inside - outside) * 1e-9
    if inside == outside or not is_refuted(nearly):
        return outside
    for _ in range(_ROUNDS):
        middle = (inside + outside) / 2
        if is_refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
