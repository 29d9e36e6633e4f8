"""An execution environment whose process is a program of its own, which asks for its calls over the Runtime API.

The same state machine, log, limits and ends as of the built-in runtime's; only the way of a call differs. The frame
socket says but two things here: where the Runtime API listens, and that the program could not be run.
"""

import socket
import time
from typing import Final

from headgate.functions.call import PendingCall
from headgate.functions.environment import Event, State
from headgate.functions.environment_process import EnvironmentOwner, EnvironmentProcess
from headgate.functions.limits import RuntimeLimits
from headgate.functions.logs import EnvironmentLog
from headgate.functions.outcomes import StartFailure
from headgate.functions.python_runtime import frames
from headgate.functions.response_stream import ResponseStream
from headgate.functions.runtime_api import (
    ACCEPTED,
    ApiRequest,
    Ask,
    Refused,
    check,
    init_error_document,
    limit_bytes,
    next_reply,
    outcome_of,
    refusal_reply,
    too_large_reply,
    what_is_asked,
)
from headgate.functions.runtime_api_connection import ApiConnection, ApiListener
from headgate.model.invocation import FunctionSpec

_READ_BYTES: Final = 4096
_MEMORY_EVERY_S: Final = 0.1
_EXIT_S: Final = 1.0  # for a runtime that has said why it cannot start, to end by itself


class RuntimeApiEnvironment(EnvironmentProcess):
    """One process that asks for one call at a time."""

    def __init__(
        self, number: int, spec: FunctionSpec, log: EnvironmentLog, limits: RuntimeLimits, owner: EnvironmentOwner
    ) -> None:
        super().__init__(number, spec, log, limits, owner)
        self._listener: ApiListener | None = None
        self._passed: list[socket.socket] = []  # that came with messages not yet read
        self._poll: ApiConnection | None = None  # waits for the next call
        self._uploading: ApiConnection | None = None  # sends an answer
        self._undelivered: PendingCall | None = None
        self._memory_seen_at = 0.0

    # The process.

    def _receive(self, source: socket.socket) -> bytes:
        received, passed, _, _ = socket.recv_fds(source, _READ_BYTES, 1)
        self._passed += [socket.socket(fileno=fd) for fd in passed]
        return received

    def on_frame(self, kind: int, payload: bytes) -> None:
        if kind == frames.LISTENING and self._passed and self._listener is None and self.state is State.STARTING:
            self._listener = ApiListener(self, self._passed.pop())
        elif kind == frames.NOT_RUN:
            self._failure = StartFailure(entrypoint=payload.decode("utf-8", "replace"))
            self._happens(Event.INIT_FAILED)
        else:
            self._happens(Event.GARBLED)

    def on_hung_up(self) -> None:
        """The program runs: with that it has let go of the frame socket."""

    def exited(self, wait_status: int, peak_kib: int = 0) -> None:
        if self._undelivered is not None and self.state is State.BUSY:
            self._happens(Event.UNREACHED)
        else:
            super().exited(wait_status, peak_kib)

    def _on_exited_while_starting(self, wait_status: int) -> None:
        if not self._failure.document:
            super()._on_exited_while_starting(wait_status)

    def _on_start_overdue(self) -> None:
        if not self._failure.document:
            super()._on_start_overdue()

    def _remove(self, was: State) -> None:
        if self._listener is not None:
            self._listener.close()
        for each in self._passed:
            each.close()
        super()._remove(was)

    # A call out.

    def _send_call(self, _was: State) -> None:
        self._undelivered = self._call
        self._call_at = time.monotonic()
        self._call_begins(self._call_at + self._spec.timeout_s)
        self._deliver()

    def _deliver(self) -> None:
        """Hand the call over, once there are both a call and a runtime that asks for it."""
        call, poll = self._undelivered, self._poll
        if call is None or poll is None:
            return
        self._undelivered = self._poll = None
        left_s = self._call_at + self._spec.timeout_s - time.monotonic()
        poll.reply(next_reply(call.invocation, int((time.time() + left_s) * 1000)))

    # What the runtime asks; see `runtime_api_connection.ApiOwner`.

    def asked(self, request: ApiRequest, connection: ApiConnection) -> bytes | None:
        if self._uploading is connection:
            self._uploading = None
        try:
            ask = self._checked(request, connection)
        except Refused as refused:
            return refusal_reply(refused)
        match ask:
            case Ask.NEXT:
                self._poll = connection
                if self.state is not State.IDLE:
                    self._next_asked()
                self._deliver()
                return None
            case Ask.INIT_ERROR:
                self._failure = StartFailure(document=init_error_document(request))
                self._deadline.set(time.monotonic() + _EXIT_S)
            case Ask.RESPONSE | Ask.ERROR:
                self._answer = outcome_of(ask, request)
                self._look_at_memory()
                self._happens(Event.RESPONDED)
        return too_large_reply(request.limit_bytes) if request.too_large else ACCEPTED

    def body_limit(self, request: ApiRequest, connection: ApiConnection) -> int:
        try:
            ask = self._checked(request, connection)
        except Refused:
            return 0  # it is refused when it is read to its end
        if ask is Ask.NEXT:
            return 0
        self._uploading = connection
        return limit_bytes(request.headers, passed_on=self.response_stream() is not None)

    def response_stream(self) -> ResponseStream | None:
        return None if self._call is None else self._call.stream

    def connection_lost(self, connection: ApiConnection) -> None:
        if self._poll is connection:
            self._poll = None
        if self._uploading is connection:
            self._uploading = None

    def _checked(self, request: ApiRequest, connection: ApiConnection) -> Ask:
        if self._uploading not in {None, connection}:
            raise Refused(403, "Forbidden", "Another connection is sending its answer")
        ask, request_id = what_is_asked(request.method, request.path)
        has_call = self._call is not None and self._undelivered is None
        current_id = self._call.invocation.request_id if has_call and self._call is not None else ""
        failed = self.state is State.STARTING and bool(self._failure.document)
        check(ask, request_id, self.state, current_id=current_id, polled=self._poll is not None, failed=failed)
        return ask

    def _look_at_memory(self) -> None:
        """Ask the kernel for the peak, but not at each of many short calls: it takes a good part of one."""
        now = time.monotonic()
        if now - self._memory_seen_at > _MEMORY_EVERY_S:
            self._memory_seen_at = now
            self.peak_memory_mb = max(self.peak_memory_mb, self._peak_memory_now_mb())

    def _next_asked(self) -> None:
        """It has started, or has done with its last call."""
        if self.state is State.STARTING:
            self._init_s = self.age_s
        if self.state in {State.STARTING, State.SETTLING}:
            self._happens(Event.READY)
