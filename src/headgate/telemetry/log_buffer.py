"""Functions' lines on their way to the store: gathered on the event loop, written once a second.

When the disk cannot keep up, the lines that wait longest are dropped and counted, and calls go on.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from headgate.model.metric import MetricKey, Sample, point_of
from headgate.telemetry.log_store import Busy, LogStore
from headgate.telemetry.log_writing import Line, now_ms
from headgate.telemetry.metric_sink import MetricSink

_log = logging.getLogger("headgate.logs")

FLUSH_S: Final = 1.0
MAX_BYTES: Final = 64 * 1024 * 1024  # of lines that wait to be written
_LINE_BYTES: Final = 200  # what a line takes beside its text
_READER_WAITS_S: Final = 5.0  # for lines on their way, at most


class LogBuffer:
    """The log sink of function environments; see `functions.logs.LogSink`. A group is given by its ARN."""

    def __init__(
        self, store: LogStore, metrics: MetricSink, *, max_bytes: int = MAX_BYTES, clock: Callable[[], int] = now_ms
    ) -> None:
        self.dropped = 0  # lines, since the start
        self._store = store
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._clock = clock
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._unreported: Counter[str] = Counter()  # of the dropped, by the group's ARN
        self._writing: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<LogBuffer {len(self._lines)} lines wait, {self.dropped} dropped>"

    def start(self) -> None:
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        for line in lines:
            self._lines.append((group, stream, timestamp_ms, line))
            self._bytes += len(line) + _LINE_BYTES
        if self._bytes > self._max_bytes:
            self._drop_oldest()

    async def flush(self) -> None:
        """Until all that was given before is stored, so that a reader sees it; not for ever where the disk is slow."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READER_WAITS_S):
                if self._writing is not None:
                    await asyncio.shield(self._writing)
                if self._lines and (writing := self._begin()) is not None:
                    await asyncio.shield(writing)

    async def close(self) -> None:
        """Write what is gathered."""
        if self._ticking is not None:
            self._ticking.cancel()
        while self._writing is not None or self._lines:
            await (self._writing or self._begin() or asyncio.sleep(0))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._begin()
            if self._unreported:
                dropped, self._unreported = self._unreported, Counter()
                _log.warning("%d log lines were dropped: the disk did not keep up", dropped.total())
                self._metrics.put(_dropped_metric(arn, count, self._clock()) for arn, count in dropped.items())

    def _begin(self) -> asyncio.Task[None] | None:
        """Begin to write what is gathered; not while the batch before is being written."""
        if self._writing is None and self._lines:
            lines, self._lines, self._bytes = self._lines, deque(), 0
            self._writing = asyncio.get_running_loop().create_task(self._write(lines))
        return self._writing

    async def _write(self, lines: deque[Line]) -> None:
        try:
            await self._store.write_lines(lines, self._clock())
        except (sqlite3.Error, Busy) as error:
            self.dropped += len(lines)
            self._unreported.update(group for group, *_ in lines)
            _log.warning("%d log lines are lost: %s", len(lines), str(error) or "too many writes wait")
        finally:
            self._writing = None

    def _drop_oldest(self) -> None:
        """Down to nine tenths, so that not every further line comes here."""
        while self._lines and self._bytes > self._max_bytes * 0.9:
            line = self._lines.popleft()
            self._bytes -= len(line[3]) + _LINE_BYTES
            self.dropped += 1
            self._unreported[line[0]] += 1


def _dropped_metric(group_arn: str, count: int, now_ms: int) -> Sample:
    _, _, _, region, account_id, _, group = group_arn.split(":", 6)
    key = MetricKey(
        account_id=account_id,
        region=region,
        namespace="Headgate",
        name="LogEventsDropped",
        dimensions=(("LogGroupName", group),),
        unit="Count",
    )
    return Sample(key=key, at=now_ms // 1000, point=point_of(float(count)))
