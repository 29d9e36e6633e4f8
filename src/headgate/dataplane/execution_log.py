"""Execution logs: the way of a request line by line (aws-semantics 6.3).

Lines are written once the request is answered, each with the time of what it tells. At level ERROR there are lines of
requests that the gateway itself had to answer, and of no other. What is secret is masked in every line: the values of
headers that carry credentials, wherever they turn up, an event's or a backend's body included.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote_plus

import orjson

from headgate.dataplane.exchange import Exchange
from headgate.dataplane.ports import LogSink
from headgate.dataplane.refusal import BadProxyAnswer, ConfigurationError, IntegrationFailure, IntegrationTimeout
from headgate.dataplane.request import Request, query_parameters
from headgate.dataplane.watch import Watch

_MAX_BYTES: Final = 1024  # of an event, its marker included
_TRUNCATED: Final = " [TRUNCATED]"
_SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-amz-security-token",
        "x-api-key",
    }
)
_SECRET_QUERIES: Final = frozenset({"x-amz-credential", "x-amz-security-token", "x-amz-signature"})
# Of a text: more than an event holds, as a secret that is longer than an event must be seen whole to be masked.
_LOOKED_AT_BYTES: Final = 65_536
_SHOWN_TAIL: Final = 6  # characters of a secret
_LONG_ENOUGH: Final = 3 * _SHOWN_TAIL  # to show a tail of
_FINDABLE: Final = 6  # characters from which on a secret is looked for in texts; a shorter one is in too many words
_NO_KEY: Final = (
    "API Key  authorized because method '{}' does not require API Key. "
    "Request will not contribute to throttle or quota limits"
)

Line = tuple[float, str]
"""Seconds after the request's arrival, and the text without its prefix."""


class ExecutionLog:
    """The execution log of one method on one side of a stage."""

    __slots__ = ("_data_trace", "_group", "_sink", "_stream", "needs_watch")

    def __init__(self, sink: LogSink, group: str, stream: str, level: str, *, data_trace: bool) -> None:
        """`level` is INFO or ERROR; `group` the ARN of the log group."""
        self._sink = sink
        self._group = group
        self._stream = stream
        self._data_trace = data_trace
        self.needs_watch = level == "INFO"

    def write(self, exchange: Exchange) -> None:
        if self.needs_watch:
            lines = info_lines(exchange, data_trace=self._data_trace)
        elif exchange.refusal is not None:
            lines = failure_lines(exchange)
        else:
            return
        request = exchange.request
        secrets = _secrets(exchange)
        prefix = f"({request.ids.request_id}) "
        arrived = request.call.received_at
        for after_s, text in lines:
            event = _cut(prefix + _masked(text, secrets))
            self._sink.write(self._group, self._stream, int((arrived + after_s) * 1000), event)


def info_lines(exchange: Exchange, *, data_trace: bool) -> Iterator[Line]:
    """All lines of a request."""
    request = exchange.request
    call, method = request.call, request.method
    place = f"{request.stage.api_id}/{request.stage.name}"
    yield 0.0, f"Extended Request Id: {request.ids.extended_id}"
    if method.authorization_type == "NONE" and not method.api_key_required:
        yield 0.0, f"Verifying Usage Plan for request: {request.ids.request_id}. API Key:  API Stage: {place}"
        yield 0.0, _NO_KEY.format(f"{method.http_method} {method.resource_path}")
        yield 0.0, f"Usage Plan check succeeded for API Key  and API Stage {place}"
        yield 0.0, f"Starting execution for request: {request.ids.request_id}"
        yield 0.0, f"HTTP Method: {call.method}, Resource Path: {request.address.path}"
        if data_trace:
            yield 0.0, f"Method request path: {_map(request.path_parameters.items())}"
            yield 0.0, f"Method request query string: {_map(_shown_queries(request))}"
            yield 0.0, f"Method request headers: {_header_map(call.headers)}"
            yield 0.0, f"Method request body before transformations: {_text(call.body)}"
        if request.watch is not None and request.watch.origin:
            yield from _endpoint_lines(exchange, request.watch, data_trace=data_trace)
    if exchange.refusal is not None:
        yield from failure_lines(exchange)
        return
    ended = exchange.latency_s
    if data_trace:
        yield ended, f"Method response body after transformations: {_text(exchange.response.body)}"
        yield ended, f"Method response headers: {_header_map(exchange.response.headers)}"
    yield ended, "Successfully completed execution"
    yield ended, f"Method completed with status: {exchange.response.status}"


def failure_lines(exchange: Exchange) -> Iterator[Line]:
    """Why the gateway itself answered, and what."""
    refusal, response, ended = exchange.refusal, exchange.response, exchange.latency_s
    match refusal:
        case None:
            return
        case IntegrationTimeout():
            yield ended, "Execution failed due to a timeout error"
        case BadProxyAnswer() if refusal.reason.startswith("Lambda execution failed"):
            yield ended, refusal.reason
        case ConfigurationError() | BadProxyAnswer() | IntegrationFailure():
            yield ended, f"Execution failed due to configuration error: {refusal.reason or refusal.text}"
        case _:
            yield ended, f"Execution failed: {refusal.reason or refusal.text}"
    yield ended, f"Gateway response type: {refusal.response_type} with status code: {response.status}"
    yield ended, f"Gateway response body: {_text(response.body)}"
    yield ended, f"Gateway response headers: {_header_map(response.headers)}"
    yield ended, f"Method completed with status: {response.status}"


def _endpoint_lines(exchange: Exchange, watch: Watch, *, data_trace: bool) -> Iterator[Line]:
    sent = exchange.before_s
    if data_trace:
        yield sent, f"Endpoint request URI: {watch.uri}"
        yield sent, f"Endpoint request headers: {_header_map(_head_lines(watch.sent_head))}"
        yield sent, f"Endpoint request body after transformations: {_text(watch.sent_body)}"
    yield sent, f"Sending request to {watch.uri}"
    if watch.status:
        received = sent + exchange.integration_s
        latency_ms = int(exchange.integration_s * 1000)
        yield received, f"Received response. Status: {watch.status}, Integration latency: {latency_ms} ms"
        if data_trace:
            yield received, f"Endpoint response headers: {_header_map(watch.received_headers)}"
            yield received, f"Endpoint response body before transformations: {_text(watch.received_body)}"


def _head_lines(head: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a request's head."""
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:] if line]
    return [(name, value) for name, _, value in lines]


def _shown_queries(request: Request) -> list[tuple[str, str]]:
    return [
        (name, _tail(value) if name.lower() in _SECRET_QUERIES else value)
        for name, value in query_parameters(request.call)
    ]


def _header_map(headers: list[tuple[bytes, bytes]]) -> str:
    shown = []
    for name, value in headers:
        text = _text(name)
        shown.append((text, _tail(_text(value)) if text.lower() in _SECRET_HEADERS else _text(value)))
    return _map(shown)


def _map(items: Iterable[tuple[str, str]]) -> str:
    """A map as the service prints it: `{a=b, c=d}`."""
    return "{" + ", ".join(f"{name}={value}" for name, value in items) + "}"


def _text(body: bytes) -> str:
    return body[:_LOOKED_AT_BYTES].decode("utf-8", "replace")


def _tail(secret: str) -> str:
    """A secret as it may be shown."""
    return f"****{secret[-_SHOWN_TAIL:]}" if len(secret) >= _LONG_ENOUGH else "****"


def _secrets(exchange: Exchange) -> list[tuple[str, str]]:
    """What must not be shown, each with what is shown for it; longer ones first, as one may hold another."""
    request = exchange.request
    headers = [*request.call.headers, *exchange.response.headers]
    if request.watch is not None:
        headers += request.watch.received_headers
    found: set[str] = set()
    for name, value in headers:
        lower = name.decode("latin-1").lower()
        if lower in _SECRET_HEADERS:
            for secret in {_text(value), value.decode("latin-1")}:
                # A backend may have been sent, or may show, the token without its scheme, a cookie without its name.
                found |= {secret, secret.partition(" ")[2].strip()}
                if lower in {"cookie", "set-cookie"}:
                    found |= {cookie.partition("=")[2].strip().strip('"') for cookie in secret.split(";")}
    if any(name.lower() in _SECRET_QUERIES for name, _ in query_parameters(request.call)):
        for part in request.call.query.split("&"):
            query, _, raw = part.partition("=")
            if unquote_plus(query).lower() in _SECRET_QUERIES:
                found |= {raw, unquote_plus(raw)}
    secrets = {secret: _tail(secret) for secret in found if len(secret) >= _FINDABLE}
    # In an event or another JSON document it may stand escaped.
    escaped = {orjson.dumps(secret).decode()[1:-1]: shown for secret, shown in secrets.items()}
    return sorted({**secrets, **escaped}.items(), key=lambda each: len(each[0]), reverse=True)


def _masked(text: str, secrets: list[tuple[str, str]]) -> str:
    for secret, shown in secrets:
        text = text.replace(secret, shown)
    return text


def _cut(event: str) -> str:
    if len(event) <= _MAX_BYTES // 4:  # no character takes more than four bytes
        return event
    raw = event.encode("utf-8", "replace")
    if len(raw) <= _MAX_BYTES:
        return event
    return raw[: _MAX_BYTES - len(_TRUNCATED)].decode("utf-8", "ignore") + _TRUNCATED
