"""The metric series at work: counters are read once a second on the event loop and written on a thread of their own.

Whoever asks sees what was counted up to then: a question flushes first. When the disk does not keep up, no second is
taken before the last one is written; counters go on counting meanwhile, so only the time of their points is coarser.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from headgate.model.metric import Sample
from headgate.model.observation import SessionMemories, SessionMemory
from headgate.store.metric_database import MetricDatabase

_log = logging.getLogger("headgate.metrics")

DATABASE: Final = "metrics.db"
EXPIRE_EVERY_S: Final = 600
_BEHIND_S: Final = 0.005

T = TypeVar("T")
Taken = Callable[[int], list[Sample]]
"""What a source's counters were read at, to be made into points of this second away from the event loop."""
Source = Callable[[], Taken]
"""Reads counters and sets them back. Called on the event loop, so it must be quick."""


def _ignore(samples: list[Sample]) -> None:
    """Nobody watches."""


class MetricStore:
    """Made on the event loop's thread; `close` writes what is counted."""

    def __init__(
        self,
        path: Path,
        sources: Sequence[Source],
        watch: Callable[[list[Sample]], None] = _ignore,
        clock: Callable[[], float] = time.time,
        memories: Callable[[], SessionMemories] = SessionMemories,
    ) -> None:
        """`memories` are called right behind the sources, and what they give is written with it.

        Raises NewerDatabase. A damaged file is set aside: what it held is gone, and metrics go on.
        """
        self._sources = sources
        self._watch = watch  # is given each flush's points, on the store's thread
        self._clock = clock
        self._memories = memories
        self._since = clock()
        self._expired_at = self._since
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._writing: asyncio.Future[None] | None = None
        self.lost = 0
        """Points that could not be written."""
        self._database = _opened(path, self._since)
        self._flushing = asyncio.get_running_loop().create_task(self._flush_on())

    def __repr__(self) -> str:
        return f"<MetricStore {self._database}>"

    @property
    def remembered(self) -> list[SessionMemory]:
        """What was kept of sessions when the file was opened."""
        return self._database.remembered

    async def run(self, act: Callable[[MetricDatabase, float], T]) -> T:
        """Run `act` on all that was counted until now, on the store's thread, and give what it gives."""
        await self.flush()
        return await self.read(act)

    async def read(self, act: Callable[[MetricDatabase, float], T]) -> T:
        """The same on what is written: the last second may be missing."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, self._database, self._clock())

    async def write(self, samples: list[Sample]) -> None:
        """Add points that are no counters' own; they are written when this returns."""
        now = self._clock()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._database.write, samples, now)

    async def clear(self) -> None:
        """Forget every metric."""
        await self.run(lambda database, _: database.clear())

    async def close(self) -> None:
        self._flushing.cancel()
        await self.flush()
        self._thread.shutdown(wait=True)
        self._database.close()

    async def _flush_on(self) -> None:
        while True:
            await asyncio.sleep(until_next_flush(self._clock()))
            if self._writing is None or self._writing.done():
                await self.flush()

    async def flush(self) -> None:
        """Write what is counted now."""
        since, self._since = self._since, self._clock()
        taken = [source() for source in self._sources]
        self._writing = asyncio.get_running_loop().run_in_executor(
            self._thread, self._write, taken, self._memories(), int(since), self._since
        )
        await asyncio.shield(self._writing)  # one asker that goes away takes no point along

    def _write(self, taken: list[Taken], memories: SessionMemories, at: int, now: float) -> None:
        samples = [sample for each in taken for sample in each(at)]
        self._watch(samples)
        try:
            if samples or memories.changed or memories.over:
                self._database.write(samples, now, memories)
            self._database.roll(now)
            if now - self._expired_at >= EXPIRE_EVERY_S:
                self._expired_at = now
                self._database.expire(now)
        except sqlite3.Error as error:
            # A full disk must not end the flushing: what comes once there is room again is kept.
            self.lost += len(samples)
            _log.warning("%d points of metrics are lost: %s", len(samples), error)


def until_next_flush(now: float) -> float:
    """Seconds until just behind the next whole second, so that points carry the second that they are of.

    A timer may fire a moment early. A flush just before the second would name the next one's points after it.
    """
    return 1 - now % 1 + _BEHIND_S


def _opened(path: Path, now: float) -> MetricDatabase:
    try:
        return MetricDatabase(path, now)
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.damaged-{int(now)}")
        _log.error("%s is damaged (%s); it is set aside as %s", path, error, aside.name)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.replace(aside)
        return MetricDatabase(path, now)
