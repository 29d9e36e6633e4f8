"""The pipeline over compiled stages, with ports that remember."""

import asyncio
from typing import Any

import msgspec
import orjson
import pytest

from headgate.dataplane.compile import CompileError, compile_stage
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import (
    BackendReply,
    BackendReplyTooLarge,
    BackendTimeout,
    BackendUnreachable,
    FunctionMissing,
    FunctionReply,
    FunctionThrottled,
)
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.call import Call, Response
from headgate.model.deployment import Definition
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import Integration, IntegrationResponse, Method, MethodResponse
from headgate.model.stage import CanarySettings, MethodSetting, Stage
from unit.dataplane.builders import API, FakePorts, a_call, a_definition, a_stage, an_http_proxy


def _stages(definition: Definition, stage: Stage | None = None, canary: Definition | None = None) -> Stages:
    stage = stage or a_stage()
    definitions: dict[str, Definition] = {each.deployment_id: each for each in (definition, canary) if each is not None}
    stages = Stages()
    stages.publish({(API, "prod"): compile_stage(stage, definitions, Buckets(), Meters())}, frozenset({API}))
    return stages


def _answer(stages: Stages, call: Call, ports: FakePorts) -> Response:
    return asyncio.run(_serve(call, stages, ports))


async def _serve(call: Call, stages: Stages, ports: FakePorts) -> Response:
    answer = await serve(call, stages, ports)
    assert isinstance(answer, Response)
    return answer


def _mock(body: str = "{}", status: str = "200", **options: Any) -> Method:
    return Method(
        http_method="GET",
        method_responses={
            status: MethodResponse(status_code=status, response_parameters={"method.response.header.X": True})
        },
        method_integration=Integration(
            type="MOCK",
            request_templates={"application/json": f'{{"statusCode": {status}}}'},
            integration_responses={
                status: IntegrationResponse(
                    status_code=status, response_templates={"application/json": body}, **options
                )
            },
        ),
    )


def _function(uri: str = "arn:aws:lambda:us-east-1:000000000000:function:orders", method: str = "POST") -> Method:
    return Method(
        http_method="GET",
        method_integration=Integration(
            type="AWS_PROXY",
            http_method=method,
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{uri}/invocations",
        ),
    )


def _path(path: str) -> str:
    return f"/_aws/execute-api/{API}/prod{path}"


def test_the_upper_edge_of_a_canary_s_share_belongs_to_the_base() -> None:
    stage = a_stage(canary_settings=CanarySettings(deployment_id=DeploymentId("dep2"), percent_traffic=25.0))
    snapshot = compile_stage(
        stage,
        {"dep1": a_definition(("/", _mock())), "dep2": a_definition(("/", _mock()), deployment_id="dep2")},
        Buckets(),
        Meters(),
    )

    assert snapshot.choose(a_call(), draw=24.999).deployment_id == "dep2"
    assert snapshot.choose(a_call(), draw=25.0).deployment_id == "dep1"


def test_each_side_of_a_canary_has_its_deployment_and_variables() -> None:
    stage = a_stage(
        variables={"host": "base", "same": "s"},
        canary_settings=CanarySettings(
            deployment_id=DeploymentId("dep2"), percent_traffic=50.0, stage_variable_overrides={"host": "canary"}
        ),
    )
    method = an_http_proxy("http://${stageVariables.host}.local/${stageVariables.same}/${stageVariables.none}")
    stages = _stages(a_definition(("/", method)), stage, a_definition(("/", method), deployment_id="dep2"))
    ports = FakePorts()

    for draw in (49.9, 50.0):
        ports.drawn = draw
        _answer(stages, a_call(_path("/")), ports)

    assert [origin.host for origin, _, _ in ports.sent] == ["canary.local", "base.local"]
    assert ports.sent[0][1].startswith(b"GET /s/ HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("path", "status", "body", "error_type"),
    [
        pytest.param(
            "/_aws/execute-api/other/prod/x", 403, b'{"message":"Forbidden"}', b"ForbiddenException", id="unknown API"
        ),
        pytest.param("/", 403, b'{"message":"Forbidden"}', b"ForbiddenException", id="no API at all"),
        pytest.param(
            f"/_aws/execute-api/{API}/dev/x",
            403,
            b'{"message":"Missing Authentication Token"}',
            b"MissingAuthenticationTokenException",
            id="unknown stage",
        ),
        pytest.param(
            _path("/nowhere"),
            403,
            b'{"message":"Missing Authentication Token"}',
            b"MissingAuthenticationTokenException",
            id="unknown route",
        ),
    ],
)
def test_what_is_not_there(path: str, status: int, body: bytes, error_type: bytes) -> None:
    response = _answer(_stages(a_definition(("/pets", _mock()))), a_call(path), FakePorts())

    assert (response.status, response.body) == (status, body)
    assert dict(response.headers)[b"x-amzn-ErrorType"] == error_type


def test_every_answer_has_both_request_ids() -> None:
    for path in ("/pets", "/nowhere"):
        headers = dict(_answer(_stages(a_definition(("/pets", _mock()))), a_call(_path(path)), FakePorts()).headers)

        assert len(headers[b"x-amzn-RequestId"]) == 36
        assert headers[b"x-amz-apigw-id"].endswith(b"=")


def test_a_disabled_default_endpoint_is_forbidden() -> None:
    stages = _stages(a_definition(("/", _mock()), disable_execute_api_endpoint=True))

    assert _answer(stages, a_call(_path("/")), FakePorts()).status == 403


@pytest.mark.parametrize(
    ("method", "body"),
    [
        pytest.param(
            msgspec.structs.replace(_mock(), authorization_type="AWS_IAM"),
            b"Missing Authentication Token",
            id="AWS_IAM",
        ),
        pytest.param(msgspec.structs.replace(_mock(), api_key_required=True), b"Forbidden", id="an API key"),
    ],
)
def test_a_method_that_asks_for_what_is_not_checked_yet_is_closed(method: Method, body: bytes) -> None:
    response = _answer(_stages(a_definition(("/", method))), a_call(_path("/")), FakePorts())

    assert response.status == 403
    assert body in response.body


def test_a_throttled_method_answers_429_and_another_method_goes_on() -> None:
    setting = MethodSetting(throttling_rate_limit=1.0, throttling_burst_limit=1)
    stages = _stages(a_definition(("/a", _mock()), ("/b", _mock())), a_stage(method_settings={"*/*": setting}))
    ports = FakePorts()

    statuses = [_answer(stages, a_call(_path(path)), ports).status for path in ("/a", "/a", "/b")]

    assert statuses == [200, 429, 200]


def test_a_methods_own_setting_stands_before_the_stage_s() -> None:
    settings = {
        "*/*": MethodSetting(throttling_rate_limit=0.0, throttling_burst_limit=0),
        "~1deep~1{id}/GET": MethodSetting(throttling_rate_limit=-1),
    }
    stages = _stages(a_definition(("/deep/{id}", _mock()), ("/b", _mock())), a_stage(method_settings=settings))

    assert _answer(stages, a_call(_path("/deep/7")), FakePorts()).status == 200
    assert _answer(stages, a_call(_path("/b")), FakePorts()).status == 429


def test_a_mock_answers_with_its_static_template_and_mapped_headers() -> None:
    method = _mock('{"made": true}', response_parameters={"method.response.header.X": "'fixed'"})

    response = _answer(_stages(a_definition(("/", method))), a_call(_path("/")), FakePorts())

    assert (response.status, response.body) == (200, b'{"made": true}')
    assert dict(response.headers)[b"X"] == b"fixed"
    assert dict(response.headers)[b"Content-Type"] == b"application/json"


def test_a_template_that_needs_the_template_language_is_refused_when_compiled() -> None:
    with pytest.raises(
        CompileError, match=r"the application/json template of the integration response 200 of GET /pets"
    ):
        _stages(a_definition(("/pets", _mock("$input.json('$')"))))


def test_a_resource_policy_is_refused_when_compiled() -> None:
    with pytest.raises(CompileError, match="resource policies"):
        _stages(a_definition(("/", _mock()), policy="{}"))


def test_http_proxy_passes_the_request_on() -> None:
    method = an_http_proxy("http://backend.local:81/base/{proxy}?fixed=1", "GET")
    call = a_call(
        _path("/files/a%20b/c"),
        query="q=1",
        headers=[(b"Host", b"gw"), (b"X-Own", b"1"), (b"Via", b"p"), (b"Connection", b"close"), (b"Accept", b"a/b")],
    )
    ports = FakePorts(BackendReply(404, [(b"X-Back", b"2"), (b"Date", b"d"), (b"Server", b"s")], b"none"))

    response = _answer(_stages(a_definition(("/files/{proxy+}", method))), call, ports)

    ((origin, head, body),) = ports.sent
    lines = head.split(b"\r\n")
    assert (origin.host, origin.port, body) == ("backend.local", 81, b"")
    assert lines[0] == b"GET /base/a%20b/c?fixed=1&q=1 HTTP/1.1"
    assert b"Host: backend.local:81" in lines
    assert b"X-Own: 1" in lines
    assert b"X-Forwarded-For: 127.0.0.1" in lines
    assert b"X-Amzn-Apigateway-Api-Id: api1234567" in lines
    assert b"User-Agent: AmazonAPIGateway_api1234567" in lines
    assert not [line for line in lines if line.lower().startswith((b"via", b"connection", b"content-length"))]
    assert (response.status, response.body) == (404, b"none")
    assert response.headers[:3] == [
        (b"X-Back", b"2"),
        (b"x-amzn-Remapped-Date", b"d"),
        (b"x-amzn-Remapped-Server", b"s"),
    ]


def test_mapped_parameters_go_where_they_are_mapped_to() -> None:
    method = an_http_proxy(
        "http://backend.local/{id}",
        request_parameters={
            "integration.request.path.id": "method.request.querystring.id",
            "integration.request.header.X-Stage": "context.stage",
            "integration.request.header.X-Own": "'mine'",
            "integration.request.querystring.a": "stageVariables.a",
        },
    )
    call = a_call(_path("/"), query="id=7%2F8", headers=[(b"x-own", b"theirs")])
    ports = FakePorts()

    _answer(_stages(a_definition(("/", method)), a_stage(variables={"a": "b c"})), call, ports)

    lines = ports.sent[0][1].split(b"\r\n")
    assert lines[0] == b"GET /7/8?id=7%2F8&a=b+c HTTP/1.1"
    assert b"X-Stage: prod" in lines
    assert b"X-Own: mine" in lines
    assert b"x-own: theirs" not in lines


def test_a_mapped_value_cannot_split_the_request() -> None:
    method = an_http_proxy(
        "http://backend.local/", request_parameters={"integration.request.header.X": "method.request.querystring.x"}
    )
    ports = FakePorts()

    response = _answer(_stages(a_definition(("/", method))), a_call(_path("/"), query="x=a%0d%0aY:b"), ports)

    assert (response.status, ports.sent) == (500, [])


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        pytest.param(BackendTimeout(), 504, "Endpoint request timed out", id="a timeout"),
        pytest.param(BackendUnreachable("refused"), 500, "Internal server error", id="no connection"),
        pytest.param(BackendReplyTooLarge(), 500, "Internal server error", id="too large an answer"),
    ],
)
def test_a_backend_that_fails(failure: Exception, status: int, message: str) -> None:
    ports = FakePorts()
    ports.failure = failure

    response = _answer(_stages(a_definition(("/", an_http_proxy("http://b.local/")))), a_call(_path("/")), ports)

    assert (response.status, orjson.loads(response.body)) == (status, {"message": message})


def test_http_sends_only_what_is_mapped_and_selects_by_status() -> None:
    method = Method(
        http_method="GET",
        method_responses={"200": MethodResponse(status_code="200"), "404": MethodResponse(status_code="404")},
        method_integration=Integration(
            type="HTTP",
            http_method="GET",
            uri="http://b.local/x",
            integration_responses={
                "200": IntegrationResponse(status_code="200"),
                "404": IntegrationResponse(status_code="404", selection_pattern="4\\d\\d"),
            },
        ),
    )
    ports = FakePorts(BackendReply(410, [(b"X-Back", b"1")], b"gone"))

    call = a_call(_path("/"), query="a=1", headers=[(b"X-Own", b"1")])
    response = _answer(_stages(a_definition(("/", method))), call, ports)

    head = ports.sent[0][1]
    assert head.startswith(b"GET /x HTTP/1.1\r\n")
    assert b"X-Own" not in head
    assert (response.status, response.body) == (404, b"gone")
    assert b"X-Back" not in dict(response.headers)


def test_a_status_that_no_response_is_mapped_for_is_a_500() -> None:
    method = Method(
        http_method="GET",
        method_responses={"200": MethodResponse(status_code="200")},
        method_integration=Integration(
            type="HTTP",
            http_method="GET",
            uri="http://b.local/",
            integration_responses={"200": IntegrationResponse(status_code="200", selection_pattern="200")},
        ),
    )

    response = _answer(_stages(a_definition(("/", method))), a_call(_path("/")), FakePorts(BackendReply(201, [], b"")))

    assert response.status == 500


def test_a_function_without_permission_is_not_called() -> None:
    ports = FakePorts()
    ports.permitted = False

    response = _answer(_stages(a_definition(("/", _function()))), a_call(_path("/")), ports)

    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')
    assert ports.invoked == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        pytest.param(FunctionMissing(), 500, id="a missing function"),
        pytest.param(FunctionThrottled(), 500, id="a throttled one"),
        pytest.param(BackendTimeout(), 504, id="a slow one"),
    ],
)
def test_a_function_that_cannot_answer(failure: Exception, status: int) -> None:
    ports = FakePorts()
    ports.failure = failure

    assert _answer(_stages(a_definition(("/", _function()))), a_call(_path("/")), ports).status == status


def test_a_function_error_is_a_502() -> None:
    ports = FakePorts(function=FunctionReply(b'{"errorMessage": "x"}', failed=True))

    response = _answer(_stages(a_definition(("/", _function()))), a_call(_path("/")), ports)

    assert (response.status, response.body) == (502, b'{"message": "Internal server error"}')


def test_a_function_named_by_a_stage_variable() -> None:
    method = _function("arn:aws:lambda:us-east-1:000000000000:function:orders:${stageVariables.alias}")
    ports = FakePorts()

    _answer(_stages(a_definition(("/", method)), a_stage(variables={"alias": "live"})), a_call(_path("/")), ports)

    assert ports.invoked[0][0].qualifier == "live"


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(_function(method="GET"), id="an integration method other than POST"),
        pytest.param(
            _function("arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.none}"), id="no function"
        ),
        pytest.param(_function("x" * 1601), id="a very long ARN"),
    ],
)
def test_an_integration_that_cannot_work_fails_its_own_calls_only(method: Method) -> None:
    stages = _stages(a_definition(("/bad", method), ("/good", _mock())))

    assert _answer(stages, a_call(_path("/bad")), FakePorts()).status == 500
    assert _answer(stages, a_call(_path("/good")), FakePorts()).status == 200
