"""Lambda's Runtime API, version 2018-06-01: what may be asked when, and the bytes of each answer.

Facts: aws-semantics section 9.5; texts of refusals as in Amazon's runtime interface emulator. This module decides and
knows no socket: `runtime_api_connection` carries the bytes, `runtime_api_environment` knows the environment.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

import msgspec

from headgate.functions.environment import State
from headgate.functions.python_runtime.frames import MAX_ANSWER_BYTES
from headgate.model.invocation import FunctionError, Invocation, Outcome

MAX_STREAMED_BYTES: Final = 200 * 1024 * 1024  # passed on as it comes
MAX_GATHERED_BYTES: Final = 20 * 1024 * 1024  # of a streamed response that is put together for who wants it whole
_PREFIX: Final = "/2018-06-01/runtime/"


class Ask(Enum):
    """What a runtime can ask."""

    NEXT = auto()
    RESPONSE = auto()
    ERROR = auto()
    INIT_ERROR = auto()


class ApiRequest(msgspec.Struct):
    """One request of a runtime, read whole. Header names are in lower case, trailers among them."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    limit_bytes: int = MAX_ANSWER_BYTES
    too_large: bool = False  # the body was longer than that, and is left out


class Refused(Exception):
    """The API answers with an error; the message is one for the runtime's author."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type


def what_is_asked(method: str, path: str) -> tuple[Ask, str]:
    """The ask and the request id that it names, "" for none. Raises Refused."""
    parts = path.partition("?")[0].removeprefix(_PREFIX).split("/") if path.startswith(_PREFIX) else []
    match parts:
        case ["invocation", "next"]:
            ask, request_id, wanted = Ask.NEXT, "", "GET"
        case ["invocation", request_id, "response"]:
            ask, wanted = Ask.RESPONSE, "POST"
        case ["invocation", request_id, "error"]:
            ask, wanted = Ask.ERROR, "POST"
        case ["init", "error"]:
            ask, request_id, wanted = Ask.INIT_ERROR, "", "POST"
        case _:
            raise Refused(404, "NotFound", f"{path} is not there; the Runtime API is below {_PREFIX}")
    if method != wanted:
        raise Refused(405, "MethodNotAllowed", f"{method} is not answered at {path}; use {wanted}")
    return ask, request_id


def check(ask: Ask, request_id: str, state: State, *, current_id: str, polled: bool, failed: bool) -> None:
    """Refuse what cannot be asked now. Raises Refused.

    `current_id` is the id of the call that the runtime has and has not answered, "" without one; `polled` says that
    another connection waits for the next call already; `failed` that the runtime could not start.
    """
    match ask:
        case Ask.NEXT if failed:
            raise _wrong_transition("InitError", "Ready")
        case Ask.NEXT if current_id:
            raise _wrong_transition("Running", "Ready")
        case Ask.NEXT if polled:
            raise Refused(403, "Forbidden", "Another connection is waiting for the next invocation")
        case Ask.RESPONSE | Ask.ERROR if state is State.STARTING:
            raise _wrong_transition("Started", "ResponseSent")
        case Ask.RESPONSE | Ask.ERROR if not current_id or request_id != current_id:
            raise Refused(400, "InvalidRequestID", "Invalid request ID")
        case Ask.INIT_ERROR if state is not State.STARTING:
            raise _wrong_transition("Running" if current_id else "Ready", "InitError")
        case _:
            pass


def limit_bytes(headers: Mapping[str, str], *, passed_on: bool) -> int:
    """How long the body of a request may be; `passed_on` says that somebody takes it piece by piece."""
    if not is_streamed(headers):
        return MAX_ANSWER_BYTES
    return MAX_STREAMED_BYTES if passed_on else MAX_GATHERED_BYTES


def is_streamed(headers: Mapping[str, str]) -> bool:
    """Whether this response is sent piece by piece, while it is made."""
    return headers.get("lambda-runtime-function-response-mode", "").lower() == "streaming"


def outcome_of(ask: Ask, request: ApiRequest) -> Outcome:
    """How the call ended, by what the runtime has posted."""
    headers = request.headers
    if request.too_large:
        return _failed(
            "Function.ResponseSizeTooLarge",
            f"Response payload size exceeded maximum allowed payload size ({request.limit_bytes} bytes).",
        )
    error_type = headers.get("lambda-runtime-function-error-type", "")
    if ask is Ask.RESPONSE:
        if not (is_streamed(headers) and error_type):
            return Outcome(payload=request.body)
        # A stream that failed on its way says so in its trailers.
        return _error_outcome(_from_base64(headers.get("lambda-runtime-function-error-body", "")), error_type)
    return _error_outcome(request.body, error_type)


def init_error_document(request: ApiRequest) -> bytes:
    """Why the runtime could not start, by what it has posted."""
    return _error_outcome(request.body, request.headers.get("lambda-runtime-function-error-type", "")).payload


def next_reply(invocation: Invocation, deadline_ms: int) -> bytes:
    """The answer to `next`: a call. `deadline_ms` is of the epoch."""
    head = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}",
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}",
        f"Lambda-Runtime-Invoked-Function-Arn: {invocation.invoked_arn}",
    ]
    if invocation.trace_id:
        head.append(f"Lambda-Runtime-Trace-Id: {_in_one_line(invocation.trace_id)}")
    if invocation.client_context:
        # Written anew: JSON may hold line breaks and signs that no header can.
        head.append(f"Lambda-Runtime-Client-Context: {json.dumps(json.loads(invocation.client_context))}")
    head.append(f"Content-Length: {len(invocation.payload)}\r\n\r\n")
    return "\r\n".join(head).encode("latin-1", "replace") + invocation.payload


def refusal_reply(refused: Refused) -> bytes:
    """The answer to what is refused."""
    return _reply(refused.status, {"errorMessage": str(refused), "errorType": refused.error_type})


def too_large_reply(limit: int) -> bytes:
    """The answer to a response that is longer than this many bytes."""
    message = f"Exceeded maximum allowed payload size ({limit} bytes)."
    return refusal_reply(Refused(413, "RequestEntityTooLarge", message))


_REASONS: Final = {
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
}


def _reply(status: int, document: Mapping[str, str]) -> bytes:
    body = msgspec.json.encode(document)
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


ACCEPTED: Final = _reply(202, {"status": "OK"})


def _wrong_transition(before: str, after: str) -> Refused:
    message = f"State transition from {before} to {after} failed for runtime. Error: State transition is not allowed"
    return Refused(403, "InvalidStateTransition", message)


def _error_outcome(body: bytes, error_type: str) -> Outcome:
    """A runtime's own error document as it is; one made of the header where the body holds none."""
    try:
        is_document = isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        is_document = False
    if is_document:
        return Outcome(payload=body, error=FunctionError.UNHANDLED)
    return _failed(error_type or "Runtime.Unknown", body.decode("utf-8", "replace"))


def _failed(error_type: str, message: str) -> Outcome:
    payload = msgspec.json.encode({"errorMessage": message, "errorType": error_type})
    return Outcome(payload=payload, error=FunctionError.UNHANDLED)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()


def _in_one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
