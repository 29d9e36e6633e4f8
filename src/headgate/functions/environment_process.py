"""The shell around an environment's state machine: its socket, its output, its process. It has no rule in it."""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from headgate.functions import outcomes
from headgate.functions.call import PendingCall
from headgate.functions.deadline import TOLERANCE_S, Deadline
from headgate.functions.environment import TRANSITIONS, Action, Event, State
from headgate.functions.frame_socket import FrameSocket, receive
from headgate.functions.limits import RuntimeLimits
from headgate.functions.logs import EnvironmentLog, iso_timestamp, report
from headgate.functions.outcomes import StartFailure
from headgate.functions.output import OutputPipe
from headgate.functions.parent import Parent
from headgate.functions.python_runtime import frames
from headgate.model.invocation import FunctionError, FunctionSpec, Invocation, Outcome


class EnvironmentOwner(Protocol):
    """Whom an environment tells what happens to it."""

    def environment_free(self, environment: "EnvironmentProcess", was: State) -> None: ...

    def environment_gone(self, environment: "EnvironmentProcess", was: State) -> None: ...

    def environment_failed_to_start(self, environment: "EnvironmentProcess", why: StartFailure) -> None: ...

    def call_not_taken(self, call: PendingCall) -> None:
        """The process was gone before the call reached it."""
        ...


class EnvironmentProcess:
    """One process that runs one call at a time."""

    def __init__(
        self, number: int, spec: FunctionSpec, log: EnvironmentLog, limits: RuntimeLimits, owner: EnvironmentOwner
    ) -> None:
        self.number = number
        self.state = State.STARTING
        self.log = log
        self.peak_memory_mb = 0
        self._spec = spec
        self._limits = limits
        self._owner = owner
        self._parent: Parent | None = None
        self._socket: FrameSocket | None = None
        self._output: OutputPipe | None = None
        self._deadline = Deadline(self._on_deadline)
        self._started_at = time.monotonic()
        self._init_s: float | None = None
        self._call: PendingCall | None = None
        self._call_number = 0
        self._call_at = 0.0
        self._runs_until = 0.0  # at most, the call that runs or has run
        self._answer = Outcome(payload=b"")
        self._output_may_wait = True
        self._failure = StartFailure()
        self._exit_status: int | None = None
        self._acts: Mapping[Action, Callable[[State], None]] = {
            Action.SEND: self._send_call,
            Action.ANSWER: self._resolve_with_answer,
            Action.OFFER: self._offer,
            Action.KILL: self._kill,
            Action.GIVE_BACK: self._give_back,
            Action.FAIL_INIT: self._fail_to_start,
            Action.FAIL_TIMEOUT: self._resolve_with_timeout,
            Action.FAIL_EXIT: self._resolve_with_exit,
            Action.REMOVE: self._remove,
        }

    def __repr__(self) -> str:
        running = "" if self._call is None else f" with {self._call.invocation.request_id}"
        return f"<environment {self.number} of {self._spec.name}: {self.state.name.lower()}{running}>"

    @property
    def age_s(self) -> float:
        """How long ago its start began."""
        return time.monotonic() - self._started_at

    @property
    def is_at_work(self) -> bool:
        """Whether it wants a core now: it runs or waits for one, and does not wait for anything else."""
        return self._parent is None or self._parent.is_running(self.number)

    def start(self, parent: Parent, folder: Path | None) -> None:
        """Have the parent fork the process; `folder` as `Parent.fork` has it.

        Raises OSError where this server has no descriptor left; `init_failed` follows.
        """
        self._parent = parent
        ours, theirs = socket.socketpair()
        output, their_output = os.pipe()
        try:
            self._output = OutputPipe(output, self.log, self._limits.log_burst_bytes)
            parent.fork(self.number, self.log.stream, folder, theirs.fileno(), their_output)
        finally:
            theirs.close()
            os.close(their_output)
        self._socket = FrameSocket(ours, self, self._receive)
        self._deadline.set(time.monotonic() + self._limits.start_s(self._spec.timeout_s))

    def run(self, call: PendingCall) -> None:
        """Give it a call."""
        self._call = call
        self._happens(Event.CALL)

    def runs_on(self, invocation: Invocation) -> "asyncio.Future[Outcome | None] | None":
        """See `FunctionRuntime.runs_on`."""
        call = self._call
        if call is None or call.invocation is not invocation:
            return None
        call.late = call.future.get_loop().create_future()
        return call.late

    def retire(self) -> None:
        """It is not wanted any more: end it, after its call if it has one."""
        self._happens(Event.RETIRED)

    def init_failed(self, why: StartFailure) -> None:
        """Its parent did not get so far as to fork it."""
        self._failure = why
        self._happens(Event.INIT_FAILED)

    def exited(self, wait_status: int, peak_kib: int = 0) -> None:
        """Its process ended; `peak_kib` is the most memory that it used, where that is known."""
        self.peak_memory_mb = max(self.peak_memory_mb, peak_kib // 1024)
        while self._socket is not None and self._socket.read():
            pass  # what it said before
        self._exit_status = wait_status
        if self.state is State.STARTING:
            self._on_exited_while_starting(wait_status)
        self._happens(Event.EXITED)

    # What is otherwise where the process speaks the Runtime API.

    def _receive(self, source: socket.socket) -> bytes:
        return receive(source)

    def on_hung_up(self) -> None:
        self._happens(Event.HUNG_UP)

    def _on_exited_while_starting(self, wait_status: int) -> None:
        self._failure = StartFailure(wait_status=wait_status)

    def _on_start_overdue(self) -> None:
        self._failure = StartFailure(timed_out_s=self._limits.start_s(self._spec.timeout_s))

    # Events in, actions out.

    def _happens(self, event: Event) -> None:
        was = self.state
        self.state, actions = TRANSITIONS[was][event]
        for action in actions:
            self._acts[action](was)

    def _offer(self, was: State) -> None:
        self._deadline.clear()
        self._owner.environment_free(self, was)

    def _kill(self, _was: State) -> None:
        if self._parent is not None:
            self.peak_memory_mb = max(self.peak_memory_mb, self._peak_memory_now_mb())
            self._parent.kill_environment(self.number)

    def _peak_memory_now_mb(self) -> int:
        return 0 if self._parent is None else self._parent.peak_memory_mb(self.number)

    def _give_back(self, _was: State) -> None:
        call, self._call = self._call, None
        assert call is not None
        self._owner.call_not_taken(call)

    def _fail_to_start(self, _was: State) -> None:
        if self._output is not None:
            self._output.read_all()
        self._owner.environment_failed_to_start(self, self._failure)

    def _remove(self, was: State) -> None:
        self._deadline.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._output is not None:
            self._output.read_all()
            self._output.close()
        self._owner.environment_gone(self, was)

    def _on_deadline(self) -> None:
        if time.monotonic() < self._runs_until - TOLERANCE_S:
            # Its caller alone gives up: the call runs on.
            if self._call is not None:
                self._call.refuse(TimeoutError())
            self._deadline.set(self._runs_until)
            return
        if self.state is State.STARTING:
            self._on_start_overdue()
        self._happens(Event.TIMED_OUT)

    # A call out, an answer in.

    def _send_call(self, _was: State) -> None:
        assert self._call is not None
        invocation = self._call.invocation
        self._call_number = (self._call_number + 1) & 0xFFFFFFFF
        self._call_at = time.monotonic()
        deadline = self._call_at + self._spec.timeout_s
        message = frames.call_frame(
            self._call_number,
            int(deadline * 1000),
            invocation.request_id,
            invocation.invoked_arn,
            invocation.trace_id,
            invocation.client_context,
            invocation.payload,
        )
        assert self._socket is not None
        if not self._socket.send(message):
            self._happens(Event.UNREACHED)
            return
        # While the process works already. What it prints is not read before this returns.
        self._call_begins(deadline)

    def _call_begins(self, deadline: float) -> None:
        """Set the call's deadline and begin its log."""
        call, output = self._call, self._output
        assert call is not None
        assert output is not None
        self._runs_until = deadline
        self._deadline.set(min(deadline, call.gives_up_at))
        output.allow_burst()
        if call.invocation.want_log_tail:
            self.log.keep_tail()
        self.log.write(f"START RequestId: {call.invocation.request_id} Version: {self._spec.version}")

    def on_frame(self, kind: int, payload: bytes) -> None:
        match kind:
            case frames.ANSWER:
                self._on_answer(payload, None)
            case frames.ERROR:
                self._on_answer(payload, FunctionError.UNHANDLED)
            case frames.READY:
                self._init_s = self.age_s
                self._happens(Event.READY)
            case frames.INIT_ERROR:
                self._failure = StartFailure(document=payload)
                self._happens(Event.INIT_FAILED)
            case _:
                self._happens(Event.GARBLED)

    def on_garbled(self) -> None:
        self._happens(Event.GARBLED)

    def _on_answer(self, payload: bytes, error: FunctionError | None) -> None:
        try:
            number, peak_kib, has_output = frames.ANSWER_HEAD.unpack_from(payload)
        except struct.error:
            self._happens(Event.GARBLED)
            return
        # An answer to an earlier call comes from a copy of the process that the handler forked.
        if number != self._call_number or self._call is None:
            self._happens(Event.GARBLED)
            return
        self.peak_memory_mb = peak_kib // 1024
        self._output_may_wait = bool(has_output)
        self._answer = Outcome(payload=payload[frames.ANSWER_HEAD.size :], error=error)
        self._happens(Event.ANSWERED)

    # The end of a call.

    def _resolve_with_answer(self, _was: State) -> None:
        call, tail = self._finish_call("")
        call.resolve(replace(self._answer, log_tail=tail) if tail else self._answer)

    def _resolve_with_timeout(self, _was: State) -> None:
        assert self._call is not None
        request_id = self._call.invocation.request_id
        text = outcomes.timed_out_text(self._spec.timeout_s)
        call, tail = self._finish_call(f"{iso_timestamp(time.time())} {request_id} {text}")
        call.resolve(outcomes.timed_out(request_id, self._spec.timeout_s, tail))

    def _resolve_with_exit(self, _was: State) -> None:
        assert self._call is not None
        request_id = self._call.invocation.request_id
        text = outcomes.exit_text(request_id, self._exit_status)
        call, tail = self._finish_call(f"{text}\nRuntime.ExitError")
        call.resolve(outcomes.exited(request_id, self._exit_status, tail))

    def _finish_call(self, last_line: str) -> tuple[PendingCall, bytes]:
        """Complete the call's log. The process has flushed before it answered, so all it printed is in the pipe."""
        duration_s = time.monotonic() - self._call_at
        call, self._call = self._call, None
        assert call is not None
        assert self._output is not None
        log = self.log
        if self._output_may_wait or log.in_a_line:
            self._output.read_all()
        self._output_may_wait = True
        if last_line:
            log.write(last_line)
        invocation = call.invocation
        request_id = invocation.request_id
        log.write(
            f"END RequestId: {request_id}",
            report(
                request_id, duration_s, self._spec.memory_mb, self.peak_memory_mb, self._init_s, invocation.trace_id
            ),
        )
        self._init_s = None
        return call, log.take_tail() if invocation.want_log_tail else b""
