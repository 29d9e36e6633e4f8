"""Invoke and its kin: one call of a function, by hand (aws-semantics 9.4)."""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid_content, payload_too_large, unsupported
from headgate.control.lambda_.lookup import find_version
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named
from headgate.model.arn import FunctionRef
from headgate.model.scope import Scope
from headgate.model.value import Value

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_PAYLOAD_BYTES: Final = 6_291_456
MAX_EVENT_BYTES: Final = 1_048_576  # of an asynchronous call
MAX_CLIENT_CONTEXT_BYTES: Final = 3_583  # as it stands in the header, in base64
_SYNCHRONOUS: Final = "RequestResponse"
_ASYNCHRONOUS: Final = "Event"
_DRY_RUN: Final = "DryRun"


class CalledByHand(Value, frozen=True):
    """What Invoke and InvokeWithResponseStream ask for alike."""

    function: FunctionRef
    invocation_type: str
    payload: bytes
    client_context: str
    want_log_tail: bool

    @property
    def is_dry_run(self) -> bool:
        return self.invocation_type == _DRY_RUN

    async def check_exists(self, ports: LambdaPorts, scope: Scope, now: float) -> None:
        """A dry run checks the request and that there is what it names; no code runs."""
        await ports.store.read(lambda tx: find_version(Context(tx, scope, now), self.function))


def called(scope: Scope, request: "shapes.InvocationRequest | shapes.InvokeWithResponseStreamRequest") -> CalledByHand:
    """The request, checked. Raises ApiError."""
    function = named(scope, request["FunctionName"], request.get("Qualifier"))
    invocation_type = request.get("InvocationType", _SYNCHRONOUS)
    _check_supported(request)
    return CalledByHand(
        function=function,
        invocation_type=invocation_type,
        payload=_payload(request.get("Payload", b""), invocation_type),
        client_context=_client_context(request.get("ClientContext", "")),
        want_log_tail=request.get("LogType") == "Tail",
    )


async def invoke(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.InvocationRequest"
) -> Mapping[str, Any]:
    """Call a function and wait for its end. A function that fails is an answer too, with FunctionError.

    An event is answered as soon as it is durable.
    """
    call = called(scope, request)
    if call.is_dry_run:
        await call.check_exists(ports, scope, now)
        return {"StatusCode": 204}
    if call.invocation_type == _ASYNCHRONOUS:
        request_id = await ports.invoke_later(call.function, call.payload, client_context=call.client_context)
        return {"StatusCode": 202, "RequestId": request_id}
    invoked = await ports.invoke(
        call.function, call.payload, client_context=call.client_context, want_log_tail=call.want_log_tail
    )
    log_tail = base64.b64encode(invoked.outcome.log_tail).decode()
    return {
        "StatusCode": 200,
        "Payload": invoked.outcome.payload,
        "FunctionError": invoked.outcome.error,
        "LogResult": log_tail if call.want_log_tail else None,
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
