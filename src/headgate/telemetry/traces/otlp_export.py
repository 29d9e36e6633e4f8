"""Export to an OpenTelemetry collector: batches, a bounded queue, retries with back-off. Requests never wait."""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from headgate.telemetry.traces.otlp import encode
from headgate.telemetry.traces.segments import Segment

_log = logging.getLogger("headgate.traces")

MAX_WAITING: Final = 10_000  # segments; beyond it the oldest are dropped
MAX_BATCH: Final = 512
EVERY_S: Final = 1.0
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
MAX_TRIES: Final = 6  # of one batch, about a minute
RETRIED: Final = frozenset({429, 502, 503, 504})  # statuses (OTLP specification, OTLP/HTTP response)

Send = Callable[[bytes], Awaitable[int]]
"""Posts one body; the answer's status. Raises OSError or TimeoutError where there is none."""
Sleep = Callable[[float], Awaitable[None]]


class OtlpExport:
    """Made on the event loop's thread."""

    def __init__(self, send: Send, version: str, *, sleep: Sleep = asyncio.sleep) -> None:
        self.dropped = 0
        """Segments that no collector got, since the start."""
        self._send = send
        self._version = version
        self._sleep = sleep
        self._waiting: deque[Segment] = deque()
        self._failing = False  # so that an outage is logged once
        self._sending = asyncio.get_running_loop().create_task(self._send_on())

    def __repr__(self) -> str:
        return f"<OtlpExport {len(self._waiting)} segments wait, {self.dropped} dropped>"

    def put(self, segment: Segment) -> None:
        self._waiting.append(segment)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1

    async def close(self) -> None:
        """Send what waits, once and without retries."""
        self._sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sending
        while self._waiting:
            batch = self._take()
            if not await self._sent(batch):
                self.dropped += len(batch) + len(self._waiting)
                return

    async def _send_on(self) -> None:
        while True:
            await self._sleep(EVERY_S)
            while self._waiting:
                await self._send_batch(self._take())

    async def _send_batch(self, batch: list[Segment]) -> None:
        delay_s = FIRST_RETRY_S
        for attempt in range(MAX_TRIES):
            if await self._sent(batch):
                return
            if attempt + 1 < MAX_TRIES:
                # Drawn, so that many servers do not come back to a collector together.
                await self._sleep(delay_s * (0.5 + random.random() / 2))
                delay_s = min(2 * delay_s, LONGEST_RETRY_S)
        self.dropped += len(batch)

    async def _sent(self, batch: list[Segment]) -> bool:
        """Whether there is nothing more to do about a batch: it arrived, or a collector will not have it."""
        try:
            status = await self._send(encode(batch, self._version))
        except (OSError, TimeoutError) as error:
            self._fails(str(error) or "no answer in time")
            return False
        if status in RETRIED:
            self._fails(f"status {status}")
            return False
        if status >= 300:
            self.dropped += len(batch)
            self._fails(f"status {status}; what it refuses is not sent again")
            return True
        self._failing = False
        return True

    def _fails(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            _log.warning("traces cannot be exported: %s", why)

    def _take(self) -> list[Segment]:
        return [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
