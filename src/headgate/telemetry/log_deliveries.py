"""Subscriptions' deliveries on their way: one after the other, from a queue with a bound."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from headgate.telemetry.log_filters import Delivery

_log = logging.getLogger("headgate.logs")

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024  # of payloads; beyond it the oldest go
DELIVERY_S: Final = 60.0

Deliver = Callable[[str, bytes], Awaitable[None]]
"""Hands a payload to what an ARN names. What it raises is logged, and the delivery is given up."""


class Deliveries:
    """Used on the event loop."""

    def __init__(self, deliver: Deliver, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self.dropped = 0  # deliveries, since the start
        self._deliver = deliver
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Deliveries {len(self._waiting)} wait, {self.dropped} dropped>"

    def put(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._waiting.append(delivery)
            self._bytes += len(delivery.payload)
        while self._bytes > self._max_waiting_bytes:
            dropped = self._waiting.popleft()
            self._bytes -= len(dropped.payload)
            self.dropped += 1
            _log.warning("%d log events for %s are dropped: too many wait", dropped.events, dropped.destination_arn)
        if self._waiting and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Give up what waits."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                delivery = self._waiting.popleft()
                self._bytes -= len(delivery.payload)
                try:
                    async with asyncio.timeout(DELIVERY_S):
                        await self._deliver(delivery.destination_arn, delivery.payload)
                except Exception as error:
                    _log.warning(
                        "%d log events are not delivered to %s: %r", delivery.events, delivery.destination_arn, error
                    )
        finally:
            self._task = None
