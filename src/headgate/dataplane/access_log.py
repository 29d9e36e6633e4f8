"""Access logs: a line per request, as the stage's format says (aws-semantics 6.2).

The format is compiled with the stage, once for each method: what does not change from request to request becomes text
then. Values are put in as they are, without escaping, and `-` stands where there is none; both as the service does it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from headgate.dataplane.exchange import Exchange
from headgate.dataplane.mapping.parameters import CONTEXT
from headgate.dataplane.ports import LogSink

_NOTHING: Final = "-"
# Names of claims, context keys and headers may have hyphens; after any other variable a hyphen is text.
_VARIABLE: Final = re.compile(
    r"\$context\.((?:authorizer|requestOverride|responseOverride)(?:\.[\w-]+)+|\w+(?:\.\w+)*)", re.ASCII
)

Piece = str | Callable[[Exchange], str]


def compile_format(text: str, constants: Mapping[str, str]) -> tuple[Piece, ...]:
    """The pieces of a line: texts, and functions of the exchange. `constants` are variables known beforehand."""
    pieces: list[Piece] = []
    literal = ""
    end = 0
    for found in _VARIABLE.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        piece = _piece(found[1], constants)
        if isinstance(piece, str):
            literal += piece
        else:
            pieces += [literal, piece]
            literal = ""
    pieces.append(literal + text[end:])
    return tuple(pieces)


def render(pieces: tuple[Piece, ...], exchange: Exchange) -> str:
    return "".join([piece if isinstance(piece, str) else piece(exchange) for piece in pieces])


class AccessLog:
    """The access log of one method on one side of a stage."""

    __slots__ = ("_group", "_pieces", "_sink", "_stream", "needs_watch")

    def __init__(self, sink: LogSink, group: str, stream: str, format_: str, constants: Mapping[str, str]) -> None:
        """`group` is the ARN of the log group, without `:*`."""
        self._sink = sink
        self._group = group
        self._stream = stream
        self._pieces = compile_format(format_, constants)
        self.needs_watch = any(piece in _OF_THE_WATCH for piece in self._pieces)

    def write(self, exchange: Exchange) -> None:
        self._sink.write(self._group, self._stream, exchange.ended_ms, render(self._pieces, exchange))


def _piece(name: str, constants: Mapping[str, str]) -> Piece:
    if name in constants:
        return constants[name] or _NOTHING
    if name in _OF_THE_EXCHANGE:
        return _OF_THE_EXCHANGE[name]
    source = CONTEXT.get(name)
    if source is None:
        return _NOTHING  # of what this gateway has not: authorizers, WAF, client certificates and the like
    return lambda exchange: source(exchange.request) or _NOTHING


def _integration_latency(exchange: Exchange) -> str:
    return str(int(exchange.integration_s * 1000)) if exchange.integration_s >= 0.0 else _NOTHING


def _integration_error(exchange: Exchange) -> str:
    # A refusal before the integration, such as throttling, is no error of the integration.
    return exchange.refusal.reason or _NOTHING if exchange.refusal is not None and exchange.before_s >= 0 else _NOTHING


def _service_status(exchange: Exchange) -> str:
    """The status with which the called service answered: for a function Lambda's own, not its code's."""
    watch = exchange.request.watch
    return str(watch.status) if watch is not None and watch.status else _NOTHING


def _integration_status(exchange: Exchange) -> str:
    """The status that the backend meant: for a function what its code answered."""
    watch = exchange.request.watch
    if watch is not None and watch.function is not None:
        return str(exchange.response.status) if exchange.refusal is None else _NOTHING
    return _service_status(exchange)


def _service_request_id(exchange: Exchange) -> str:
    watch = exchange.request.watch
    return watch.request_id or _NOTHING if watch is not None else _NOTHING


def _error_message(exchange: Exchange) -> str:
    return _NOTHING if exchange.refusal is None else exchange.refusal.text


def _error_message_string(exchange: Exchange) -> str:
    return _NOTHING if exchange.refusal is None else orjson.dumps(exchange.refusal.text).decode()


def _error_response_type(exchange: Exchange) -> str:
    return _NOTHING if exchange.refusal is None else exchange.refusal.response_type


def _latency(exchange: Exchange) -> str:
    return str(int(exchange.latency_s * 1000))


_OF_THE_EXCHANGE: Final[Mapping[str, Callable[[Exchange], str]]] = {
    "awsEndpointRequestId": _service_request_id,
    "error.message": _error_message,
    "error.messageString": _error_message_string,
    "error.responseType": _error_response_type,
    "integration.error": _integration_error,
    "integration.integrationStatus": _service_status,
    "integration.latency": _integration_latency,
    "integration.requestId": _service_request_id,
    "integration.status": _integration_status,
    "integrationErrorMessage": _integration_error,
    "integrationLatency": _integration_latency,
    "integrationStatus": _service_status,
    "responseLatency": _latency,
    "responseLength": lambda exchange: str(len(exchange.response.body)),
    "xrayTraceId": lambda exchange: _NOTHING if exchange.request.trace is None else exchange.request.trace.trace_id,
    "status": lambda exchange: str(exchange.response.status),
}
_OF_THE_WATCH: Final = frozenset({_service_request_id, _service_status, _integration_status})
