"""Counting requests: whose they are, what is counted of them, and that none is counted twice or lost."""

import asyncio

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.observation import Meter, Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import BackendTimeout
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.histogram import bucket_of
from headgate.model.ids import DeploymentId
from headgate.model.observation import Interval, Observation
from headgate.model.stage import CanarySettings, MethodSetting, Stage
from unit.dataplane.builders import ACCOUNT, API, REGION, FakePorts, a_call, a_definition, a_stage, an_http_proxy


def _canary(percent: float, deployment: str = "dep2") -> CanarySettings:
    return CanarySettings(deployment_id=DeploymentId(deployment), percent_traffic=percent)


def _stages(meters: Meters, stage: Stage | None = None) -> Stages:
    definitions = {
        name: a_definition(("/pets", an_http_proxy("http://backend/")), deployment_id=name) for name in ("dep1", "dep2")
    }
    stages = Stages()
    snapshot = compile_stage(stage or a_stage(), definitions, Buckets(), meters)
    stages.publish({(API, "prod"): snapshot}, frozenset({API}))
    return stages


def _serve(stages: Stages, ports: FakePorts, path: str = "/prod/pets") -> int:
    async def answered() -> int:
        return (await serve(a_call(f"/_aws/execute-api/{API}{path}"), stages, ports)).status

    return asyncio.run(answered())


def _meter(meters: Meters, interval: Interval | None = None) -> Meter:
    return meters.side(interval or _interval(meters), is_canary=False)


def _interval(meters: Meters, deployment: str = "dep1", canary: tuple[str, float] | None = None) -> Interval:
    return meters.interval(ACCOUNT, REGION, API, "orders", "prod", deployment, canary)


def test_statuses_are_counted_by_their_hundreds() -> None:
    meters = Meters()
    meter = _meter(meters)

    for status in (200, 302, 399, 400, 499, 500, 599):
        meter.record(status, 0.001, -1.0)

    [seen] = meters.take()
    assert (seen.count, seen.client_errors, seen.server_errors) == (7, 2, 2)


def test_latencies_are_milliseconds_in_buckets_with_exact_ends() -> None:
    meters = Meters()
    meter = _meter(meters)

    meter.record(200, 0.010, 0.004)
    meter.record(200, 0.030, -1.0)
    meter.record(200, 0.0, 0.0)

    [seen] = meters.take()
    assert seen.latency.sum == 40.0
    assert (seen.latency.min, seen.latency.max) == (0.0, 30.0)
    assert seen.latency.buckets == {bucket_of(10.0): 1, bucket_of(30.0): 1, 0: 1}
    assert seen.integration_latency is not None
    assert (seen.integration_latency.count, seen.integration_latency.sum) == (2, 4.0)


def test_what_was_taken_is_not_taken_again_and_what_comes_after_is() -> None:
    meters = Meters()
    meter = _meter(meters)
    meter.record(200, 0.001, -1.0)

    first = meters.take()
    nothing = meters.take()
    meter.record(200, 0.001, -1.0)
    second = meters.take()

    assert [each.count for each in first] == [1]
    assert nothing == []
    assert [each.count for each in second] == [1]


def test_an_interval_goes_on_until_a_deployment_or_the_weight_changes() -> None:
    meters = Meters()

    intervals = [
        _interval(meters),
        _interval(meters),
        _interval(meters, canary=("dep2", 10.0)),
        _interval(meters, canary=("dep2", 10.0)),
        _interval(meters, canary=("dep2", 25.0)),
        _interval(meters, canary=("dep3", 25.0)),
        _interval(meters, deployment="dep3"),
        _interval(meters),
    ]

    begun = [each.began_ms for each in intervals]
    assert begun[0] == begun[1]
    assert begun[2] == begun[3]
    assert sorted(set(begun)) == sorted({*begun}) == [begun[at] for at in (0, 2, 4, 5, 6, 7)]


def test_a_request_that_began_before_a_change_of_weight_is_counted_to_the_interval_it_began_in() -> None:
    meters = Meters()
    before = _stages(meters, a_stage(canary_settings=_canary(10.0)))
    _stages(meters, a_stage(canary_settings=_canary(50.0)))

    _serve(before, FakePorts())

    [seen] = meters.take()
    assert seen.interval.canary_percent == 10.0


def test_a_side_and_a_method_are_counted_on_their_own() -> None:
    meters = Meters()
    enabled = {"pets/GET": MethodSetting(metrics_enabled=True)}
    stage = a_stage(canary_settings=_canary(100.0), method_settings=enabled)
    stages = _stages(meters, stage)

    _serve(stages, FakePorts())
    _serve(stages, FakePorts(), path="/prod/none")

    assert {(seen.is_canary, seen.resource, seen.method, seen.count) for seen in meters.take()} == {
        (True, "/pets", "GET", 1),
        (True, "", "", 1),
    }


def _only(meters: Meters) -> Observation:
    [seen] = meters.take()
    return seen


def test_a_refusal_of_the_backend_has_its_time_in_the_backend_and_one_before_it_has_none() -> None:
    meters = Meters()
    ports = FakePorts()
    ports.failure = BackendTimeout()

    timed_out = _serve(_stages(meters), ports)
    late = _only(meters)
    unrouted = _serve(_stages(meters), ports, path="/prod/none")
    early = _only(meters)

    assert (timed_out, unrouted) == (504, 403)
    assert (late.server_errors, early.client_errors) == (1, 1)
    assert late.integration_latency is not None
    assert early.integration_latency is None


def test_a_defect_is_counted_as_the_500_that_the_client_reads() -> None:
    meters = Meters()
    ports = FakePorts()
    ports.failure = ZeroDivisionError()

    try:
        _serve(_stages(meters), ports)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the defect was hidden")

    assert _only(meters).server_errors == 1


def test_a_request_without_a_stage_is_nobody_s() -> None:
    meters = Meters()

    assert _serve(_stages(meters), FakePorts(), path="/nostage/pets") == 403
    assert meters.take() == []
