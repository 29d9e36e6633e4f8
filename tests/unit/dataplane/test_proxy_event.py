from typing import Any

import orjson
import pytest

from headgate.dataplane.proxy_event import ProxyEvent
from headgate.dataplane.request import Request
from unit.dataplane.builders import a_call, a_request, a_variant


def _event(request: Request) -> dict[str, Any]:
    stage, variant, method = request.stage, request.variant, request.method
    made = ProxyEvent(
        account_id=stage.account_id,
        api_id=stage.api_id,
        stage_name=stage.name,
        deployment_id=variant.deployment_id,
        is_canary=variant.is_canary,
        variables=variant.variables,
        resource_id=method.resource_id,
        resource_path=method.resource_path,
        operation_name=method.operation_name,
    )
    event: dict[str, Any] = orjson.loads(made.of(request))
    return event


def test_every_key_is_there_and_null_where_there_is_nothing() -> None:
    event = _event(a_request())

    assert set(event) == {
        "resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters",
        "multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body",
        "isBase64Encoded",
    }  # fmt: skip
    for key in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"):
        assert event[key] is None
    assert event["isBase64Encoded"] is False


def test_the_context_says_which_deployment_and_resource_answer() -> None:
    context = _event(a_request())["requestContext"]

    assert context == {
        "accountId": "000000000000",
        "apiId": "api1234567",
        "deploymentId": "dep1",
        "domainName": "localhost",
        "domainPrefix": "localhost",
        "extendedRequestId": "extended=",
        "httpMethod": "GET",
        "identity": {
            "accessKey": None, "accountId": None, "caller": None, "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None, "cognitoIdentityId": None, "cognitoIdentityPoolId": None,
            "principalOrgId": None, "sourceIp": "127.0.0.1", "user": None, "userAgent": None, "userArn": None,
        },
        "path": "/prod/pets",
        "protocol": "HTTP/1.1",
        "requestId": "11111111-1111-4111-a111-111111111111",
        "requestTime": "10/Oct/2024:13:55:36 +0000",
        "requestTimeEpoch": 1728568536250,
        "resourceId": "res123",
        "resourcePath": "/pets",
        "stage": "prod",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("is_canary", "shown"),
    [
        pytest.param(None, None, id="nothing on a stage without a canary"),
        pytest.param(True, True, id="true on the canary side"),
        pytest.param(False, False, id="false on the base side"),
    ],
)
def test_is_canary_request(is_canary: bool | None, shown: bool | None) -> None:
    context = _event(a_request(variant=a_variant(is_canary=is_canary)))["requestContext"]

    assert context.get("isCanaryRequest") is shown


def test_queries_are_decoded_and_the_last_value_wins() -> None:
    event = _event(a_request(a_call(query="a=1&a=2%20x&b&c=d+e;f=g")))

    assert event["queryStringParameters"] == {"a": "2 x", "b": "", "c": "d e", "f": "g"}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2 x"], "b": [""], "c": ["d e"], "f": ["g"]}


def test_headers_keep_their_case_and_all_their_values() -> None:
    headers = [
        (b"Host", b"h"),
        (b"x-MiXed", b"1"),
        (b"x-MiXed", b"2"),
        (b"user-agent", b"ua"),
        (b"authorization", b"z"),
    ]

    event = _event(a_request(a_call(headers=headers)))

    assert event["headers"]["x-MiXed"] == "2"
    assert event["multiValueHeaders"]["x-MiXed"] == ["1", "2"]
    assert event["headers"]["User-Agent"] == "ua"
    assert event["headers"]["Authorization"] == "z"
    assert event["requestContext"]["identity"]["userAgent"] == "ua"


def test_connection_headers_are_dropped_and_forwarding_headers_added() -> None:
    headers = [(b"Connection", b"close"), (b"Content-Length", b"0"), (b"TE", b"x"), (b"X-Forwarded-For", b"9.9.9.9")]

    event = _event(a_request(a_call(headers=headers)))

    assert set(event["headers"]) == {"X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"}
    assert event["headers"]["X-Forwarded-For"] == "9.9.9.9, 127.0.0.1"
    assert event["headers"]["X-Forwarded-Port"] == "8080"
    assert event["headers"]["X-Amzn-Trace-Id"].startswith("Root=1-6707dcd8-")


@pytest.mark.parametrize(
    ("content_type", "binary", "body", "is_base64"),
    [
        pytest.param(b"text/plain", frozenset({"image/png"}), "hi", False, id="text stays text"),
        pytest.param(b"image/png; q=1", frozenset({"image/png"}), "aGk=", True, id="a binary type is base64"),
        pytest.param(b"image/gif", frozenset({"image/*"}), "aGk=", True, id="by a wildcard too"),
        pytest.param(b"text/plain", frozenset({"*/*"}), "aGk=", True, id="all types are"),
    ],
)
def test_body(content_type: bytes, binary: frozenset[str], body: str, is_base64: bool) -> None:
    call = a_call(headers=[(b"Content-Type", content_type)], body=b"hi")

    event = _event(a_request(call, variant=a_variant(binary=binary)))

    assert (event["body"], event["isBase64Encoded"]) == (body, is_base64)
