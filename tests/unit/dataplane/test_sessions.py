"""Sticky sides: who is one session, which side is its, and what is counted of it."""

import gc
import random
from typing import Final

import pytest

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.observation import Meters
from headgate.dataplane.sessions import BUCKETS, SessionCounter, SessionTables, canary_buckets, sticky_header
from headgate.dataplane.snapshot import StageSnapshot
from headgate.dataplane.throttle import Buckets
from headgate.model.call import Call
from headgate.model.histogram import bucket_of
from headgate.model.ids import DeploymentId
from headgate.model.metric import Point
from headgate.model.observation import Interval, SessionCounts, SessionMemories
from headgate.model.stage import CanarySettings, MethodSetting
from unit.dataplane.builders import API, a_call, a_definition, a_stage, an_http_proxy


def _call(*headers: tuple[str, str]) -> Call:
    return a_call(headers=[(name.encode(), value.encode()) for name, value in headers])


def _caller(number: int) -> Call:
    return _call(("Authorization", f"Bearer {number}"))


@pytest.mark.parametrize(
    ("setting", "call", "value"),
    [
        pytest.param("Authorization", _call(("authorization", "a")), "a", id="a header of any case"),
        pytest.param("x-user", _call(("X-User", "a"), ("X-User", "b")), "a", id="the first of several"),
        pytest.param("x-user", _call(("X-User", "")), None, id="an empty one is none"),
        pytest.param("x-user", _call(("X-Users", "a")), None, id="none"),
        pytest.param("cookie:id", _call(("Cookie", "a=b; id=c; id=d")), "c", id="a cookie among others"),
        pytest.param("cookie:id", _call(("Cookie", "a=b"), ("cookie", "id=c")), "c", id="in the second header"),
        pytest.param("cookie:id", _call(("Cookie", "id=a=b")), "a=b", id="with an equals sign in it"),
        pytest.param("cookie:id", _call(("Cookie", "ID=a; xid=b; id")), None, id="by its exact name"),
        pytest.param("cookie:id", _call(("Id", "a")), None, id="a header of its name is no cookie"),
    ],
)
def test_what_a_caller_is_known_by(setting: str, call: Call, value: str | None) -> None:
    bucket = sticky_header(setting, "dep2").bucket(call)

    expected = None if value is None else sticky_header("x", "dep2").bucket(_call(("x", value)))
    assert bucket == expected


def test_another_deployment_deals_anew() -> None:
    first, second = sticky_header("authorization", "dep1"), sticky_header("authorization", "dep2")

    same = sum(first.bucket(_caller(number)) == second.bucket(_caller(number)) for number in range(1000))

    assert same < 5


@pytest.mark.parametrize(
    ("percent", "buckets"), [(0.0, 0), (0.01, 7), (10.0, 6554), (50.0, 32_768), (99.99, 65_529), (100.0, BUCKETS)]
)
def test_the_canary_s_buckets(percent: float, buckets: int) -> None:
    assert canary_buckets(percent) == buckets


def _snapshot(percent: float, meters: Meters | None = None, *, metrics: bool = False) -> StageSnapshot:
    canary = CanarySettings(
        deployment_id=DeploymentId("dep2"), percent_traffic=percent, sticky_header="authorization", route_header="x=1"
    )
    settings = {"*/*": MethodSetting(metrics_enabled=metrics)}
    definitions = {
        name: a_definition(("/pets", an_http_proxy("http://backend/")), deployment_id=name) for name in ("dep1", "dep2")
    }
    stage = a_stage(canary_settings=canary, method_settings=settings)
    return compile_stage(stage, definitions, Buckets(), meters or Meters())


def test_who_is_on_the_canary_stays_there_while_the_weight_rises() -> None:
    ramp = [0.0, 1.0, 10.0, 25.0, 50.0, 100.0]
    snapshots = [_snapshot(percent) for percent in ramp]

    for number in range(500):
        sides = [stage.choose(_caller(number), draw=0.0).is_canary is True for stage in snapshots]
        assert sides == sorted(sides), f"caller {number} went back"

    shares = [sum(stage.choose(_caller(n), 0.0).is_canary is True for n in range(4000)) / 40 for stage in snapshots]
    assert shares == pytest.approx(ramp, abs=3.0)


def test_a_caller_that_is_not_known_is_drawn_by_chance() -> None:
    stage = _snapshot(25.0)

    assert [stage.choose(_call(), draw).is_canary for draw in (24.9, 25.0)] == [True, False]


def test_a_header_routes_to_the_canary_whatever_the_draw_and_the_caller() -> None:
    stage = _snapshot(0.0)

    routed = stage.choose(_call(("X", "1"), ("Authorization", "a")), draw=99.9)
    others = [stage.choose(_call(*headers), draw=0.0) for headers in ([("X", "2")], [("X", "")], [("Y", "1")], [])]

    assert routed.is_canary is True
    assert routed.meter.is_routed
    assert [each.is_canary for each in others] == [False] * 4


def _interval(percent: float, began_ms: int = 0, deployment: str = "dep2") -> Interval:
    return Interval(
        account_id="",
        region="",
        api_id=API,
        api_name="orders",
        stage_name="prod",
        deployment_id="dep1",
        canary_deployment_id=deployment,
        canary_percent=percent,
        began_ms=began_ms,
    )


def _counter(tables: SessionTables, interval: Interval) -> SessionCounter:
    return tables.counter(interval, sticky_header("authorization", interval.canary_deployment_id or ""))


def test_a_session_fails_once_a_release_and_is_at_risk_until_then() -> None:
    tables = SessionTables()
    counter = _counter(tables, _interval(50.0))
    half = BUCKETS // 2

    counter.record(5, 200, 4.0)
    counter.record(5, 500, 9.0)
    counter.record(5, 500, 9.0)
    counter.record(half, 499, 2.0)
    [first] = tables.take()
    counter.record(5, 500, 9.0)
    counter.record(6, 503, 1.0)
    [second] = tables.take()

    quick, slow = Point(1, 2.0, 2.0, 2.0, {bucket_of(2.0): 1}), Point(1, 4.0, 4.0, 4.0, {bucket_of(4.0): 1})
    new = Point(1, 1.0, 1.0, 1.0, {bucket_of(1.0): 1})
    assert first.canary == SessionCounts(at_risk=half, failed=1, active=1, first_failed=0, latency=slow)
    assert first.base == SessionCounts(at_risk=half, failed=0, active=1, first_failed=0, latency=quick)
    assert second.canary == SessionCounts(at_risk=half - 1, failed=1, active=1, first_failed=1, latency=new)
    assert second.base == SessionCounts(at_risk=half, failed=0, active=0, first_failed=0, latency=None)
    assert tables.take() == []


def test_sessions_that_failed_on_the_base_are_not_at_risk_on_the_canary_that_they_come_to() -> None:
    tables = SessionTables()
    before = _counter(tables, _interval(10.0))
    low, high = canary_buckets(10.0), canary_buckets(25.0)
    for bucket in (0, low, low + 1, high):
        before.record(bucket, 500, 1.0)
    tables.take()

    after = _counter(tables, _interval(25.0, began_ms=1))
    after.record(low, 500, 1.0)
    [seen] = tables.take()

    assert (seen.canary.at_risk, seen.canary.failed) == (high - 3, 0)
    assert (seen.base.at_risk, seen.base.failed) == (BUCKETS - high - 1, 0)


def test_a_release_s_memory_goes_with_the_last_stage_that_is_compiled_for_it() -> None:
    tables = SessionTables()
    counter: SessionCounter | None = _counter(tables, _interval(10.0))
    assert counter is not None
    counter.record(0, 500, 1.0)
    tables.take()
    kept = _counter(tables, _interval(25.0, began_ms=1))
    other = _counter(tables, _interval(25.0, began_ms=2, deployment="dep3"))
    for each in (kept, other):
        each.record(0, 500, 1.0)
    failed = {seen.interval.canary_deployment_id: seen.canary.failed for seen in tables.take()}

    del counter, kept, other, each
    gc.collect()

    assert failed == {"dep2": 0, "dep3": 1}
    assert repr(tables) == "<SessionTables 0 releases>"


@pytest.mark.parametrize("metrics", [False, True])
def test_a_stage_s_requests_are_counted_with_their_sessions_but_for_those_that_a_header_routes(
    *, metrics: bool
) -> None:
    meters = Meters()
    stage = _snapshot(100.0, meters, metrics=metrics)

    for headers in ([("Authorization", "a")], [("Authorization", "a")], [], [("Authorization", "b"), ("x", "1")]):
        call = _call(*headers)
        variant = stage.choose(call, draw=0.0)
        found = variant.routes.match("GET", "/pets")
        assert found is not None
        found[0].meter.record(500, 0.001, -1.0, call)

    [sessions] = meters.take_sessions()
    assert (sessions.canary.at_risk, sessions.canary.failed) == (BUCKETS, 1)
    assert sessions.canary.latency is not None
    assert sessions.canary.latency.count == 1
    assert {seen.is_routed: seen.count for seen in meters.take()} == {False: 3, True: 1}


_SALTS: Final = 300
_LOOKS: Final = ((10.0, 20), (25.0, 20), (50.0, 20))  # weight and seconds


def test_without_a_difference_failures_are_hypergeometric_over_the_sides_also_on_a_ramp() -> None:
    """Callers of all habits, a fixed story of who asks and fails when, dealt to the sides by 300 deployment ids."""
    chance = random.Random(7)
    callers = [_caller(number) for number in range(120)]
    # Some come every second, some once; some always fail, most rarely. A caller's requests fail together.
    habits = [(chance.choice([0.02, 0.3, 1.0]), chance.choice([0.0, 0.002, 0.05, 1.0])) for _ in callers]
    story = [
        [
            (caller, chance.random() < fails)
            for caller, (comes, fails) in enumerate(habits)
            for _ in range(3)  # requests in a second
            if chance.random() < comes
        ]
        for _ in range(sum(seconds for _, seconds in _LOOKS))
    ]
    scores: list[list[float]] = [[] for _ in _LOOKS]

    for salt in range(_SALTS):
        sticky = sticky_header("authorization", f"dep{salt}")
        buckets = [sticky.bucket(each) or 0 for each in callers]
        tables, at, kept = SessionTables(), 0, []
        for look, (percent, seconds) in enumerate(_LOOKS):
            counter = _counter(tables, _interval(percent, began_ms=look))
            kept.append(counter)
            for second in story[at : at + seconds]:
                for caller, fails in second:
                    counter.record(buckets[caller], 500 if fails else 200, 1.0)
            at += seconds
            [seen] = tables.take()
            sizes = seen.canary.at_risk + seen.base.at_risk
            failures = seen.canary.failed + seen.base.failed
            share = seen.canary.at_risk / sizes
            spread = failures * share * (1 - share) * (sizes - failures) / (sizes - 1)
            assert spread > 0
            scores[look].append((seen.canary.failed - failures * share) / spread**0.5)

    for each in scores:
        assert abs(sum(each) / _SALTS) < 4 / _SALTS**0.5
        assert sum(score * score for score in each) / _SALTS == pytest.approx(1.0, abs=4 * (2 / _SALTS) ** 0.5)


def _started_anew(tables: SessionTables) -> SessionTables:
    """Another process's tables, that know what these have given to be kept so far."""
    again = SessionTables()
    again.remember(tables.take_memories().changed)
    return again


def test_after_a_restart_nobody_is_counted_a_second_time() -> None:
    sticky = sticky_header("x-user", "dep2")
    tables = SessionTables()
    counter = tables.counter(_interval(50.0), sticky)
    counter.record(1, 500, 10.0)
    counter.record(2, 200, 10.0)
    tables.take()

    again = _started_anew(tables)
    counter = again.counter(_interval(50.0), sticky)
    for bucket in (1, 2, 3):
        counter.record(bucket, 500, 10.0)
    (seen,) = again.take()

    assert seen.canary.at_risk == BUCKETS // 2 - 1
    assert seen.canary.failed == 2  # of 2 and 3: 1 had failed before
    assert seen.canary.first_failed == 1  # of 3: the others had come before
    assert seen.canary.latency is not None
    assert seen.canary.latency.count == 1


def test_what_is_kept_is_of_one_release_and_goes_with_it() -> None:
    tables = SessionTables()
    counter = tables.counter(_interval(50.0), sticky_header("x-user", "dep2"))
    counter.record(1, 500, 10.0)

    again = _started_anew(tables)
    other = again.counter(_interval(50.0), sticky_header("x-user", "dep3"))
    other.record(1, 500, 10.0)
    (seen,) = again.take()
    assert seen.canary.failed == 1
    kept = again.take_memories()
    assert [each.sticky for each in kept.changed] == ["x-user\n\ndep3"]
    assert kept.over == ()  # the first may still be compiled

    del other, counter
    gc.collect()
    (over,) = again.take_memories().over
    assert over[2] == "x-user\n\ndep3"
    assert again.take_memories() == SessionMemories()


def test_what_has_not_changed_is_not_written_again() -> None:
    tables = SessionTables()
    counter = tables.counter(_interval(50.0), sticky_header("x-user", "dep2"))
    counter.record(1, 200, 10.0)
    tables.take_memories()

    counter.record(1, 200, 10.0)

    assert tables.take_memories().changed == ()
