from collections import Counter
from random import Random

import pytest
from scipy.stats import mannwhitneyu

from headgate.release.analysis.latency import distribution_band, mann_whitney, percentile_interval


@pytest.mark.parametrize("slower", [1.0, 1.1, 2.0])
def test_the_rank_test_on_a_histogram_is_that_of_its_values(slower: float) -> None:
    chance = Random(7)
    base = [int(chance.lognormvariate(3, 0.5)) for _ in range(400)]
    canary = [int(chance.lognormvariate(3, 0.5) * slower) for _ in range(90)]

    found = mann_whitney(Counter(canary), Counter(base))

    expected = mannwhitneyu(canary, base, method="asymptotic", use_continuity=False)
    assert found is not None
    assert found.u == expected.statistic
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.superiority == pytest.approx(expected.statistic / (400 * 90))


def test_two_sides_in_one_bucket_do_not_differ() -> None:
    found = mann_whitney({3: 10}, {3: 20})

    assert found is not None
    assert (found.z, found.p, found.superiority) == (0.0, 1.0, 0.5)


def test_an_empty_side_cannot_be_ranked() -> None:
    assert mann_whitney({}, {3: 20}) is None


def test_the_band_around_a_distribution_is_the_published_one() -> None:
    assert distribution_band(1000, 0.05) == pytest.approx(0.08204769, abs=1e-5)
    assert distribution_band(99, 0.05) == 1.0


def test_a_percentile_lies_between_the_buckets_around_its_rank() -> None:
    evenly = dict.fromkeys(range(100), 100)

    low, high = percentile_interval(evenly, 50, 0.05)

    assert low is not None
    assert high is not None
    band = 100 * distribution_band(10_000, 0.05)
    assert low == pytest.approx(50 - band, abs=1.5)
    assert high == pytest.approx(50 + band, abs=1.5)


def test_a_percentile_of_few_requests_has_no_bound() -> None:
    assert percentile_interval({5: 200}, 99, 0.05) == (5, None)
    assert percentile_interval({}, 99, 0.05) == (None, None)
