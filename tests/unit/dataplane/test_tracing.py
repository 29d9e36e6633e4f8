"""Which requests are traced, what is passed on, and the segment that tells of one."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.compile_witness import Telling
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import BackendReply, BackendTimeout, FunctionReply
from headgate.dataplane.request import Forwarding, Trace, untold_copy
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.dataplane.tracing import Traces
from headgate.dataplane.watch import Watch
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import Integration, Method
from headgate.model.scope import Scope
from headgate.model.stage import CanarySettings, MethodSetting
from headgate.model.trace import Asked, Decision, parse_trace_header
from unit.dataplane.builders import (
    ACCOUNT,
    API,
    REGION,
    FakePorts,
    a_call,
    a_definition,
    a_request,
    a_stage,
    an_http_proxy,
)

_ROOT = "1-58406520-a006649127e371903a2de979"
_PARENT = "53995c3f42cd8ad8"
_FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"


class Recorder:
    """Sampling rules and a store that remember."""

    def __init__(self, *, sampled: bool) -> None:
        self.sampled = sampled
        self.asked: list[Asked] = []
        self.segments: list[dict[str, Any]] = []

    def decide(self, account_id: str, region: str, asked: Asked, draw: float) -> Decision:
        assert 0 <= draw < 1
        self.asked.append(asked)
        return Decision(sampled=self.sampled, rule_name="mine")

    def put(self, scope: Scope, segment: dict[str, Any]) -> None:
        assert scope == Scope(account_id=ACCOUNT, region=REGION)
        self.segments.append(segment)


class NoLog:
    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        raise AssertionError("nothing is logged here")


def _served(
    recorder: Recorder,
    ports: FakePorts,
    *,
    header: str = "",
    tracing: bool = True,
    methods: Any = None,
    path: str = "/pets",
    **stage: Any,
) -> str:
    """One call; the X-Amzn-Trace-Id with which it went on, "" where it did not."""
    methods = methods or [("/pets", an_http_proxy("http://backend:9000/pets"))]
    definitions = {each: a_definition(*methods, deployment_id=each) for each in ("dep1", "dep2")}
    telling = Telling(NoLog(), "stream", Traces(recorder, recorder))
    snapshot = compile_stage(
        a_stage(tracing_enabled=tracing, **stage), definitions, Buckets(), Meters(), telling=telling
    )
    stages = Stages()
    stages.publish({(API, "prod"): snapshot}, frozenset({API}))
    headers = [(b"User-Agent", b"curl"), (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    if header:
        headers.append((b"X-Amzn-Trace-Id", header.encode()))
    call = a_call(f"/_aws/execute-api/{API}/prod{path}", headers=headers, query="secret=1")
    asyncio.run(serve(call, stages, ports))
    if not ports.sent:
        return ""
    lines = dict(line.split(": ", 1) for line in ports.sent[0][1].decode().split("\r\n")[1:] if line)
    return lines["X-Amzn-Trace-Id"]


def _with_function() -> list[tuple[str, Method]]:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{_FUNCTION}/invocations"
    return [
        (
            "/pets",
            Method(http_method="GET", method_integration=Integration(type="AWS_PROXY", http_method="POST", uri=uri)),
        )
    ]


@pytest.mark.parametrize(
    ("tracing", "header", "asked", "traced", "passed_on"),
    [
        pytest.param(True, "", True, True, "1", id="a tracing stage asks the rules"),
        pytest.param(True, f"Root={_ROOT}", True, True, "1", id="for a caller that says nothing of sampling too"),
        pytest.param(True, f"Root={_ROOT};Sampled=?", True, True, "1", id="and for one that leaves it open"),
        pytest.param(True, f"Root={_ROOT};Sampled=0", False, False, "0", id="a caller that says no is obeyed"),
        pytest.param(True, f"Root={_ROOT};Sampled=1", False, True, "1", id="and one that says yes"),
        pytest.param(False, f"Root={_ROOT};Sampled=1", False, True, "1", id="by a stage that does not trace, too"),
        pytest.param(False, f"Root={_ROOT}", False, False, "", id="which otherwise traces nothing"),
        pytest.param(False, "", False, False, "", id="nor a request without a header"),
    ],
)
def test_who_is_traced(tracing: bool, header: str, asked: bool, traced: bool, passed_on: str) -> None:
    recorder, ports = Recorder(sampled=True), FakePorts()

    told = parse_trace_header(_served(recorder, ports, header=header, tracing=tracing))

    assert (bool(recorder.asked), bool(recorder.segments), told.sampled) == (asked, traced, passed_on)
    if header:
        assert told.root == _ROOT


def test_a_request_that_the_rules_do_not_choose_goes_on_with_a_no() -> None:
    recorder, ports = Recorder(sampled=False), FakePorts()

    told = parse_trace_header(_served(recorder, ports))

    assert (told.sampled, told.parent) == ("0", "")
    assert recorder.segments == []


def test_the_rules_are_asked_with_what_a_rule_can_be_about() -> None:
    recorder = Recorder(sampled=False)

    _served(recorder, FakePorts())

    assert recorder.asked == [
        Asked(
            service_name="orders/prod",
            service_type="AWS::ApiGateway::Stage",
            resource_arn=f"arn:aws:apigateway:us-east-1::/restapis/{API}/stages/prod",
            host="localhost",
            http_method="GET",
            url_path="/prod/pets",
        )
    ]


def test_the_segment_of_a_proxied_request() -> None:
    recorder, ports = Recorder(sampled=True), FakePorts(BackendReply(404, [], b"four"))

    told = parse_trace_header(_served(recorder, ports, header=f"Root={_ROOT};Parent={_PARENT};Sampled=1"))

    segment = recorder.segments[0]
    called = segment["subsegments"][0]
    assert (segment["trace_id"], segment["parent_id"]) == (_ROOT, _PARENT)
    assert told.parent == called["id"]
    assert (segment["name"], segment["origin"]) == ("orders/prod", "AWS::ApiGateway::Stage")
    assert segment["http"]["request"] == {
        "method": "GET",
        "url": f"http://localhost/_aws/execute-api/{API}/prod/pets",
        "client_ip": "127.0.0.1",
        "user_agent": "curl",
    }
    assert segment["http"]["response"] == {"status": 404, "content_length": 4}
    assert segment["error"] is True
    assert "fault" not in segment
    assert (called["name"], called["namespace"], called["error"]) == ("backend:9000", "remote", True)
    assert "secret" not in str(segment)


def test_the_segment_of_a_function_s_call() -> None:
    recorder = Recorder(sampled=True)
    ports = FakePorts(function=FunctionReply(b'{"statusCode": 200}', failed=False, request_id="call-1"))

    _served(recorder, ports, methods=_with_function())

    segment = recorder.segments[0]
    annotations = segment["annotations"]
    assert annotations["request_id"] == segment["aws"]["api_gateway"]["request_id"]
    assert (annotations["aws:api_id"], annotations["aws:api_stage"]) == (API, "prod")
    assert segment["aws"]["xray"] == {"sampling_rule_name": "mine"}
    assert segment["subsegments"][0]["name"] == "Lambda"
    assert segment["subsegments"][0]["aws"] == {
        "function_name": "orders",
        "operation": "Invoke",
        "region": "us-east-1",
        "request_id": "call-1",
    }


def test_a_timeout_is_a_fault_of_the_gateway_and_of_the_call() -> None:
    recorder, ports = Recorder(sampled=True), FakePorts()
    ports.failure = BackendTimeout()

    _served(recorder, ports)

    segment = recorder.segments[0]
    assert segment["fault"] is True
    assert segment["cause"]["exceptions"][0]["type"] == "INTEGRATION_TIMEOUT"
    assert segment["subsegments"][0]["fault"] is True
    assert "response" not in segment["subsegments"][0]["http"]


def test_a_throttled_request_is_a_throttle_and_calls_nothing() -> None:
    recorder = Recorder(sampled=True)
    settings = {"*/*": MethodSetting(throttling_rate_limit=0.0, throttling_burst_limit=0)}

    _served(recorder, FakePorts(), method_settings=settings)

    segment = recorder.segments[0]
    assert (segment["throttle"], segment["error"]) == (True, True)
    assert "subsegments" not in segment


@pytest.mark.parametrize(("draw", "is_canary"), [(10.0, True), (90.0, False)])
def test_the_side_of_a_canary_is_an_annotation(draw: float, is_canary: bool) -> None:
    recorder, ports = Recorder(sampled=True), FakePorts()
    ports.drawn = draw
    canary = CanarySettings(deployment_id=DeploymentId("dep2"), percent_traffic=50.0)

    _served(recorder, ports, canary_settings=canary)

    assert recorder.segments[0]["annotations"]["canary"] is is_canary


def test_a_copy_of_a_traced_request_is_told_of_to_nobody_and_says_so() -> None:
    trace = Trace(_ROOT, "", "a" * 16, "b" * 16, "")
    forwarded = Forwarding(f"Root={_ROOT};Parent={'b' * 16};Sampled=1", "127.0.0.1")
    request = replace(a_request(), trace=trace, watch=Watch(), forwarded=forwarded)

    copy = untold_copy(request)

    assert (copy.trace, copy.watch) == (None, None)
    assert copy.forwarded == Forwarding(f"Root={_ROOT};Sampled=0", "127.0.0.1")
    assert copy.ids.request_id != request.ids.request_id


def test_traceparent_goes_on_untouched() -> None:
    ports = FakePorts()

    _served(Recorder(sampled=True), ports)

    assert b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" in ports.sent[0][1]


def test_a_request_that_matches_no_method_is_not_traced() -> None:
    recorder = Recorder(sampled=True)

    _served(recorder, FakePorts(), path="/nowhere")

    assert recorder.segments == []
