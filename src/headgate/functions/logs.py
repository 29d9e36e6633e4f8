"""The log of an execution environment: its output cut into lines, and Lambda's own lines about each call.

Texts: aws-semantics section 9.7.
"""

import math
import time
from collections import deque
from typing import Final, Protocol

from headgate.functions.python_runtime.logs import RECORD_LINE_BREAK
from headgate.model.trace import parse_trace_header

MAX_LINE_BYTES: Final = 256 * 1024  # an event of CloudWatch Logs; what is longer becomes several
TAIL_BYTES: Final = 4096  # of X-Amz-Log-Result

_RECORD_LINE_BREAK: Final = RECORD_LINE_BREAK.encode()


class LogSink(Protocol):
    """Where functions' logs go."""

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        """Take events, each without the line feed at its end. One may hold line feeds of its own.

        `group` is the ARN of the log group, without `:*`.
        """
        ...


class OutputLines:
    """Cuts output into lines. Bytes that are no UTF-8 become U+FFFD."""

    __slots__ = ("_unfinished",)

    def __init__(self) -> None:
        self._unfinished = b""

    def feed(self, output: bytes) -> list[str]:
        """The lines that are complete with this output; an unfinished one is kept, up to the longest there is."""
        if self._unfinished:
            output = self._unfinished + output
        *lines, self._unfinished = output.split(b"\n")
        events = [event for line in lines for event in _events(line)]
        while len(self._unfinished) > MAX_LINE_BYTES:
            events.append(_text(self._unfinished[:MAX_LINE_BYTES]))
            self._unfinished = self._unfinished[MAX_LINE_BYTES:]
        return events

    @property
    def unfinished(self) -> bool:
        """Whether there is a line that was begun."""
        return bool(self._unfinished)

    def finish(self) -> list[str]:
        """The line that was begun, if one was: its call is over."""
        if not self._unfinished:
            return []
        line, self._unfinished = self._unfinished, b""
        return [_text(line)]


class EnvironmentLog:
    """The log stream of one environment."""

    __slots__ = ("_group", "_lines", "_sink", "_tail", "_tail_length", "stream")

    def __init__(self, sink: LogSink, group: str, stream: str) -> None:
        self._sink = sink
        self._group = group
        self.stream = stream
        self._lines = OutputLines()
        self._tail: deque[str] | None = None
        self._tail_length = 0  # characters, of which none is less than a byte

    def keep_tail(self) -> None:
        """Keep the lines from now on, for `take_tail`."""
        self._tail = deque()
        self._tail_length = 0

    def take_tail(self) -> bytes:
        """The last 4 KB of the lines since `keep_tail`; b"" without one."""
        if self._tail is None:
            return b""
        lines, self._tail = self._tail, None
        return tail_of(b"", *lines)

    def write(self, *lines: str) -> None:
        """Add events."""
        self._sink.write(self._group, self.stream, int(time.time() * 1000), *lines)
        if self._tail is not None:
            self._add_to_tail(self._tail, lines)

    def _add_to_tail(self, tail: deque[str], lines: tuple[str, ...]) -> None:
        tail += lines
        self._tail_length += sum(map(len, lines)) + len(lines)
        while self._tail_length - len(tail[0]) - 1 >= TAIL_BYTES:
            self._tail_length -= len(tail.popleft()) + 1

    def output(self, output: bytes) -> None:
        """Add what the environment printed."""
        if lines := self._lines.feed(output):
            self.write(*lines)

    @property
    def in_a_line(self) -> bool:
        """Whether something was printed that has no line feed at its end yet."""
        return self._lines.unfinished

    def finish_line(self) -> None:
        """Add what was printed without a line feed at its end."""
        for line in self._lines.finish():
            self.write(line)


def tail_of(before: bytes, *lines: str) -> bytes:
    """The last 4 KB of these lines and what was before them."""
    return (before + "".join(line + "\n" for line in lines).encode())[-TAIL_BYTES:]


def report(
    request_id: str, duration_s: float, memory_mb: int, peak_memory_mb: int, init_s: float | None, trace_id: str = ""
) -> str:
    """The REPORT line; `init_s` with the environment's first call, `trace_id` as the function was told it."""
    duration_ms = duration_s * 1000
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {math.ceil(duration_ms)} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {peak_memory_mb} MB\t"
    )
    if init_s is not None:
        line += f"Init Duration: {init_s * 1000:.2f} ms\t"
    if "Sampled=1" in trace_id:
        trace = parse_trace_header(trace_id)
        line += f"XRAY TraceId: {trace.root}\tSegmentId: {trace.parent}\tSampled: true\t"
    return line


def log_stream_name(version: str, unique: str, now: float) -> str:
    """The name of an environment's stream: `yyyy/mm/dd/[version]unique`; `now` in seconds since the epoch."""
    return time.strftime("%Y/%m/%d/", time.gmtime(now)) + f"[{version}]{unique}"


def iso_timestamp(now: float) -> str:
    """A time as in Lambda's log lines, such as `2026-01-31T12:00:00.000Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"


def _events(line: bytes) -> list[str]:
    if len(line) <= MAX_LINE_BYTES:
        return [_text(line)]
    return [_text(line[at : at + MAX_LINE_BYTES]) for at in range(0, len(line), MAX_LINE_BYTES)]


def _text(line: bytes) -> str:
    if _RECORD_LINE_BREAK in line:
        line = line.replace(_RECORD_LINE_BREAK, b"\n")
    return line.decode("utf-8", "replace")
