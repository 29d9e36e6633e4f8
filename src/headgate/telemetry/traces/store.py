"""The store of traces at work: segments are gathered on the event loop and written once a second elsewhere.

When the disk does not keep up, the segments that wait longest are dropped and counted, and requests go on. Settings
that a client was answered for are written through.
"""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from headgate.model.scope import Scope
from headgate.telemetry.database_threads import DatabaseThreads
from headgate.telemetry.traces.database import TRACES, Put, clear, expire, write_segments
from headgate.telemetry.traces.segments import Segment

_log = logging.getLogger("headgate.traces")

T = TypeVar("T")

FLUSH_S: Final = 1.0
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024  # of segments that wait to be written
OWN_BYTES: Final = 2_000  # about what a segment of the gateway or of a function has
_READER_WAITS_S: Final = 5.0  # for segments on their way, at most


class TraceStore:
    """Made on the event loop's thread. Raises DatabaseFileError."""

    def __init__(
        self, database: Path, *, max_bytes: int, durable: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self.dropped = 0  # segments, since the start
        self._clock = clock
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._threads = DatabaseThreads(database, TRACES, durable=durable)
        self._waiting: deque[Put] = deque()
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._reported = 0
        self._ticking = self._loop.create_task(self._tick())

    def __repr__(self) -> str:
        return f"<TraceStore {len(self._waiting)} segments wait, {self.dropped} dropped>"

    def put(self, scope: Scope, segment: Segment, size: int = OWN_BYTES) -> None:
        """Take one checked segment of so many bytes; it is written within a second or so. Does not block.

        A scope without a region is of one that does not say whose it is: its trace's is taken, once there is one.
        """
        self._waiting.append(Put(scope, segment, size))
        self._waiting_bytes += size
        while self._waiting_bytes > MAX_WAITING_BYTES:
            self._waiting_bytes -= self._waiting.popleft().size
            self.dropped += 1

    async def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` on all that was put until now."""
        await self.flush()
        return await self._threads.read(act)

    async def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` in a transaction; when this returns it is committed, against a power cut too."""
        return await self._threads.write(act, through=True)

    async def flush(self) -> None:
        """Until all that was put before is written; not for ever where the disk is slow."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READER_WAITS_S):
                if self._writing is not None:
                    await asyncio.shield(self._writing)
                if (writing := self._begin()) is not None:
                    await asyncio.shield(writing)

    async def clear(self) -> None:
        """Forget everything."""
        await self.flush()
        await self.write(clear)

    async def close(self) -> None:
        """Write what is gathered, and close the database."""
        self._ticking.cancel()
        while (writing := self._begin()) is not None:
            await writing
        self._threads.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._begin()
            if self.dropped > self._reported:
                dropped, self._reported = self.dropped - self._reported, self.dropped
                _log.warning("%d segments of traces were dropped: the disk did not keep up", dropped)

    def _begin(self) -> asyncio.Task[None] | None:
        """The writing of what is gathered; not while the batch before is being written."""
        if self._writing is None and self._waiting:
            puts, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
            self._writing = self._loop.create_task(self._keep(puts))
        return self._writing

    async def _keep(self, puts: deque[Put]) -> None:
        def act(connection: sqlite3.Connection) -> None:
            write_segments(connection, puts)
            expire(connection, self._clock(), self._max_bytes)

        try:
            await self._threads.write(act, through=False)
        except sqlite3.Error as error:
            self.dropped += len(puts)
            _log.warning("%d segments of traces are lost: %s", len(puts), error)
        finally:
            self._writing = None
