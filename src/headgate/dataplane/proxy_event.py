"""The event of an AWS_PROXY integration, payload version 1.0 (aws-semantics 3.4)."""

import base64
from typing import Any, Final

import orjson

from headgate.dataplane import headers
from headgate.dataplane.media_types import is_binary
from headgate.dataplane.request import Forwarding, Request, query_parameters, request_time
from headgate.model.call import Call

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


def proxy_event(request: Request, forwarded: Forwarding) -> bytes:
    """One call as JSON. Every key is always there, null where there is nothing to say."""
    call = request.call
    single, multi = _header_maps(call, forwarded)
    queries = query_parameters(call)
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


def _header_maps(call: Call, forwarded: Forwarding) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The last value of each header, and all of them; names as the client spelled them first."""
    single: dict[str, str] = {}
    multi: dict[str, list[str]] = {}
    passed = headers.TO_EVENT
    for name, raw in call.headers:
        kept = passed[name]
        if kept is not None:
            key, value = kept.decode("latin-1"), raw.decode("utf-8", "replace")
            single[key] = value
            if key in multi:
                multi[key].append(value)
            else:
                multi[key] = [value]
    single["X-Amzn-Trace-Id"] = forwarded.trace_id
    single["X-Forwarded-For"] = forwarded.forwarded_for
    single["X-Forwarded-Port"] = call.port
    single["X-Forwarded-Proto"] = call.scheme
    multi["X-Amzn-Trace-Id"] = [forwarded.trace_id]
    multi["X-Forwarded-For"] = [forwarded.forwarded_for]
    multi["X-Forwarded-Port"] = [call.port]
    multi["X-Forwarded-Proto"] = [call.scheme]
    return single, multi


def _body(request: Request) -> tuple[str | None, bool]:
    body = request.call.body
    if not body:
        return None, False
    binary = request.variant.binary_media_types
    if binary and is_binary(binary, headers.first(request.call.headers, b"content-type")):
        return base64.b64encode(body).decode("ascii"), True
    return body.decode("utf-8", "replace"), False
