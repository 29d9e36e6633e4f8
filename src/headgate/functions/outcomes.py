"""Lambda's error documents for what a function cannot report itself. Texts: aws-semantics section 9.4."""

import json
import os
import signal
from typing import Final

from headgate.model.invocation import FunctionError, Outcome
from headgate.model.value import Value

# Go's words for signals, which Lambda's are.
_SIGNALS: Final = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
}


def timed_out_text(timeout_s: float) -> str:
    """How long the call ran, as Lambda says it."""
    return f"Task timed out after {timeout_s:.2f} seconds"


def exit_text(request_id: str, wait_status: int | None) -> str:
    """How a process ended during a call. `wait_status` is waitpid's; None when nobody knows."""
    if wait_status is None or wait_status == 0:
        return f"RequestId: {request_id} Error: Runtime exited without providing a reason"
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        how = "signal: " + _SIGNALS.get(number, f"signal {number}")  # type: ignore[call-overload]
    else:
        how = f"exit status {os.WEXITSTATUS(wait_status)}"
    return f"RequestId: {request_id} Error: Runtime exited with error: {how}"


def timed_out(request_id: str, timeout_s: float, log_tail: bytes = b"") -> Outcome:
    """The call took longer than its function may."""
    return _error("Sandbox.Timedout", f"RequestId: {request_id} Error: {timed_out_text(timeout_s)}", log_tail)


def exited(request_id: str, wait_status: int | None, log_tail: bytes = b"") -> Outcome:
    """The process ended before it answered."""
    return _error("Runtime.ExitError", exit_text(request_id, wait_status), log_tail)


class StartFailure(Value, frozen=True):
    """Why an environment did not start: one of these."""

    document: bytes = b""  # Lambda's error document, where importing the handler failed
    entrypoint: str = ""  # why its program could not be run
    timed_out_s: float | None = None
    wait_status: int | None = None  # how the process ended
    fault: str = ""  # what this server could not do; no fault of the function's


def not_started(request_id: str, failure: StartFailure, log_tail: bytes = b"") -> Outcome:
    """The environment that would have run the call did not start."""
    if failure.document:
        return Outcome(payload=failure.document, error=FunctionError.UNHANDLED, log_tail=log_tail)
    if failure.entrypoint:
        message = f"RequestId: {request_id} Error: {failure.entrypoint}"
        return _error("Runtime.InvalidEntrypoint", message, log_tail)
    if failure.timed_out_s is not None:
        return timed_out(request_id, failure.timed_out_s, log_tail)
    return exited(request_id, failure.wait_status, log_tail)


def _error(error_type: str, message: str, log_tail: bytes) -> Outcome:
    payload = json.dumps({"errorType": error_type, "errorMessage": message}, separators=(",", ":")).encode()
    return Outcome(payload=payload, error=FunctionError.UNHANDLED, log_tail=log_tail)
