"""The pipe that carries what an environment prints.

Up to a bound for each call it is read as soon as there is something; beyond it at some 6 MB a second, so that a
function that prints without end waits for its pipe instead of taking the server's time. Nothing is kept here but an
unfinished line.
"""

import asyncio
import os
from typing import Final

from headgate.functions.logs import EnvironmentLog

_PIPE_BYTES: Final = 65_536
# A pipe holds 64 KiB, and a megabyte at most where a function enlarges it: so much may be a call's when it answers.
_MOST_READS: Final = 16
_SLOW_READ_S: Final = 0.01


class OutputPipe:
    """The server's end of the pipe. Whoever makes one closes it."""

    __slots__ = ("_burst_bytes", "_fd", "_left_bytes", "_log", "_loop", "_slow_read")

    def __init__(self, fd: int, log: EnvironmentLog, burst_bytes: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd  # -1 when closed
        self._log = log
        self._burst_bytes = burst_bytes
        self._left_bytes = burst_bytes
        self._loop = asyncio.get_running_loop()
        self._slow_read: asyncio.TimerHandle | None = None
        self._loop.add_reader(fd, self._on_readable)

    def allow_burst(self) -> None:
        """A call begins, with all of its bound before it."""
        self._left_bytes = self._burst_bytes

    def read_all(self) -> None:
        """Read all that is in the pipe, and end the line that was begun."""
        for _ in range(_MOST_READS):
            if self._read() < _PIPE_BYTES:
                break
        self._log.finish_line()

    def close(self) -> None:
        """Let go of the pipe. Safe to do twice."""
        if self._slow_read is not None:
            self._slow_read.cancel()
            self._slow_read = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _on_readable(self) -> None:
        self._left_bytes -= self._read()
        if self._left_bytes < 0 <= self._fd:
            self._loop.remove_reader(self._fd)
            self._slow_read = self._loop.call_later(_SLOW_READ_S, self._watch_again)

    def _watch_again(self) -> None:
        self._slow_read = None
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._on_readable)

    def _read(self) -> int:
        """Read once; the number of bytes."""
        if self._fd < 0:
            return 0
        try:
            output = os.read(self._fd, _PIPE_BYTES)
        except BlockingIOError:
            return 0
        if output:
            self._log.output(output)
        else:
            self.close()
        return len(output)
