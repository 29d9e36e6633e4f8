"""What the gateway counted is what clients saw: by side of a canary, across changes of weight, and after a crash.

A question of metrics has all requests in it that were answered before it, so nothing here waits.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.apis import Api
from support.functions import create_function
from support.metrics import statistic
from support.server import RunningServer, closing, data_options, fetch, launch, running

_FAILING = """
def handle(event, context):
    if event.get("fail"):
        raise ValueError("as told")
    return {}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


def _sides(api: Api, stage: str = "prod") -> list[dict[str, Any]]:
    intervals: list[dict[str, Any]] = fetch(f"{api.server.url}/_headgate/stages/{api.id}/{stage}/sides?step=60").json[
        "intervals"
    ]
    return intervals


def _blue_and_green(server: RunningServer, name: str) -> Api:
    """A stage that answers "blue", with a canary of half its traffic that answers 500 and "green"."""
    api = Api(server, name)
    api.mock(api.root, body="blue")
    api.deploy("prod")
    api.mock(api.root, body="green", status=500)
    api.deploy("prod", canarySettings={"percentTraffic": 50.0})
    return api


def _ask(api: Api, times: int) -> Counter[str]:
    return Counter(api.get().body.decode() for _ in range(times))


def test_both_sides_of_a_canary_are_counted_exactly_as_clients_saw_them(server: RunningServer) -> None:
    api = _blue_and_green(server, "both-sides")

    seen = _ask(api, 200)

    def total(name: str, **dimensions: str) -> float:
        return statistic(server, "AWS/ApiGateway", name, ApiName="both-sides", **dimensions)

    assert 0 < seen["green"] < 200
    assert total("Count", Stage="prod") == seen["blue"]
    assert total("Count", Stage="prod/Canary") == seen["green"]
    assert total("5XXError", Stage="prod") == 0
    assert total("5XXError", Stage="prod/Canary") == seen["green"]
    assert total("Count") == 200
    assert total("5XXError") == seen["green"]


def test_zeros_are_counted_so_that_the_average_is_the_error_rate(server: RunningServer) -> None:
    api = _blue_and_green(server, "rates")

    seen = _ask(api, 100)

    rate = statistic(server, "AWS/ApiGateway", "5XXError", "Average", ApiName="rates")
    assert rate == pytest.approx(seen["green"] / 100)
    assert statistic(server, "AWS/ApiGateway", "4XXError", "SampleCount", ApiName="rates") == 100


def test_each_change_of_weight_begins_an_interval_and_another_change_does_not(server: RunningServer) -> None:
    api = _blue_and_green(server, "intervals")

    first = _ask(api, 60)
    api.patch_stage("prod", ("replace", "/description", "no change of traffic"))
    first += _ask(api, 40)
    api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "10.0"))
    second = _ask(api, 50)
    api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "50.0"))
    third = _ask(api, 50)

    intervals = _sides(api)
    assert [each["percentTraffic"] for each in intervals] == [50.0, 10.0, 50.0]
    assert [(each["base"]["count"], each["canary"]["count"]) for each in intervals] == [
        (seen["blue"], seen["green"]) for seen in (first, second, third)
    ]
    assert [each["canary"]["5XX"] for each in intervals] == [seen["green"] for seen in (first, second, third)]
    stage = api.stage()
    assert {each["deploymentId"] for each in intervals} == {stage["deploymentId"]}
    assert {each["canaryDeploymentId"] for each in intervals} == {stage["canarySettings"]["deploymentId"]}


def test_the_latencies_of_a_side_are_a_histogram_of_all_its_requests(server: RunningServer) -> None:
    api = _blue_and_green(server, "latencies")

    seen = _ask(api, 80)

    [interval] = _sides(api)
    latency = interval["canary"]["latencyMs"]
    assert sum(count for _, count in latency["buckets"]) == seen["green"] == latency["count"]
    assert latency["min"] <= latency["p50"] <= latency["p99"] <= latency["max"]
    assert interval["canary"]["integrationLatencyMs"]["sum"] <= latency["sum"]


def test_a_method_has_series_of_its_own_once_its_metrics_are_enabled(server: RunningServer) -> None:
    api = Api(server, "methods")
    api.mock(api.resource("pets"))
    api.mock(api.resource("shops"))
    api.deploy("prod")
    api.patch_stage("prod", ("replace", "/~1pets/GET/metrics/enabled", "true"))

    for path in ("/pets", "/pets", "/shops"):
        assert api.get(path=path).status == 200

    def total(**dimensions: str) -> float:
        return statistic(server, "AWS/ApiGateway", "Count", ApiName="methods", **dimensions)

    assert total(Stage="prod", Resource="/pets", Method="GET") == 2
    assert total(Stage="prod", Resource="/shops", Method="GET") == 0
    assert total(Stage="prod") == total() == 3


def test_a_throttled_request_is_counted_as_one_and_a_request_without_a_stage_is_nobody_s(
    server: RunningServer,
) -> None:
    api = Api(server, "throttled")
    api.mock(api.root)
    api.deploy("prod")
    api.patch_stage("prod", ("replace", "/*/*/throttling/rateLimit", "0"))

    answers = [api.get().status, api.get().status, api.get("nostage").status, api.get(path="/nothing").status]

    [interval] = _sides(api)
    counted = {name: interval["base"][name] for name in ("count", "4XX", "throttles")}
    assert answers == [429, 429, 403, 403]
    assert counted == {"count": 3, "4XX": 3, "throttles": 2}
    assert interval["base"]["integrationLatencyMs"] is None


def test_functions_are_counted_by_name_by_alias_and_by_executed_version(server: RunningServer) -> None:
    create_function(server, "counted", _FAILING)
    functions = server.client("lambda")
    versions = [functions.publish_version(FunctionName="counted")["Version"]]
    functions.update_function_configuration(FunctionName="counted", Description="another")
    versions.append(functions.publish_version(FunctionName="counted")["Version"])
    functions.create_alias(
        FunctionName="counted",
        Name="live",
        FunctionVersion=versions[0],
        RoutingConfig={"AdditionalVersionWeights": {versions[1]: 0.5}},
    )

    ran = Counter(
        functions.invoke(
            FunctionName="counted", Qualifier="live", Payload=json.dumps({"fail": number % 4 == 0}).encode()
        )["ExecutedVersion"]
        for number in range(40)
    )
    functions.invoke(FunctionName="counted", Payload=b"{}")

    def total(name: str, which: str = "Sum", **dimensions: str) -> float:
        return statistic(server, "AWS/Lambda", name, which, **dimensions)

    assert total("Invocations", FunctionName="counted") == 41
    assert total("Errors", FunctionName="counted") == 10
    assert total("Invocations", FunctionName="counted", Resource="counted:live") == 40
    assert total("Invocations", FunctionName="counted", Resource="counted") == 1
    for version in versions:
        executed = {"FunctionName": "counted", "Resource": "counted:live", "ExecutedVersion": version}
        assert total("Invocations", **executed) == ran[version]
    assert total("Duration", "SampleCount", FunctionName="counted") == 41
    assert total("ConcurrentExecutions", "Maximum", FunctionName="counted") == 1
    assert total("Throttles", FunctionName="counted") == 0


def test_asynchronous_calls_are_counted_and_what_was_dropped(server: RunningServer) -> None:
    create_function(server, "later", _FAILING)
    functions = server.client("lambda")
    functions.put_function_event_invoke_config(FunctionName="later", MaximumRetryAttempts=0)

    for fail in (True, False, True):
        functions.invoke(FunctionName="later", InvocationType="Event", Payload=json.dumps({"fail": fail}).encode())

    def total(name: str, which: str = "Sum") -> float:
        return statistic(server, "AWS/Lambda", name, which, FunctionName="later", Resource="later")

    assert total("AsyncEventsReceived") == 3
    ends = time.monotonic() + 60
    while total("Invocations") < 3 or total("AsyncEventsDropped") < 2:
        assert time.monotonic() < ends
    assert total("AsyncEventsDropped") == 2
    assert total("AsyncEventAge", "SampleCount") == 3


def test_after_kill_9_only_what_was_not_flushed_yet_may_be_missing(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        api = _blue_and_green(server, "crashed")
        flushed = _ask(api, 100)
        assert statistic(server, "AWS/ApiGateway", "Count", ApiName="crashed") == 100  # what is answered is written
        _ask(api, 20)
        server.kill()

    with closing(launch(*data_options(tmp_path))) as server:
        counted = statistic(server, "AWS/ApiGateway", "Count", ApiName="crashed")
        green = statistic(server, "AWS/ApiGateway", "5XXError", ApiName="crashed")

        assert 100 <= counted <= 120
        assert flushed["green"] <= green <= flushed["green"] + 20


def test_a_stop_writes_what_is_counted(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        _ask(_blue_and_green(server, "stopped"), 30)
        assert server.stop() == 0

    with closing(launch(*data_options(tmp_path))) as server:
        assert statistic(server, "AWS/ApiGateway", "Count", ApiName="stopped") == 30


def test_a_damaged_file_of_metrics_is_set_aside_and_the_server_serves(tmp_path: Path) -> None:
    (tmp_path / "metrics.db").write_bytes(b"this is no database, whatever its name says" * 100)

    with closing(launch(*data_options(tmp_path))) as server:
        assert statistic(server, "AWS/ApiGateway", "Count", ApiName="none") == 0

    assert [path.name for path in tmp_path.glob("metrics.db.damaged-*")]


def test_prometheus_reads_both_sides(server: RunningServer) -> None:
    api = _blue_and_green(server, "scraped")
    seen = _ask(api, 40)

    answer = fetch(f"{server.url}/metrics")

    lines = answer.body.decode().splitlines()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert f'headgate_requests_total{{api="{api.id}",stage="prod",side="base"}} {seen["blue"]}' in lines
    assert f'headgate_request_server_errors_total{{api="{api.id}",stage="prod",side="canary"}} {seen["green"]}' in lines
    infinite = f'headgate_request_latency_seconds_bucket{{api="{api.id}",stage="prod",side="canary",le="+Inf"}}'
    assert f"{infinite} {seen['green']}" in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


@pytest.mark.parametrize(
    ("query", "told"),
    [("step=0", "step is '0'"), ("since=x", "since is 'x'"), ("since=0&step=1", "give a larger step")],
)
def test_a_range_that_makes_no_sense_is_refused(server: RunningServer, query: str, told: str) -> None:
    answer = fetch(f"{server.url}/_headgate/stages/abc/prod/sides?{query}")

    assert answer.status == 400
    assert told in answer.json["message"]
