"""Histograms: whatever the values, a percentile is within 1 % of the true one, and merging loses nothing."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.model.histogram import RELATIVE_ERROR, Buckets, bucket_of, buckets_of, lower_edge, merge, value_of
from headgate.model.metric import Point, merged, point_of
from headgate.telemetry.distribution import decode, encode
from headgate.telemetry.statistics import percentile, statistic

_SIZES = st.floats(min_value=1e-300, max_value=1e300)
_VALUES = st.one_of(st.just(0.0), _SIZES, _SIZES.map(lambda value: -value))


def _point(values: list[float]) -> Point:
    return Point(len(values), sum(values), min(values), max(values), buckets_of(values))


@given(_VALUES)
def test_a_bucket_stands_for_a_value_within_one_percent_of_each_that_it_holds(value: float) -> None:
    assert abs(value_of(bucket_of(value)) - value) <= 0.01 * abs(value)
    assert RELATIVE_ERROR < 0.01


@given(_VALUES, _VALUES)
def test_buckets_are_in_the_order_of_their_values(one: float, other: float) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@given(st.lists(st.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=200), st.floats(0, 100))
def test_any_percentile_is_within_one_percent_of_the_true_one(values: list[float], rank: float) -> None:
    point = _point(values)

    found = percentile(point, rank)

    true = sorted(values)[max(ceil(rank / 100 * len(values)) - 1, 0)]
    assert found is not None
    assert abs(found - true) <= 0.01 * true * (1 + 1e-9)


@given(st.lists(_VALUES, min_size=1), st.lists(_VALUES, min_size=1))
def test_two_histograms_merged_are_the_histogram_of_all_values(one: list[float], other: list[float]) -> None:
    into = buckets_of(one)

    merge(into, buckets_of(other))

    assert into == buckets_of(one + other)


@given(st.dictionaries(st.integers(-110_000, 110_000), st.integers(1, 2**40)))
def test_a_histogram_s_bytes_are_the_histogram(buckets: Buckets) -> None:
    assert decode(encode(buckets)) == buckets


def test_neighbouring_buckets_take_a_byte_each() -> None:
    buckets = dict.fromkeys(range(65_000, 65_100), 3)

    assert len(encode(buckets)) < 110


def test_the_lower_edge_belongs_to_the_bucket_and_what_is_below_it_to_the_one_before() -> None:
    bucket = bucket_of(12.5)

    assert bucket_of(lower_edge(bucket) * (1 + 1e-12)) == bucket
    assert bucket_of(lower_edge(bucket) * (1 - 1e-9)) == bucket - 1


def test_a_point_that_knows_no_single_values_takes_the_percentiles_of_all_it_is_merged_with() -> None:
    unknown = Point(10, 55.0, 1.0, 10.0, None)

    total = merged([point_of(5.0), unknown])

    assert total == Point(11, 60.0, 1.0, 10.0, None)
    assert percentile(total, 50) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sum", 5050.0),
        ("Average", 50.5),
        ("Minimum", 1.0),
        ("Maximum", 100.0),
        ("SampleCount", 100.0),
        ("p0", 1.0),
        ("p50", 50.0),
        ("p99.9", 100.0),
        ("p100", 100.0),
        ("tm90", 45.5),
        ("TM(10%:90%)", 50.5),
        ("IQM", 50.5),
        ("tc90", 90.0),
        ("ts90", 4095.0),
        ("wm90", 50.0),
        ("TC(20.5:30.5)", 10.0),
        ("TS(:10.5)", 55.0),
        ("TM(90.5:)", 95.5),
        ("PR(:25.5)", 25.0),
        ("PR(30.5:45.5)", 15.0),
    ],
)
def test_a_statistic_of_one_to_a_hundred(name: str, expected: float) -> None:
    compute = statistic(name)

    assert compute is not None
    assert compute(_point([float(value) for value in range(1, 101)])) == pytest.approx(expected, rel=0.012)


@pytest.mark.parametrize(
    "name", ["", "p", "p101", "p-1", "median", "tm", "TM(:)", "TM(10%:20)", "TM(90%:10%)", "PR(10%:20%)", "sum", "P99"]
)
def test_what_is_no_statistic(name: str) -> None:
    assert statistic(name) is None
