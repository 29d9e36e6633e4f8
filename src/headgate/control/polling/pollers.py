"""The owner of all pollers: one for each enabled event source mapping, as they are published."""

import asyncio
import logging

from headgate.control.polling.poller import Functions, Pace, Poller
from headgate.control.polling.queue import Call, Queue
from headgate.model.event_source import EventSourceMapping, parse_queue_arn

_log = logging.getLogger("headgate.polling")


class Pollers:
    def __init__(self, call: Call, functions: Functions, pace: Pace) -> None:
        self._call = call
        self._functions = functions
        self._pace = pace
        self._pollers: dict[str, Poller] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Pollers {list(self._pollers.values())}>"

    def publish(self, uuid: str, mapping: EventSourceMapping | None) -> None:
        """Poll as this says from now on; None where the mapping is no more."""
        before = self._pollers.get(uuid)
        if before is not None and before.mapping == mapping:
            return
        if before is not None:
            before.stop()
            del self._pollers[uuid]
        queue = parse_queue_arn(mapping.queue) if mapping is not None else None
        if mapping is None or queue is None or not mapping.enabled:
            return
        poller = self._pollers[uuid] = Poller(mapping, Queue(queue, self._call), self._functions, self._pace)
        task = asyncio.get_running_loop().create_task(poller.run(), name=f"poller {uuid}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self, drain_s: float) -> None:
        """Stop receiving, and let batches at work end within this time. What is cut off comes again from its queue."""
        for poller in self._pollers.values():
            poller.stop()
        self._pollers.clear()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=drain_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s ended", task.get_name(), exc_info=error)
