"""The function gate: a Lambda function that answers as CodeDeploy's hooks do."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import msgspec

from headgate.model.value import Value
from headgate.release.failures import Refused
from headgate.release.gates import excerpt
from headgate.release.gates.cancelled import LOOK_S, Cancelled
from headgate.release.gates.context import GateContext, payload

Invoke = Callable[[str, bytes], bytes]  # function (name, name:alias or ARN) and payload -> answer

_SUCCEEDED: Final = "Succeeded"


class _Answer(Value, frozen=True):
    status: str
    reason: str = ""


def ask_function(
    function: str, context: GateContext, invoke: Invoke, timeout_s: float, cancelled: threading.Event
) -> str:
    """What it answered. `invoke` raises Refused and Unavailable, and so does this; Cancelled besides."""
    began = time.monotonic()
    body = msgspec.json.encode(payload(context))
    said = _waited_for(lambda: invoke(function, body), function, timeout_s, cancelled)
    try:
        answer = msgspec.json.decode(said, type=_Answer)
    except msgspec.MsgspecError as error:
        raise Refused(
            f'function {function} must answer {{"status": "Succeeded"}} or {{"status": "Failed", "reason": "..."}}, '
            f"not {excerpt.beginning(said, context.headers.values()) or 'nothing'}"
        ) from error
    reason = excerpt.beginning(answer.reason.encode(), context.headers.values())
    if answer.status != _SUCCEEDED:
        status = excerpt.beginning(answer.status.encode(), context.headers.values())
        raise Refused(f"function {function} answered {status}: {reason or 'no reason given'}")
    took = f"in {(time.monotonic() - began) * 1000:.0f} ms"
    return f"function {function} answered {_SUCCEEDED} {took}{f': {reason}' if reason else ''}"


def _waited_for(call: Callable[[], bytes], function: str, timeout_s: float, cancelled: threading.Event) -> bytes:
    """A call's answer, waited for so long. A call cannot be ended from here: its thread is left to end by itself."""
    answer: Future[bytes] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # the waiting thread raises it
            answer.set_exception(error)

    threading.Thread(target=run, name=f"gate {function}", daemon=True).start()
    deadline = time.monotonic() + timeout_s
    while True:
        if cancelled.is_set():
            raise Cancelled
        left = deadline - time.monotonic()
        if left <= 0:
            raise Refused(f"function {function} gave no answer within {timeout_s:g} s")
        try:
            return answer.result(min(left, LOOK_S))
        except TimeoutError:
            if answer.done():
                raise
