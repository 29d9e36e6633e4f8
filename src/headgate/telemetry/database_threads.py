"""A file of telemetry at work for the event loop: one thread writes to it, and one reads what is committed."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from headgate.telemetry.database_file import Kind, open_for_reading, open_for_writing, transaction

T = TypeVar("T")


class DatabaseThreads:
    """Made and closed on the event loop's thread. `writes` is the writing thread's connection."""

    def __init__(self, database: Path, kind: Kind, *, durable: bool) -> None:
        """Raises DatabaseFileError."""
        self.writes: Final = open_for_writing(database, kind, durable=durable)
        self._reads = open_for_reading(database)
        self._durable = durable
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{kind.what}-writer")
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{kind.what}-reader")

    async def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` on what is committed now."""
        return await self._loop.run_in_executor(self._reader, self._read, act)

    async def write(self, act: Callable[[sqlite3.Connection], T], *, through: bool) -> T:
        """Run `act` in a transaction; when this returns it is committed."""

        def run() -> T:
            with self.transaction(through=through) as connection:
                return act(connection)

        return await self.on_writer(run)

    async def on_writer(self, act: Callable[[], T]) -> T:
        """Run `act` on the writing thread, where it may begin a `transaction`."""
        return await self._loop.run_in_executor(self._writer, act)

    @contextmanager
    def transaction(self, *, through: bool) -> Iterator[sqlite3.Connection]:
        """On the writing thread: once it ends it is committed, and `through` against a power cut too."""
        through = through and self._durable
        if through:
            self.writes.execute("PRAGMA synchronous = FULL")
        try:
            with transaction(self.writes):
                yield self.writes
        finally:
            if through:
                self.writes.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Finish what was given, and close the database."""
        self._reader.shutdown()
        self._writer.shutdown()
        self._reads.close()
        self.writes.close()

    def _read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        self._reads.execute("BEGIN")
        try:
            return act(self._reads)
        finally:
            self._reads.execute("ROLLBACK")
