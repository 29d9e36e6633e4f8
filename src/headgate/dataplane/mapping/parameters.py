"""Parameter mapping: where a value of an integration's request, or of the method's response, is taken from.

A mapping expression such as `method.request.header.X` is compiled to a function (aws-semantics 3.6).
"""

from collections.abc import Callable, Mapping
from typing import Final

from headgate.dataplane import headers
from headgate.dataplane.ports import BackendReply
from headgate.dataplane.request import Request, query_parameters, request_time

RequestSource = Callable[[Request], str | None]
ReplySource = Callable[[Request, BackendReply], str | None]


class InvalidMapping(ValueError):
    """The expression cannot be read; the message is the service's."""


def compile_request_source(expression: str) -> RequestSource:
    """A source of `requestParameters`: `method.request.*`, `context.*`, `stageVariables.*` or `'static'`.

    The value is None where the request has none. Raises InvalidMapping.
    """
    if (common := _common_source(expression)) is not None:
        return common
    place, _, name = expression.removeprefix("method.request.").partition(".")
    if not expression.startswith("method.request.") or (not name and place != "body"):
        raise InvalidMapping(f"Invalid mapping expression specified: {expression}")
    match place:
        case "path":
            return lambda request: request.path_parameters.get(name)
        case "querystring":
            return lambda request: dict(query_parameters(request.call)).get(name)
        case "multivaluequerystring":
            return lambda request: _joined([value for key, value in query_parameters(request.call) if key == name])
        case "header":
            lower = name.lower().encode("latin-1")
            return lambda request: _text(headers.last(request.call.headers, lower))
        case "multivalueheader":
            lower = name.lower().encode("latin-1")
            return lambda request: _joined(
                [value.decode("latin-1") for key, value in request.call.headers if key.lower() == lower]
            )
        case "body" if not name:
            return lambda request: request.call.body.decode("utf-8", "replace")
        case _:
            raise InvalidMapping(f"Invalid mapping expression specified: {expression}")


def compile_reply_source(expression: str) -> ReplySource:
    """A source of `responseParameters`: `integration.response.*`, `context.*`, `stageVariables.*` or `'static'`."""
    if (common := _common_source(expression)) is not None:
        return lambda request, _reply: common(request)
    place, _, name = expression.removeprefix("integration.response.").partition(".")
    if not expression.startswith("integration.response.") or (not name and place != "body"):
        raise InvalidMapping(f"Invalid mapping expression specified: {expression}")
    lower = name.lower().encode("latin-1")
    match place:
        case "header":
            return lambda _request, reply: _text(headers.last(reply.headers, lower))
        case "multivalueheader":
            return lambda _request, reply: _joined(
                [value.decode("latin-1") for key, value in reply.headers if key.lower() == lower]
            )
        case "body" if not name:
            return lambda _request, reply: reply.body.decode("utf-8", "replace")
        case _:
            raise InvalidMapping(f"Invalid mapping expression specified: {expression}")


def _common_source(expression: str) -> RequestSource | None:
    if len(expression) >= 2 and expression[0] == expression[-1] == "'":
        static = expression[1:-1]
        return lambda _request: static
    if expression.startswith("stageVariables."):
        name = expression.removeprefix("stageVariables.")
        return lambda request: request.variant.variables.get(name)
    if expression.startswith("context."):
        value = CONTEXT.get(expression.removeprefix("context."))
        if value is None:
            raise InvalidMapping(f"Invalid mapping expression specified: {expression}")
        return value
    return None


def _is_canary(request: Request) -> str | None:
    is_canary = request.variant.is_canary
    return None if is_canary is None else str(is_canary).lower()


CONTEXT: Final[Mapping[str, RequestSource]] = {
    "accountId": lambda request: request.stage.account_id,
    "apiId": lambda request: request.stage.api_id,
    "deploymentId": lambda request: request.variant.deployment_id,
    "domainName": lambda request: request.call.host,
    "domainPrefix": lambda request: request.call.host.partition(".")[0],
    "extendedRequestId": lambda request: request.ids.extended_id,
    "httpMethod": lambda request: request.call.method,
    "identity.sourceIp": lambda request: request.call.source_ip,
    "identity.userAgent": lambda request: _text(headers.first(request.call.headers, b"user-agent")),
    "isCanaryRequest": _is_canary,
    "path": lambda request: request.address.full_path,
    "protocol": lambda request: request.call.protocol,
    "requestId": lambda request: request.ids.request_id,
    "requestTime": lambda request: request_time(request.call.received_at),
    "requestTimeEpoch": lambda request: str(int(request.call.received_at * 1000)),
    "resourceId": lambda request: request.method.resource_id,
    "resourcePath": lambda request: request.method.resource_path,
    "stage": lambda request: request.stage.name,
}
"""`$context` by name; a name that is not here is refused when the mapping is compiled."""


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _joined(values: list[str]) -> str | None:
    return ",".join(values) if values else None
