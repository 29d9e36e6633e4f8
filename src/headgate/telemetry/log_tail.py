"""Function logs as they come, for whoever follows them: `headgate dev` asks for them by `GET /_headgate/logs`.

Lines pass through to the store. Those of a group that somebody follows are kept for a while too, so that a client that
asks again and again misses none.
"""

import asyncio
import contextlib
import time
from collections import deque
from typing import Final, Protocol

from headgate.model.value import Value

MAX_LINES: Final = 10_000  # kept of a group; the oldest go
MAX_GROUPS: Final = 100  # followed at once; the one that was asked for longest ago goes
FORGET_S: Final = 60.0  # after the last question for a group


class Sink(Protocol):
    """Where the lines go on to."""

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None: ...


class Followed(Value, frozen=True):
    """What came of a group since a place in it."""

    lines: tuple[str, ...]
    next: int  # the place from which to ask next


class LogTail:
    """A log sink that can be followed; see `functions.logs.LogSink`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._groups: dict[str, _Group] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<LogTail, {len(self._groups)} groups followed>"

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        self._sink.write(group, stream, timestamp_ms, *lines)
        if not self._groups:
            return
        group = group.rpartition(":log-group:")[2]  # the sink is told the ARN; who follows knows the name
        if (followed := self._groups.get(group)) is not None:
            if time.monotonic() - followed.asked_at > FORGET_S:
                del self._groups[group]
            else:
                followed.add(lines)

    async def follow(self, group: str, after: int | None, wait_s: float) -> Followed:
        """The lines since `after`; waits for the first one where there is none yet.

        None asks for the place to begin at, which is now. So does a place that is not known, or no more.
        """
        followed = self._groups.pop(group, None) or _Group()
        self._groups[group] = followed  # the latest last
        followed.asked_at = time.monotonic()
        while len(self._groups) > MAX_GROUPS:
            del self._groups[next(iter(self._groups))]
        if after is None or after > followed.end:
            return Followed(lines=(), next=followed.end)
        if after == followed.end and not self._closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(followed.came.wait(), wait_s)
        return Followed(lines=followed.since(after), next=followed.end)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        for followed in self._groups.values():
            followed.came.set()


class _Group:
    """The latest lines of one group."""

    def __init__(self) -> None:
        self.asked_at = time.monotonic()
        self.came = asyncio.Event()
        self.end = 0  # how many lines there have been
        self._lines: deque[str] = deque(maxlen=MAX_LINES)

    def add(self, lines: tuple[str, ...]) -> None:
        self._lines.extend(lines)
        self.end += len(lines)
        self.came.set()  # whoever waits now reads it, and whoever asks later waits for the next
        self.came = asyncio.Event()

    def since(self, after: int) -> tuple[str, ...]:
        count = min(self.end - after, len(self._lines))
        return tuple(self._lines)[len(self._lines) - count :]
