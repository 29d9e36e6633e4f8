"""The bets' guarantee, computed exactly, and the intervals that rest on it."""

from collections.abc import Iterator
from math import comb, exp, inf, log, log1p

import pytest

from headgate.release.analysis.e_process import (
    GRID,
    NO_CHANGE,
    PRIOR,
    RISES,
    EProcess,
    costs,
    gains,
    interval,
    likeliest,
    rises_only,
)

_SIDES = [(5, 45), (10, 90), (25, 25), (60, 20), (3, 300), (200, 200)]


def _factor(x: int, m: int, w: float, d: float) -> float:
    return exp(x * d - m * log1p(w * (exp(d) - 1)))


def _given_margins(canary: int, base: int, bad: int, odds: float) -> Iterator[tuple[int, float]]:
    """How many of the bad units are on the canary: Fisher's noncentral hypergeometric distribution."""
    possible = range(max(0, bad - base), min(bad, canary) + 1)
    weights = [comb(canary, x) * comb(base, bad - x) * odds**x for x in possible]
    return zip(possible, (each / sum(weights) for each in weights), strict=True)


def _binomial(n: int, p: float) -> list[float]:
    return [comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(n + 1)]


@pytest.mark.parametrize("odds", [1.0, 0.5], ids=["equally frequent", "less frequent on the canary"])
def test_no_bet_on_a_rise_is_expected_to_gain_while_there_is_none(odds: float) -> None:
    largest = max(
        sum(p * _factor(x, bad, canary / (canary + base), d) for x, p in _given_margins(canary, base, bad, odds))
        for canary, base in _SIDES
        for bad in (1, 2, 5, 20, 40)
        if bad <= canary + base
        for d in (RISES[0], log(1.5), log(3.0), RISES[-1])
    )

    assert largest <= 1 + 1e-9
    assert largest == pytest.approx(1.0, abs=1e-3) or odds < 1


@pytest.mark.parametrize("true_ratio", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("base_risk", [0.005, 0.05, 0.2])
def test_no_quotient_of_bets_is_expected_to_gain_on_the_true_ratio(true_ratio: float, base_risk: float) -> None:
    canary, base, d0 = 12, 30, log(true_ratio)
    w = canary / (canary + base)

    for d in GRID[::8]:
        expected = sum(
            p
            * q
            * _factor(x + y, x + y, w, 0.0)
            * exp(x * (d - d0))
            * exp(-(x + y) * (log1p(w * (exp(d) - 1)) - log1p(w * (exp(d0) - 1))))
            for x, p in enumerate(_binomial(canary, base_risk * true_ratio))
            for y, q in enumerate(_binomial(base, base_risk))
        )
        assert expected <= 1 + 1e-9


@pytest.mark.parametrize("share", [0.0, 0.01, 0.049, 0.05])
def test_no_bet_against_a_limit_is_expected_to_gain_below_it(share: float) -> None:
    for d in RISES[::8]:
        expected = sum(p * _factor(x, 80, 0.05, d) for x, p in enumerate(_binomial(80, share)))
        assert expected <= 1 + 1e-9


def test_the_prior_spreads_all_of_the_wealth_over_ratios_from_1_05_to_30() -> None:
    assert len(PRIOR) == len(RISES) == 64
    assert sum(PRIOR) == pytest.approx(1.0)
    assert exp(RISES[0]) == pytest.approx(1.05)
    assert exp(RISES[-1]) == pytest.approx(30.0)
    assert GRID[NO_CHANGE] == 0.0


def test_the_gains_are_the_formula_of_the_module() -> None:
    assert gains(3, 7, 0.2) == pytest.approx([log(_factor(3, 7, 0.2, d)) for d in GRID])
    assert costs(1.0) == pytest.approx(GRID)


def test_wealth_neither_appears_nor_vanishes_while_nothing_is_won() -> None:
    process = EProcess()
    for _ in range(500):
        process = process.after([0.0] * len(RISES))

        assert process.value == pytest.approx(1.0)


def test_a_rise_that_begins_late_is_found_though_much_was_lost_before() -> None:
    quiet, failing = rises_only(gains(0, 600, 0.2)), rises_only(gains(600, 600, 0.2))
    process, from_the_start = EProcess(), [0.0] * len(RISES)
    for each in [quiet] * 100 + [failing]:
        process = process.after(each)
        from_the_start = [a + b for a, b in zip(from_the_start, each, strict=True)]

    assert process.value > 1e100
    assert max(from_the_start) < 0


def test_wealth_stays_a_number_whatever_is_won() -> None:
    process = EProcess()
    for _ in range(5):
        process = process.after([1e9] * len(RISES))

    assert 1e200 < process.value < inf


def test_an_interval_holds_every_ratio_that_is_not_refuted_and_little_more() -> None:
    looks = [(4, 13, 0.1), (30, 61, 0.25), (55, 80, 0.5)]
    likelihood = [sum(x * d - m * log1p(w * (exp(d) - 1)) for x, m, w in looks) for d in GRID]
    mixture = log(
        sum(
            p / 2 * (exp(likelihood[NO_CHANGE + 1 + j]) + exp(likelihood[NO_CHANGE - 1 - j]))
            for j, p in enumerate(PRIOR)
        )
    )

    def stands(ratio: float) -> bool:
        value = sum(x * log(ratio) - m * log1p(w * (ratio - 1)) for x, m, w in looks)
        return mixture - value < log(1 / 0.05)

    low, high = interval(likelihood, 0.05)

    assert high is not None
    standing = [1 + j / 1000 for j in range(10_000) if stands(1 + j / 1000)]
    assert low <= standing[0] <= low * 1.01
    assert high >= standing[-1] >= high / 1.01


def test_nothing_seen_refutes_nothing() -> None:
    assert interval([0.0] * len(GRID), 0.05) == (0.0, None)


@pytest.mark.parametrize(
    ("x", "m", "ratio"),
    [(10, 20, 1.0), (40, 50, 4.0), (0, 5, 0.0), (5, 5, None)],
    ids=["as frequent", "four times", "none on the canary", "none on the stable side"],
)
def test_the_likeliest_ratio_of_two_equal_sides_is_that_of_their_counts(x: int, m: int, ratio: float | None) -> None:
    assert likeliest(gains(x, m, 0.5)) == (ratio if not ratio else pytest.approx(ratio, rel=0.005))
