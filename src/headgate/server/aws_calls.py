"""Calling an operation of another service, through the bridge: for services that speak AWS's JSON protocols."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.sigv4 import unsigned_headers

_JSON_SERVICES: Final = {"sqs": ("AmazonSQS", "1.0")}
"""The target prefix and the JSON version of each service that is called (botocore's models)."""


class Bridge(Protocol):
    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse: ...


async def call_aws(
    bridge: Bridge, service: str, operation: str, params: Mapping[str, Any], scope: Scope
) -> dict[str, Any]:
    """The members of the operation's answer. Raises ApiError with the service's own code and text."""
    prefix, version = _JSON_SERVICES[service]
    request = HttpRequest(
        method="POST",
        path="/",
        headers={
            **unsigned_headers(service, scope),
            "content-type": f"application/x-amz-json-{version}",
            "x-amz-target": f"{prefix}.{operation}",
        },
        body=orjson.dumps(params),
    )
    answer = await bridge.answer(service, request, Scope(account_id=scope.account_id, region=scope.region))
    try:
        members = orjson.loads(answer.body) if answer.body else {}
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, dict):
        raise ApiError("EndpointUnreachable", f"{service} answered {operation} with {answer.status} and no JSON")
    if answer.status != 200:
        code = str(members.get("__type", "")).rpartition("#")[2] or "UnknownError"
        text = str(members.get("message") or members.get("Message") or f"status {answer.status}")
        raise ApiError(code, text, answer.status)
    return members
