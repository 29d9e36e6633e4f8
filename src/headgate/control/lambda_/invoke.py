"""Invoke and its kin: one call of a function, by hand (aws-semantics 9.4)."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid_content, payload_too_large, unsupported
from headgate.control.lambda_.lookup import find_version
from headgate.control.lambda_.ports import Invoked, LambdaPorts
from headgate.control.lambda_.qualifiers import named
from headgate.model.arn import FunctionRef
from headgate.model.scope import Scope
from headgate.wire.event_stream import Event, encode

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_PAYLOAD_BYTES: Final = 6_291_456
MAX_EVENT_BYTES: Final = 1_048_576  # of an asynchronous call
MAX_CLIENT_CONTEXT_BYTES: Final = 3_583  # as it stands in the header, in base64
_CHUNK_BYTES: Final = 65_536  # of a payload, in one event of a response stream
_SYNCHRONOUS: Final = "RequestResponse"
_ASYNCHRONOUS: Final = "Event"
_DRY_RUN: Final = "DryRun"


async def invoke(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.InvocationRequest"
) -> Mapping[str, Any]:
    """Call a function and wait for its end. A function that fails is an answer too, with FunctionError.

    An event is answered as soon as it is durable. A dry run checks the request and that there is what it names; no code
    runs.
    """
    function = named(scope, request["FunctionName"], request.get("Qualifier"))
    invocation_type = request.get("InvocationType", _SYNCHRONOUS)
    _check_supported(request)
    payload = _payload(request.get("Payload", b""), invocation_type)
    client_context = _client_context(request.get("ClientContext", ""))
    if invocation_type == _DRY_RUN:
        return await _dry_run(ports, scope, now, function)
    if invocation_type == _ASYNCHRONOUS:
        request_id = await ports.invoke_later(function, payload, client_context=client_context)
        return {"StatusCode": 202, "RequestId": request_id}
    want_log_tail = request.get("LogType") == "Tail"
    invoked = await ports.invoke(function, payload, client_context=client_context, want_log_tail=want_log_tail)
    return {
        "StatusCode": 200,
        "Payload": invoked.outcome.payload,
        "FunctionError": invoked.outcome.error,
        "LogResult": base64.b64encode(invoked.outcome.log_tail).decode() if want_log_tail else None,
        "ExecutedVersion": invoked.executed_version,
        "RequestId": invoked.request_id or None,
    }


async def invoke_async(
    ports: LambdaPorts, scope: Scope, _now: float, request: "shapes.InvokeAsyncRequest"
) -> Mapping[str, Any]:
    """The older form of an event, which has no qualifier of its own."""
    function = named(scope, request["FunctionName"])
    payload = _payload(request.get("InvokeArgs", b""), _ASYNCHRONOUS)
    request_id = await ports.invoke_later(function, payload, client_context="")
    return {"Status": 202, "RequestId": request_id}


async def invoke_with_response_stream(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.InvokeWithResponseStreamRequest"
) -> Mapping[str, Any]:
    """Call a function and answer with a stream of events, which is sent when the call has ended."""
    function = named(scope, request["FunctionName"], request.get("Qualifier"))
    invocation_type = request.get("InvocationType", _SYNCHRONOUS)
    _check_supported(request)
    payload = _payload(request.get("Payload", b""), invocation_type)
    client_context = _client_context(request.get("ClientContext", ""))
    if invocation_type == _DRY_RUN:
        return await _dry_run(ports, scope, now, function)
    want_log_tail = request.get("LogType") == "Tail"
    invoked = await ports.invoke(function, payload, client_context=client_context, want_log_tail=want_log_tail)
    return {
        "StatusCode": 200,
        "ExecutedVersion": invoked.executed_version,
        "ResponseStreamContentType": "application/vnd.amazon.eventstream",
        "EventStream": b"".join(map(encode, _stream(invoked, want_log_tail=want_log_tail))),
        "RequestId": invoked.request_id or None,
    }


async def _dry_run(ports: LambdaPorts, scope: Scope, now: float, function: FunctionRef) -> Mapping[str, Any]:
    await ports.store.read(lambda tx: find_version(Context(tx, scope, now), function))
    return {"StatusCode": 204}


def _stream(invoked: Invoked, *, want_log_tail: bool) -> Iterator[Event]:
    """The answer in chunks, then the end. Of a function that failed there is the end only, which says why."""
    outcome = invoked.outcome
    end = {}
    if outcome.error is None:
        for at in range(0, len(outcome.payload), _CHUNK_BYTES):
            yield Event("PayloadChunk", outcome.payload[at : at + _CHUNK_BYTES], "application/octet-stream")
    else:
        end = {"ErrorCode": outcome.error, "ErrorDetails": outcome.payload.decode("utf-8", "replace")}
    if want_log_tail:
        end["LogResult"] = base64.b64encode(outcome.log_tail).decode()
    yield Event("InvokeComplete", orjson.dumps(end), "application/json")


def _check_supported(request: Mapping[str, Any]) -> None:
    for member in ("DurableExecutionName", "TenantId"):
        if given := request.get(member):
            raise unsupported(member, given, "leave it out")


def _payload(given: bytes, invocation_type: str) -> bytes:
    """JSON for the handler; a call without a payload gives it an empty object."""
    limit = MAX_EVENT_BYTES if invocation_type == _ASYNCHRONOUS else MAX_PAYLOAD_BYTES
    if len(given) > limit:
        raise payload_too_large(
            f"{len(given)} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
        )
    if not given:
        return b"{}"
    try:
        orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise invalid_content(
            f"Could not parse request body into json: Could not parse payload into json: {error}"
        ) from error
    return given


def _client_context(given: str) -> str:
    """The header's JSON object, decoded; "" for none."""
    if not given:
        return ""
    if len(given) > MAX_CLIENT_CONTEXT_BYTES:
        raise invalid_content(
            f"Client context has {len(given)} bytes of base64; it can have at most {MAX_CLIENT_CONTEXT_BYTES}"
        )
    try:
        decoded = base64.b64decode(given, validate=True)
        is_object = isinstance(orjson.loads(decoded), dict)
    except (binascii.Error, ValueError):  # orjson's error is a ValueError; so is text that is not ASCII
        is_object = False
    if not is_object:
        raise invalid_content("Client context must be a valid Base64-encoded JSON object.")
    return decoded.decode()
