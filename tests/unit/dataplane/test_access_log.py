"""Formats of access logs, compiled; and who is told of which request."""

import asyncio
from typing import Any

import orjson
import pytest

from headgate.dataplane.access_log import compile_format, render
from headgate.dataplane.compile import compile_stage
from headgate.dataplane.compile_witness import Telling
from headgate.dataplane.exchange import Exchange
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import BackendReply, BackendTimeout, FunctionReply
from headgate.dataplane.refusal import IntegrationTimeout, Refusal, Throttled
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.call import Response
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import Integration, Method
from headgate.model.stage import AccessLogSettings, CanarySettings, MethodSetting, Stage
from unit.dataplane.builders import (
    API,
    FakePorts,
    a_call,
    a_definition,
    a_request,
    a_stage,
    an_http_proxy,
)

_GROUP = "arn:aws:logs:us-east-1:000000000000:log-group:access"
_EXECUTION = f"arn:aws:logs:us-east-1:000000000000:log-group:API-Gateway-Execution-Logs_{API}/prod"
_FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"


class Lines:
    """A log sink that remembers."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []

    def write(self, group: str, stream: str, timestamp_ms: int, line: str) -> None:
        assert stream == "stream"
        assert timestamp_ms >= 1_728_568_536_250
        self.written.append((group, line))


def _exchange(*, status: int = 200, body: bytes = b"", refusal: Refusal | None = None, **options: Any) -> Exchange:
    reached = not isinstance(refusal, Throttled)
    before_s, integration_s = (0.002, 0.0123) if reached else (-1.0, -1.0)
    return Exchange(a_request(**options), Response(status, [], body), refusal, before_s, integration_s, 0.0159)


def _line(text: str, exchange: Exchange, **constants: str) -> str:
    return render(compile_format(text, constants), exchange)


def _served(
    stage: Stage, ports: FakePorts, *, call: Any = None, methods: Any = None, draw: float = 50.0
) -> tuple[Response, Lines]:
    """One call on a compiled stage, and what was logged of it."""
    lines, stages = Lines(), Stages()
    methods = methods or [("/pets", an_http_proxy("http://backend:9000/pets"))]
    definitions = {each: a_definition(*methods, deployment_id=each) for each in ("dep1", "dep2")}
    snapshot = compile_stage(stage, definitions, Buckets(), Meters(), telling=Telling(lines, "stream"))
    stages.publish({(API, "prod"): snapshot}, frozenset({API}))
    ports.drawn = draw
    response = asyncio.run(serve(call or a_call(), stages, ports))
    assert isinstance(response, Response)
    return response, lines


def _logged(format_: str, **options: Any) -> Stage:
    return a_stage(access_log_settings=AccessLogSettings(format=format_, destination_arn=f"{_GROUP}:*"), **options)


def _with_function() -> list[tuple[str, Method]]:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{_FUNCTION}/invocations"
    integration = Integration(type="AWS_PROXY", http_method="POST", uri=uri)
    return [("/pets", Method(http_method="GET", method_integration=integration))]


_OK = _exchange(status=201, body=b"four")
_TIMED_OUT = _exchange(status=504, refusal=IntegrationTimeout("it took too long"))


@pytest.mark.parametrize(
    ("text", "exchange", "line"),
    [
        pytest.param(
            "$context.identity.sourceIp - - [$context.requestTime] "
            '"$context.httpMethod $context.path $context.protocol" $context.status $context.responseLength',
            _OK,
            '127.0.0.1 - - [10/Oct/2024:13:55:36 +0000] "GET /prod/pets HTTP/1.1" 201 4',
            id="the common log format",
        ),
        pytest.param("$context.status,$context.requestTimeEpoch", _OK, "201,1728568536250", id="CSV"),
        pytest.param("$context.status.", _OK, "201.", id="a full stop after a variable is text"),
        pytest.param("$context.status-$context.status", _OK, "201-201", id="and so is a hyphen"),
        pytest.param("$context.authorizer.my-key|", _OK, "-|", id="but not in a key of an authorizer's context"),
        pytest.param("$context.nonsense", _OK, "-", id="an unknown variable is a hyphen"),
        pytest.param("$context.error.message", _OK, "-", id="what there is not is a hyphen"),
        pytest.param("$ctx $context {}", _OK, "$ctx $context {}", id="what is no variable is text"),
        pytest.param("$context.responseLatency $context.integrationLatency", _OK, "15 12", id="latencies in ms"),
        pytest.param(
            "$context.error.message|$context.error.messageString|$context.error.responseType",
            _TIMED_OUT,
            'Endpoint request timed out|"Endpoint request timed out"|INTEGRATION_TIMEOUT',
            id="the gateway's own answer",
        ),
        pytest.param(
            "$context.integration.error", _TIMED_OUT, "it took too long", id="what the integration failed with"
        ),
        pytest.param(
            "$context.integration.error $context.integration.latency",
            _exchange(status=429, refusal=Throttled()),
            "- -",
            id="which a request that did not get there has not",
        ),
    ],
)
def test_a_line(text: str, exchange: Exchange, line: str) -> None:
    assert _line(text, exchange) == line


def test_what_is_known_beforehand_is_text_in_the_compiled_format() -> None:
    pieces = compile_format("[$context.stage $context.resourcePath]", {"stage": "prod", "resourcePath": ""})

    assert pieces == ("[prod -]",)


def test_values_are_not_escaped() -> None:
    exchange = _exchange(call=a_call(headers=[(b"User-Agent", b'a "quoted" agent')]))

    assert _line('"$context.identity.userAgent"', exchange) == '"a "quoted" agent"'


def test_a_request_is_a_line_in_the_group_of_the_stage() -> None:
    stage = _logged('{"id":"$context.requestId","route":"$context.resourcePath","api":"$context.apiId"}')

    response, lines = _served(stage, FakePorts())

    request_id = dict(response.headers)[b"x-amzn-RequestId"].decode()
    assert [group for group, _ in lines.written] == [_GROUP]
    assert orjson.loads(lines.written[0][1]) == {"id": request_id, "route": "/pets", "api": API}


@pytest.mark.parametrize(("draw", "group", "flag"), [(10.0, f"{_GROUP}/Canary", "true"), (90.0, _GROUP, "false")])
def test_a_canary_s_requests_are_in_a_group_of_their_own(draw: float, group: str, flag: str) -> None:
    canary = CanarySettings(deployment_id=DeploymentId("dep2"), percent_traffic=50.0)
    stage = _logged("$context.requestId $context.isCanaryRequest", canary_settings=canary)

    _, lines = _served(stage, FakePorts(), draw=draw)

    assert [(name, line.split()[1]) for name, line in lines.written] == [(group, flag)]


def test_a_request_that_matches_no_method_is_logged_too() -> None:
    stage = _logged("$context.requestId $context.status $context.resourcePath $context.path")

    _, lines = _served(stage, FakePorts(), call=a_call("/_aws/execute-api/api1234567/prod/nowhere"))

    assert [line.split()[1:] for _, line in lines.written] == [["403", "-", "/prod/nowhere"]]


def test_a_function_s_status_and_lambda_s_are_told_apart() -> None:
    function = FunctionReply(b'{"statusCode": 404}', failed=False, request_id="call-1")
    stage = _logged(
        "$context.requestId $context.integration.status $context.integrationStatus $context.integration.requestId"
    )

    _, lines = _served(stage, FakePorts(function=function), methods=_with_function())

    assert [line.split()[1:] for _, line in lines.written] == [["404", "200", "call-1"]]


def test_a_failed_function_has_lambda_s_status_and_none_of_its_own() -> None:
    function = FunctionReply(b'{"errorMessage": "boom"}', failed=True, request_id="call-1")
    stage = _logged(
        "$context.requestId|$context.integration.status|$context.integrationStatus|$context.integration.error"
    )

    _, lines = _served(stage, FakePorts(function=function), methods=_with_function())

    assert lines.written[0][1].split("|")[1:3] == ["-", "200"]
    assert "boom" in lines.written[0][1]


def test_a_backend_s_status() -> None:
    stage = _logged("$context.requestId $context.integrationStatus")

    _, lines = _served(stage, FakePorts(BackendReply(503, [], b"")))

    assert lines.written[0][1].split()[1] == "503"


def test_settings_without_a_format_log_nothing_and_cost_nothing() -> None:
    stage = a_stage(access_log_settings=AccessLogSettings(destination_arn=_GROUP))

    snapshot = compile_stage(
        stage,
        {"dep1": a_definition(("/pets", an_http_proxy("http://backend:9000/")))},
        Buckets(),
        Meters(),
        telling=Telling(Lines(), "stream"),
    )

    found = snapshot.base.routes.match("GET", "/pets")
    assert found is not None
    assert found[0].witness is None
    assert snapshot.base.unrouted is None


def test_a_firehose_stream_gets_nothing() -> None:
    settings = AccessLogSettings(
        format="$context.requestId", destination_arn="arn:aws:firehose:us-east-1:1:deliverystream/amazon-apigateway-x"
    )

    _, lines = _served(a_stage(access_log_settings=settings), FakePorts())

    assert lines.written == []


@pytest.mark.parametrize(("level", "expected"), [("ERROR", 5), ("OFF", 0), (None, 0)])
def test_at_level_error_only_what_the_gateway_answers_itself_is_logged(level: str | None, expected: int) -> None:
    stage = a_stage(method_settings={"*/*": MethodSetting(logging_level=level)})
    failing = FakePorts()
    failing.failure = BackendTimeout()

    _, fine = _served(stage, FakePorts())
    _, failed = _served(stage, failing)

    assert fine.written == []
    assert [group for group, _ in failed.written] == [_EXECUTION] * expected
