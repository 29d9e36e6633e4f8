"""The published numbers of confseq's own tests (R reference, tolerance 1e-5)."""

from math import log

import pytest

from headgate.release.analysis.shares import best_rho, beta_binomial_log_wealth, share_interval


def test_the_mixture_is_tuned_as_published() -> None:
    assert best_rho(100, 0.05) == pytest.approx(12.60056, abs=1e-5)


def test_the_beta_binomial_bound_is_the_published_one() -> None:
    bound = 31.4308

    rho = best_rho(100, 0.05)

    assert beta_binomial_log_wealth(bound, 100, 0.2, 0.8, rho) == pytest.approx(log(20), abs=1e-5)


def test_a_share_s_interval_is_the_published_one() -> None:
    assert share_interval(700, 1000, 0.05, tightest_at=100) == pytest.approx((0.651629, 0.745949), abs=1e-5)
    assert share_interval(1, 50, 0.05, tightest_at=50) == pytest.approx((0.0, 0.13489), abs=1e-5)


def test_the_interval_of_an_extreme_share_ends_there() -> None:
    assert share_interval(0, 0, 0.05) == (0.0, 1.0)
    assert share_interval(0, 1000, 0.05)[0] == 0.0
    assert share_interval(1000, 1000, 0.05)[1] == 1.0
    assert share_interval(1000, 1000, 0.05)[0] > 0.98
