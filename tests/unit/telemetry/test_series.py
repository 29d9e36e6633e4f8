"""Series: rolled up, kept as long as they should be, and the same answer at whatever resolution it is read."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headgate.model.metric import MetricKey, Sample, merged, point_of, share_point
from headgate.store.metric_database import MetricDatabase, NewerDatabase
from headgate.telemetry.retention import DAY_S, HOUR_S, KEPT_S, segments

NOON = 1_795_262_400  # a day's noon: a multiple of every resolution
LATENCY = MetricKey(account_id="0" * 12, region="us-east-1", namespace="Test", name="Latency", unit="Milliseconds")


def _sample(at: int, value: float = 1.0, key: MetricKey = LATENCY) -> Sample:
    return Sample(key=key, at=at, point=point_of(value))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[MetricDatabase]:
    opened = MetricDatabase(tmp_path / "metrics.db", NOON)
    yield opened
    opened.close()


def _run(database: MetricDatabase, start: int, end: int, *, every: int) -> None:
    """One value a step, rolled up as time goes by."""
    for at in range(start, end, every):
        database.write([_sample(at, float(at % 100 + 1))], at + 1)
        database.roll(at + 1)


def test_points_of_a_second_are_merged(database: MetricDatabase) -> None:
    database.write([_sample(NOON, 1.0)], NOON)
    database.write([_sample(NOON, 3.0)], NOON)

    assert database.points(LATENCY, NOON, NOON + 1, 1, NOON) == {NOON: merged([point_of(1.0), point_of(3.0)])}


def test_a_minute_is_the_same_before_and_after_it_is_rolled_up(database: MetricDatabase) -> None:
    database.write([_sample(NOON + second, float(second + 1)) for second in range(60)], NOON + 60)
    before = database.points(LATENCY, NOON, NOON + 60, 60, NOON + 60)

    database.roll(NOON + 63)

    assert database.points(LATENCY, NOON, NOON + 60, 60, NOON + 63) == before
    assert before[NOON].count == 60


def test_what_comes_late_is_in_every_resolution(database: MetricDatabase) -> None:
    _run(database, NOON, NOON + 2 * HOUR_S, every=60)
    now = NOON + 2 * HOUR_S + 10
    database.roll(now)

    database.write([_sample(NOON + 60, 7.0)], now)

    assert database.points(LATENCY, NOON, NOON + HOUR_S, HOUR_S, now)[NOON].count == 61
    assert database.points(LATENCY, NOON, NOON + 300, 300, now)[NOON].count == 6
    assert database.points(LATENCY, NOON, NOON + 300, 60, now)[NOON + 60].count == 2


def test_what_is_older_than_seconds_are_kept_is_written_as_minutes(database: MetricDatabase) -> None:
    at = NOON - 13 * DAY_S + 17

    database.write([_sample(at, 1.0), _sample(at + 1, 2.0)], NOON)

    assert list(database.points(LATENCY, at - 17, at + 100, 1, NOON)) == [at - 17]
    assert database.points(LATENCY, NOON - 13 * DAY_S, NOON - 13 * DAY_S + HOUR_S, HOUR_S, NOON)


@pytest.mark.parametrize("level", KEPT_S)
def test_each_resolution_goes_when_its_time_is_over_and_the_coarser_one_stays(
    database: MetricDatabase, level: int
) -> None:
    _run(database, NOON, NOON + 2 * HOUR_S, every=600)
    now = NOON + KEPT_S[level] + 3 * HOUR_S
    database.roll(now)

    database.expire(now)

    tables = [each for each in KEPT_S if _rows(database, each)]
    assert tables == [each for each in KEPT_S if each > level]


def _rows(database: MetricDatabase, level: int) -> int:
    rows: int = database._connection.execute(f"SELECT count(*) FROM point_{level}").fetchone()[0]
    return rows


def test_a_metric_of_which_nothing_is_left_is_no_longer_known(database: MetricDatabase) -> None:
    database.write([_sample(NOON)], NOON)
    later = NOON + KEPT_S[HOUR_S] + 2 * HOUR_S

    database.roll(later)
    database.expire(later)

    assert database.find(lambda key: True) == []


@settings(deadline=None, max_examples=60)
@given(
    seconds=st.lists(st.integers(0, 3 * HOUR_S - 1), min_size=1, max_size=60),
    period=st.sampled_from([60, 300, 900, HOUR_S]),
    offset=st.integers(0, 120).map(lambda minutes: minutes * 60),
)
def test_every_value_is_in_exactly_one_period_whatever_the_resolution_read(
    seconds: list[int], period: int, offset: int
) -> None:
    database = MetricDatabase(":memory:", NOON)
    for second in sorted(seconds):
        database.write([_sample(NOON + second)], NOON + second + 1)
        database.roll(NOON + second + 1)
    now = NOON + 3 * HOUR_S + 200
    database.roll(now)

    found = database.points(LATENCY, NOON + offset, NOON + 3 * HOUR_S, period, now)
    database.close()

    expected: dict[int, int] = {}
    for second in seconds:
        if second >= offset:
            at = NOON + offset + (second - offset) // period * period
            expected[at] = expected.get(at, 0) + 1
    assert {at: point.count for at, point in found.items()} == expected


@given(
    start=st.integers(NOON - 500 * DAY_S, NOON).map(lambda at: at // 60 * 60),
    length=st.integers(1, 40 * DAY_S),
    period=st.sampled_from([1, 60, 300, 3600, DAY_S]),
)
def test_segments_cover_the_whole_range_once_and_in_order(start: int, length: int, period: int) -> None:
    rolled = {60: NOON - 60, 300: NOON - 300, HOUR_S: NOON - HOUR_S}

    found = list(segments(start, start + length, period, rolled, NOON))

    assert found[0].start == start
    assert found[-1].end == start + length
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(one.start < one.end for one in found)


def test_what_was_written_is_there_after_a_crash_and_is_rolled_up_then(tmp_path: Path) -> None:
    crashed = MetricDatabase(tmp_path / "metrics.db", NOON)
    crashed.write([_sample(NOON), _sample(NOON + 61)], NOON + 62)

    database = MetricDatabase(tmp_path / "metrics.db", NOON + 400)
    database.roll(NOON + 400)

    assert list(database.points(LATENCY, NOON, NOON + 300, 60, NOON + 400)) == [NOON, NOON + 60]
    assert database.points(LATENCY, NOON, NOON + 300, 300, NOON + 400)[NOON].count == 2
    database.close()
    crashed.close()


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    database = MetricDatabase(tmp_path / "metrics.db", NOON)
    database._connection.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(NewerDatabase, match="99"):
        MetricDatabase(tmp_path / "metrics.db", NOON)


def test_a_day_of_one_method_s_metrics_takes_less_than_a_hundred_bytes_a_metric_and_minute(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    database = MetricDatabase(path, NOON)
    names = ("Count", "4XXError", "5XXError", "Latency", "IntegrationLatency")
    keys = [replace(LATENCY, name=name) for name in names]
    minutes = 24 * 60
    for minute in range(minutes):
        at = NOON + minute * 60
        latency = merged(point_of(3.0 * 1.02 ** (number % 60)) for number in range(600))
        assert latency is not None
        shares = [share_point(600, 600), share_point(600, minute % 7), share_point(600, 0)]
        points = [*shares, latency, latency.copy()]
        database.write([Sample(key=key, at=at, point=point) for key, point in zip(keys, points, strict=True)], at + 60)
        database.roll(at + 62)
        if minute % 10 == 0:
            database.expire(at + 62)
    database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()

    assert path.stat().st_size / (minutes * len(names)) < 100
