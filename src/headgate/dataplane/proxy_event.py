"""The event of an AWS_PROXY integration, payload version 1.0 (aws-semantics 3.4)."""

import base64
from typing import Any, Final

import orjson

from headgate.dataplane import headers
from headgate.dataplane.media_types import is_binary
from headgate.dataplane.request import Request, request_time

_IDENTITY: Final[dict[str, None]] = dict.fromkeys(
    (
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    )
)


def proxy_event(request: Request) -> bytes:
    """One call as JSON. Every key is always there, null where there is nothing to say."""
    call = request.call
    single, multi = _header_maps(request)
    queries = request.query_parameters
    multi_queries: dict[str, list[str]] = {}
    for name, value in queries:
        multi_queries.setdefault(name, []).append(value)
    body, is_base64 = _body(request)
    return orjson.dumps(
        {
            "resource": request.method.resource_path,
            "path": request.address.path,
            "httpMethod": call.method,
            "headers": single,
            "multiValueHeaders": multi,
            "queryStringParameters": dict(queries) or None,  # the last value of a name
            "multiValueQueryStringParameters": multi_queries or None,
            "pathParameters": request.path_parameters or None,
            "stageVariables": request.variant.variables or None,
            "requestContext": _context(request, single.get("User-Agent")),
            "body": body,
            "isBase64Encoded": is_base64,
        }
    )


def _context(request: Request, user_agent: str | None) -> dict[str, Any]:
    call, stage, method = request.call, request.stage, request.method
    context = {
        "accountId": stage.account_id,
        "apiId": stage.api_id,
        "deploymentId": request.variant.deployment_id,
        "domainName": call.host,
        "domainPrefix": call.host.partition(".")[0],
        "extendedRequestId": request.ids.extended_id,
        "httpMethod": call.method,
        "identity": {**_IDENTITY, "sourceIp": call.source_ip, "userAgent": user_agent},
        "path": request.address.full_path,
        "protocol": call.protocol,
        "requestId": request.ids.request_id,
        "requestTime": request_time(call.received_at),
        "requestTimeEpoch": int(call.received_at * 1000),
        "resourceId": method.resource_id,
        "resourcePath": method.resource_path,
        "stage": stage.name,
    }
    if method.operation_name is not None:
        context["operationName"] = method.operation_name
    if request.variant.is_canary is not None:
        context["isCanaryRequest"] = request.variant.is_canary
    return context


def _header_maps(request: Request) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The last value of each header, and all of them; names as the client spelled them first."""
    call = request.call
    single: dict[str, str] = {}
    multi: dict[str, list[str]] = {}
    passed = headers.TO_EVENT
    for name, raw in call.headers:
        kept = passed[name]
        if kept is not None:
            key, value = kept.decode("latin-1"), raw.decode("utf-8", "replace")
            single[key] = value
            multi.setdefault(key, []).append(value)
    for key, value in (
        ("X-Amzn-Trace-Id", request.trace_id),
        ("X-Forwarded-For", request.forwarded_for),
        ("X-Forwarded-Port", call.port),
        ("X-Forwarded-Proto", call.scheme),
    ):
        if key not in single and (other := next((name for name in single if name.lower() == key.lower()), None)):
            del single[other], multi[other]
        single[key] = value
        multi[key] = [value]
    return single, multi


def _body(request: Request) -> tuple[str | None, bool]:
    body = request.call.body
    if not body:
        return None, False
    binary = request.variant.binary_media_types
    if binary and is_binary(binary, headers.first(request.call.headers, b"content-type")):
        return base64.b64encode(body).decode("ascii"), True
    return body.decode("utf-8", "replace"), False
