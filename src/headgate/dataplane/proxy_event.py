"""The event of an AWS_PROXY integration, payload version 1.0 (aws-semantics 3.4)."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from headgate.dataplane import headers
from headgate.dataplane.media_types import is_binary
from headgate.dataplane.request import Request, query_parameters, request_time

_IDENTITY: Final[dict[str, str | None]] = dict.fromkeys(
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


class ProxyEvent:
    """The events of one method on one side of a stage. What they have in common is JSON before the first request."""

    __slots__ = ("_context", "_resource", "_variables")

    def __init__(
        self,
        *,
        account_id: str,
        api_id: str,
        stage_name: str,
        deployment_id: str,
        is_canary: bool | None,  # None: the stage has no canary
        variables: Mapping[str, str],
        resource_id: str,
        resource_path: str,
        operation_name: str | None,
    ) -> None:
        context: dict[str, Any] = {
            "accountId": account_id,
            "apiId": api_id,
            "deploymentId": deployment_id,
            "resourceId": resource_id,
            "resourcePath": resource_path,
            "stage": stage_name,
        }
        if operation_name is not None:
            context["operationName"] = operation_name
        if is_canary is not None:
            context["isCanaryRequest"] = is_canary
        self._resource = b'{"resource":' + orjson.dumps(resource_path) + b","
        self._variables = b',"stageVariables":' + orjson.dumps(variables or None) + b',"requestContext":'
        self._context = orjson.dumps(context)[:-1] + b","

    def of(self, request: Request) -> bytes:
        """One request as JSON. Every key is always there, null where there is nothing to say."""
        call = request.call
        single, multi = _header_maps(request)
        query: dict[str, str] | None = None
        multi_query: dict[str, list[str]] | None = None
        if call.query:
            pairs = query_parameters(call)
            query, multi_query = dict(pairs) or None, _gathered(pairs) or None  # the last value of a name; all of them
        body, is_base64 = _body(request) if call.body else (None, False)
        said = orjson.dumps(
            {
                "path": request.address.path,
                "httpMethod": call.method,
                "headers": single,
                "multiValueHeaders": multi,
                "queryStringParameters": query,
                "multiValueQueryStringParameters": multi_query,
                "pathParameters": request.path_parameters or None,
                "body": body,
                "isBase64Encoded": is_base64,
            }
        )
        context = orjson.dumps(
            {
                "domainName": call.host,
                "domainPrefix": call.host.partition(".")[0],
                "extendedRequestId": request.ids.extended_id,
                "httpMethod": call.method,
                "identity": {**_IDENTITY, "sourceIp": call.source_ip, "userAgent": single.get("User-Agent")},
                "path": request.address.full_path,
                "protocol": call.protocol,
                "requestId": request.ids.request_id,
                "requestTime": request_time(call.received_at),
                "requestTimeEpoch": int(call.received_at * 1000),
            }
        )
        # Both are objects: what is said of all requests goes in after their opening brace.
        return b"".join((self._resource, said[1:-1], self._variables, self._context, context[1:], b"}"))


def _header_maps(request: Request) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The last value of each header, and all of them; names as the client spelled them first."""
    call, forwarded = request.call, request.forwarded
    single: dict[str, str] = {}
    multi: dict[str, list[str]] = {}
    passed = headers.TO_EVENT
    for name, raw in call.headers:
        key = passed[name]
        if key is not None:
            value = raw.decode("utf-8", "replace")
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


def _gathered(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return gathered


def _body(request: Request) -> tuple[str, bool]:
    call = request.call
    binary = request.variant.binary_media_types
    if binary and is_binary(binary, headers.first(call.headers, b"content-type")):
        return base64.b64encode(call.body).decode("ascii"), True
    return call.body.decode("utf-8", "replace"), False
