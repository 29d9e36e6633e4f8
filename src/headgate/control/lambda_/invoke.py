"""Invoke: one call of a function, by hand (aws-semantics 9.4)."""

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
from headgate.model.scope import Scope

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_PAYLOAD_BYTES: Final = 6_291_456
MAX_CLIENT_CONTEXT_BYTES: Final = 3_583  # as it stands in the header, in base64


async def invoke(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.InvocationRequest"
) -> Mapping[str, Any]:
    """Call a function and wait for its end. A function that fails is an answer too, with FunctionError.

    A dry run checks the request and that there is what it names; no code runs.
    """
    function = named(scope, request["FunctionName"], request.get("Qualifier"))
    invocation_type = request.get("InvocationType", "RequestResponse")
    _check_supported(invocation_type, request)
    payload = _payload(request.get("Payload", b""), invocation_type)
    client_context = _client_context(request.get("ClientContext", ""))
    if invocation_type == "DryRun":
        await ports.store.read(lambda tx: find_version(Context(tx, scope, now), function))
        return {"StatusCode": 204}
    want_log_tail = request.get("LogType") == "Tail"
    invoked = await ports.invoke(function, payload, client_context=client_context, want_log_tail=want_log_tail)
    return {
        "StatusCode": 200,
        "Payload": invoked.outcome.payload,
        "FunctionError": invoked.outcome.error,
        "LogResult": base64.b64encode(invoked.outcome.log_tail).decode() if want_log_tail else None,
        "ExecutedVersion": invoked.executed_version,
    }


def _check_supported(invocation_type: str, request: "shapes.InvocationRequest") -> None:
    if invocation_type == "Event":
        raise unsupported(
            "InvocationType", "Event", "asynchronous invocation is not available yet; give RequestResponse or DryRun"
        )
    if name := request.get("DurableExecutionName"):
        raise unsupported("DurableExecutionName", name, "leave it out")
    if tenant := request.get("TenantId"):
        raise unsupported("TenantId", tenant, "leave it out")


def _payload(given: bytes, invocation_type: str) -> bytes:
    """JSON for the handler; a call without a payload gives it an empty object."""
    if len(given) > MAX_PAYLOAD_BYTES:
        raise payload_too_large(
            f"{len(given)} byte payload is too large for the {invocation_type} invocation type "
            f"(limit {MAX_PAYLOAD_BYTES} bytes)"
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
