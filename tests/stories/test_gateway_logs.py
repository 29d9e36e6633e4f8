"""Access and execution logs of a real server: both sides of a canary, failures, and after a crash."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.apis import Api
from support.backends import Backend, serving_backend
from support.functions import create_function
from support.server import RunningServer, closing, data_options, fetch, launch, running

_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "status": "$context.status",
        "path": "$context.path",
        "resource": "$context.resourcePath",
        "canary": "$context.isCanaryRequest",
        "integration": "$context.integrationStatus",
    }
)
_FAILING = "def handle(event, context):\n    raise ValueError('no stock of ' + event['path'])\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with serving_backend() as started:
        yield started


def _group_arn(name: str) -> str:
    return f"arn:aws:logs:us-east-1:000000000000:log-group:{name}"


def _log(api: Api, group: str, level: str = "INFO", *, data_trace: bool = False) -> None:
    api.patch_stage(
        "prod",
        ("replace", "/accessLogSettings/destinationArn", _group_arn(group)),
        ("replace", "/accessLogSettings/format", _FORMAT),
        ("replace", "/*/*/logging/loglevel", level),
        ("replace", "/*/*/logging/dataTrace", str(data_trace).lower()),
    )


def _messages(server: RunningServer, group: str, **options: Any) -> list[str]:
    """All that is in a group; nothing where there is no such group."""
    logs = server.client("logs")
    if not any(each["logGroupName"] == group for each in logs.describe_log_groups(limit=50)["logGroups"]):
        return []
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **options)
    return [event["message"] for page in pages for event in page["events"]]


def _execution_group(api: Api, suffix: str = "") -> str:
    return f"API-Gateway-Execution-Logs_{api.id}/prod{suffix}"


def test_each_side_of_a_canary_logs_in_its_own_groups(server: RunningServer) -> None:
    api = Api(server, "both-sides")
    api.mock(api.root, body="blue")
    api.deploy("prod")
    api.mock(api.root, body="green")
    api.deploy("prod", canarySettings={"percentTraffic": 50.0})
    _log(api, "access-both")

    answers = [api.get() for _ in range(60)]

    seen = Counter(answer.body.decode() for answer in answers)
    ids = {side: {a.headers["x-amzn-requestid"] for a in answers if a.body == side} for side in (b"blue", b"green")}
    for side, suffix, flag in ((b"blue", "", "false"), (b"green", "/Canary", "true")):
        lines = [json.loads(message) for message in _messages(server, f"access-both{suffix}")]
        assert {line["requestId"] for line in lines} == ids[side]
        assert {line["canary"] for line in lines} == {flag}
        started = _messages(server, _execution_group(api, suffix), filterPattern='"Starting execution"')
        assert len(started) == seen[side.decode()] > 0


def test_a_data_trace_of_a_proxied_request_shows_the_endpoint_and_no_secret(
    server: RunningServer, backend: Backend
) -> None:
    api = Api(server, "traced")
    api.http_proxy(api.resource("echo"), f"{backend.url}/echo")
    api.deploy("prod")
    _log(api, "access-traced", data_trace=True)
    secret = "abcdefghijklmnopqrstuvwxyz-0123456789"

    fetch(api.url("prod", "/echo?size=2"), "POST", b"small", {"Authorization": f"Bearer {secret}", "X-Api-Key": secret})

    messages = _messages(server, _execution_group(api))
    text = "\n".join(messages)
    assert f"Sending request to {backend.url}/echo?size=2" in text
    assert "Method request body before transformations: small" in text
    assert "Endpoint response body before transformations: {" in text
    assert "Method completed with status: 200" in text
    assert secret not in text
    assert "****456789" in text


def test_at_level_error_a_failed_call_is_found_by_its_request_id_and_a_good_one_left_no_line(
    server: RunningServer, backend: Backend
) -> None:
    api = Api(server, "errors")
    api.http_proxy(api.resource("fine"), f"{backend.url}/echo")
    api.function(api.resource("bad"), create_function(server, "bad-orders", _FAILING))
    api.deploy("prod")
    _log(api, "access-errors", "ERROR")

    good, bad = api.get(path="/fine"), api.get(path="/bad")

    assert (good.status, bad.status) == (200, 502)
    bad_id = bad.headers["x-amzn-requestid"]
    messages = _messages(server, _execution_group(api))
    assert {message.partition(") ")[0] for message in messages} == {f"({bad_id}"}
    assert "no stock of /bad" in messages[0]
    lines = {line["requestId"]: line for line in map(json.loads, _messages(server, "access-errors"))}
    assert lines[bad_id] == {
        "requestId": bad_id,
        "status": "502",
        "path": "/prod/bad",
        "resource": "/bad",
        "canary": "-",
        "integration": "200",
    }
    assert lines[good.headers["x-amzn-requestid"]]["status"] == "200"


def test_a_change_of_the_settings_is_in_force_once_it_is_answered(server: RunningServer) -> None:
    api = Api(server, "switched")
    api.mock(api.root)
    api.deploy("prod")

    api.get()
    _log(api, "access-switched")
    api.get()
    api.patch_stage("prod", ("remove", "/accessLogSettings"), ("remove", "/*/*"))
    api.get()

    assert len(_messages(server, "access-switched")) == 1
    assert len(_messages(server, _execution_group(api), filterPattern='"Starting execution"')) == 1


def test_what_was_read_once_is_there_after_a_crash(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path))) as server:
        api = Api(server)
        api.mock(api.root)
        api.deploy("prod")
        _log(api, "access-crash")
        request_id = api.get().headers["x-amzn-requestid"]
        before = _messages(server, "access-crash"), _messages(server, _execution_group(api))
        server.kill()

    with closing(launch(*data_options(tmp_path))) as server:
        after = _messages(server, "access-crash"), _messages(server, _execution_group(api))

    assert request_id in before[0][0]
    assert after == before
