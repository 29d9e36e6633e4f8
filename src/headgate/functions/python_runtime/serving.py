"""One execution environment: takes calls from its socket, one at a time, and answers them, until the socket ends."""

import array
import fcntl
import os
import resource
import signal
import sys
import termios
from typing import NoReturn

from . import frames, logs
from .context import FunctionVariables, LambdaContext
from .faults import as_json, error_document, log_error
from .handler import Handler, parse_event, to_json

_TOO_LARGE = (
    b'{"errorMessage":"Response payload size exceeded maximum allowed payload size (%d bytes).",'
    b'"errorType":"Function.ResponseSizeTooLarge"}' % frames.MAX_ANSWER_BYTES
)


def serve(socket_fd: int, handler: Handler) -> NoReturn:
    """Answer calls. Ends this process, by `os._exit`, when the server closes the socket or the handler asks to exit."""
    own_pid = os.getpid()
    function = FunctionVariables()
    reader = frames.FrameReader()
    try:
        write(socket_fd, frames.frame(frames.READY, b""))
        while received := os.read(socket_fd, 65_536):
            for _kind, payload in reader.feed(received):
                answer = _answer(payload, handler, function)
                if os.getpid() != own_pid:
                    os._exit(0)  # a copy that the handler forked and let return: only the original answers
                write(socket_fd, answer)
    except OSError:
        pass  # the server ended the socket, or the handler did
    os._exit(0)


def write(fd: int, message: bytes) -> None:
    """Write it all to a blocking descriptor."""
    written = os.write(fd, message)
    while written < len(message):
        message = message[written:]
        written = os.write(fd, message)


def exit_status(asked: SystemExit) -> int:
    """The status that a Python program which ends by this exception has."""
    if asked.code is None:
        return 0
    if isinstance(asked.code, int):
        return asked.code & 0xFF
    print(asked.code, file=sys.stderr)
    return 1


def _answer(payload: bytes, handler: Handler, function: FunctionVariables) -> bytes:
    number, deadline_ms, request_id, invoked_arn, trace_id, client_context, event = frames.parse_call(payload)
    logs.CurrentCall.request_id = request_id
    if os.environ.get("_X_AMZN_TRACE_ID") != trace_id:  # of the call before, too, where this one has none
        os.environ["_X_AMZN_TRACE_ID"] = trace_id

    kind = frames.ERROR
    try:
        context = LambdaContext(function, request_id, invoked_arn, deadline_ms, client_context)
        answer = to_json(handler(parse_event(event), context))
        if len(answer) <= frames.MAX_ANSWER_BYTES:
            kind = frames.ANSWER
        else:
            answer = _TOO_LARGE
    except SystemExit as asked:
        status = exit_status(asked)
        logs.flush()
        os._exit(status)
    except MemoryError:
        # On Lambda the kernel ends who uses more than the function's memory; here its limit refuses more memory.
        # Nothing can be relied on after that, so the end is made the same.
        os.kill(os.getpid(), signal.SIGKILL)
        raise
    except BaseException as error:  # all that a handler raises is its answer, KeyboardInterrupt too
        document = error_document(error, request_id)
        log_error(document, logs.RECORD_LINE_BREAK)
        answer = as_json(document, frames.MAX_ANSWER_BYTES)
    logs.flush()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return frames.answer_frame(kind, number, peak_kib, _has_output(), answer)


def _has_output() -> bool:
    """Whether the pipe holds output that the server has not read: asked here, where it costs the server no time."""
    try:
        fcntl.ioctl(1, termios.FIONREAD, _waiting_bytes)
    except OSError:
        return True  # the handler has closed or replaced the descriptor: let the server look
    return _waiting_bytes[0] > 0


_waiting_bytes = array.array("i", [0])
