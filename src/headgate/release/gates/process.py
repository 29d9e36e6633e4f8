"""A command in a session of its own: its output's end is kept, and nothing that it started outlives it."""

import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO, Final, Self

from headgate.model.value import Value
from headgate.release.failures import Refused
from headgate.release.gates.cancelled import LOOK_S, Cancelled

KEPT_BYTES: Final = 4096  # twice what is shown, so that a secret at the edge is whole when it is looked for
_CHUNK: Final = 65_536
_LAST_CHUNKS: Final = 64  # read of a pipe that something beyond our reach still writes to


class Ended(Value, frozen=True):
    status: int | None  # exit status, negative for a signal; None: it was ended, as its time was up
    output: bytes  # the last of stdout and stderr


def shell(command: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", command)


def run_process(
    arguments: Sequence[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    timeout_s: float,
    cancelled: threading.Event,
    stdin: bytes = b"",
    grace_s: float = 0.0,
    inherits: Collection[int] = (),
) -> Ended:
    """Run a command to its end, then kill what is left of its process group.

    When its time is up it gets SIGTERM, and SIGKILL `grace_s` later. `inherits` are file descriptors that it holds
    while it lives. Raises Cancelled, after killing it, and Refused if it cannot be started.
    """
    if cancelled.is_set():
        raise Cancelled
    with ExitStack() as stack:
        given: IO[bytes] | int = subprocess.DEVNULL
        if stdin:
            given = stack.enter_context(tempfile.TemporaryFile())  # a pipe could fill up, and wait for its reader
            given.write(stdin)
            given.seek(0)
        try:
            process = subprocess.Popen(
                arguments,
                cwd=folder or None,
                env=environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(inherits),
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Refused(f"the command cannot be started in {folder or '.'}: {why}") from error
        stack.enter_context(process)
        stack.callback(_signal_group, process, signal.SIGKILL)
        follower = stack.enter_context(_Follower(process))
        # While the process is not waited for, its id, and so the group's, is nobody else's.
        exited = follower.follow(time.monotonic() + timeout_s, cancelled)
        if not exited and grace_s > 0:
            _signal_group(process, signal.SIGTERM)
            follower.follow(time.monotonic() + grace_s, threading.Event())
        _signal_group(process, signal.SIGKILL)
        output = follower.rest()
        status = process.wait()
        return Ended(status=status if exited else None, output=output)


class _Follower:
    """Reads a process's output until it ends; keeps the last of it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        self._pidfd = os.pidfd_open(process.pid)
        self._kept = bytearray()
        os.set_blocking(self._output, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pidfd, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        os.close(self._pidfd)

    def follow(self, deadline: float, cancelled: threading.Event) -> bool:
        """Whether it ended before the deadline. Raises Cancelled."""
        while True:
            if cancelled.is_set():
                raise Cancelled
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ready = {key.fd for key, _ in self._selector.select(min(left, LOOK_S))}
            if self._pidfd in ready:
                return True
            if self._output in ready and not self._read():
                self._selector.unregister(self._output)  # it has closed its output, and may go on

    def rest(self) -> bytes:
        """All that is kept, with what is still in the pipe."""
        for _ in range(_LAST_CHUNKS):
            if not self._read():
                break
        return bytes(self._kept)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        self._kept += chunk
        del self._kept[:-KEPT_BYTES]
        return bool(chunk)


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
