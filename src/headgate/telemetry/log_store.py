"""The store of log events: SQLite in a file of its own, with one thread that writes and one that reads.

A batch of lines is one transaction with synchronous=NORMAL: a crash of the process loses nothing that was written, a
power cut may lose the last of it. Changes that a client was answered for are written through.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from headgate.telemetry.database_threads import DatabaseThreads
from headgate.telemetry.log_database import LOGS, clear
from headgate.telemetry.log_filters import Filters, Observed
from headgate.telemetry.log_retention import SLICE, sweep_slice
from headgate.telemetry.log_writing import EventWriter, Line, StreamId, Written

_log = logging.getLogger("headgate.logs")

T = TypeVar("T")

MAX_WAITING: Final = 500  # writes that wait for the writing thread; one more is refused


class Busy(Exception):
    """The disk does not keep up with what is to be written."""


class LogBounds(NamedTuple):
    """How much is kept."""

    max_bytes: int = 1024 * 1024 * 1024  # of the database; beyond it the oldest events of all groups go
    max_group_bytes: int | None = None  # of one group


_DEFAULT_BOUNDS: Final = LogBounds()


class Writing:
    """One transaction at work, on the writing thread."""

    def __init__(self, connection: sqlite3.Connection, events: EventWriter, filters: Filters) -> None:
        self.connection = connection
        self._events = events
        self._filters = filters
        self._rows = 0
        self._written: list[Written] = []
        self._forget = False

    def write_lines(self, lines: Sequence[Line], now_ms: int) -> None:
        self._written += self._events.write_lines(lines, now_ms)
        self._rows += len(lines)

    def write_events(self, stream: StreamId, name: str, events: Sequence[tuple[int, str]], now_ms: int) -> int:
        """Events (timestamp, message) of a stream that is there; the id of the last."""
        written = self._events.write_events(stream, name, events, now_ms)
        self._written.append(written)
        self._rows += len(events)
        return written.last_id

    def forget(self) -> None:
        """Say that groups, streams or filters were changed: what is remembered of them is read anew."""
        self._forget = True

    def before_commit(self) -> None:
        if self._rows:
            self._events.make_room(max(2 * self._rows, SLICE))

    def after_commit(self) -> Observed:
        if self._forget:
            self._events.forget()
            self._filters.load()
        return self._filters.observe(self._written)

    def undone(self) -> None:
        self._events.forget()  # what was made is gone


class LogStore:
    """Runs transactions on the log database for the event loop. Made and closed on the loop's thread."""

    def __init__(
        self,
        database: Path,
        *,
        bounds: LogBounds = _DEFAULT_BOUNDS,
        durable: bool = True,
        observed: Callable[[Observed], None] = lambda _: None,
    ) -> None:
        """`observed` is called on the loop with what the filters made of new events. Raises DatabaseFileError."""
        self.database: Final = database
        self._bounds = bounds
        self._observed = observed
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._threads = DatabaseThreads(database, LOGS, durable=durable)
        self._events = EventWriter(self._threads.writes, bounds.max_bytes)
        self._filters = Filters(self._threads.writes)

    def __repr__(self) -> str:
        return f"<LogStore {self.database}, {self._waiting} writes wait>"

    async def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` on what is committed now."""
        return await self._threads.read(act)

    async def write(self, act: Callable[[Writing], T], *, through: bool = True) -> T:
        """Run `act` in a transaction; when this returns it is committed, and `through` against a power cut too.

        What `act` raises undoes the transaction. Raises Busy when too many writes wait.
        """
        if self._waiting >= MAX_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await self._threads.on_writer(lambda: self._write(act, through))
        finally:
            self._waiting -= 1

    async def write_lines(self, lines: Sequence[Line], now_ms: int) -> None:
        """One batch of functions' lines."""
        await self.write(lambda writing: writing.write_lines(lines, now_ms), through=False)

    async def sweep(self, now_ms: int) -> None:
        """Delete what is to be kept no longer."""
        limit = self._bounds.max_group_bytes
        while await self.write(lambda writing: sweep_slice(writing.connection, now_ms, limit), through=False):
            pass

    async def clear(self) -> None:
        def empty(writing: Writing) -> None:
            clear(writing.connection)
            writing.forget()

        await self.write(empty)

    def close(self) -> None:
        """Finish what was given, and close the database."""
        self._threads.close()

    def _write(self, act: Callable[[Writing], T], through: bool) -> T:
        writing = Writing(self._threads.writes, self._events, self._filters)
        try:
            with self._threads.transaction(through=through):
                result = act(writing)
                writing.before_commit()
        except BaseException:
            writing.undone()
            raise
        self._tell(writing)
        return result

    def _tell(self, writing: Writing) -> None:
        try:
            observed = writing.after_commit()
        except Exception:
            # A defect of a filter: the events are stored, and their writer is answered.
            _log.exception("the filters failed on new events")
            return
        if observed.metrics or observed.deliveries:
            self._loop.call_soon_threadsafe(self._observed, observed)
