"""InvokeWithResponseStream: a call whose response is sent as events while the function makes it (aws-semantics 9.4).

A function that answers at once, as one on the built-in Python runtime does, makes one event, or a few of a long answer.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.context import Answer
from headgate.control.lambda_.invoke import called
from headgate.control.lambda_.ports import LambdaPorts
from headgate.functions.response_stream import ResponseStream
from headgate.model.call import BrokenOff, Pieces
from headgate.model.invocation import Outcome
from headgate.model.scope import Scope
from headgate.wire.event_stream import Event, encode

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

_CHUNK_BYTES: Final = 65_536  # of a payload that is there at once, in one event


async def invoke_with_response_stream(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.InvokeWithResponseStreamRequest"
) -> tuple[Answer, Pieces | None]:
    """Answered when the first piece of the response is there, or its end. A dry run has no event."""
    call = called(scope, request)
    if call.is_dry_run:
        await call.check_exists(ports, scope, now)
        return {"StatusCode": 204}, None
    streamed = await ports.invoke_streaming(
        call.function, call.payload, client_context=call.client_context, want_log_tail=call.want_log_tail
    )
    head: Mapping[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": streamed.executed_version,
        "ResponseStreamContentType": "application/vnd.amazon.eventstream",
        "RequestId": streamed.request_id,
    }
    return head, _Events(streamed.stream, want_log_tail=call.want_log_tail)


class _Events:
    """The frames of one response; see `model.call.Pieces`."""

    def __init__(self, stream: ResponseStream, *, want_log_tail: bool) -> None:
        self._stream = stream
        self._want_log_tail = want_log_tail
        self._ended = False

    async def next(self) -> bytes:
        if self._ended:
            return b""
        try:
            piece = await self._stream.next()
        except BrokenOff:
            piece = b""  # which the last event tells
        if piece:
            return encode(_chunk(piece))
        self._ended = True
        outcome = self._stream.outcome
        return b"" if outcome is None else b"".join(map(encode, _last_events(outcome, self._want_log_tail)))

    def abandon(self) -> None:
        self._stream.abandon()


def _last_events(outcome: Outcome, want_log_tail: bool) -> Iterator[Event]:
    """What had not come in pieces, and the end. Of a function that failed there is the end only, which says why."""
    end = {}
    if outcome.error is None:
        for at in range(0, len(outcome.payload), _CHUNK_BYTES):
            yield _chunk(outcome.payload[at : at + _CHUNK_BYTES])
    else:
        end = {"ErrorCode": outcome.error, "ErrorDetails": outcome.payload.decode("utf-8", "replace")}
    if want_log_tail:
        end["LogResult"] = base64.b64encode(outcome.log_tail).decode()
    yield Event("InvokeComplete", orjson.dumps(end), "application/json")


def _chunk(piece: bytes) -> Event:
    return Event("PayloadChunk", piece, "application/octet-stream")
