"""One event source mapping at work: receives, filters, calls the function, deletes what it is done with."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from headgate.control.lambda_.ports import Invoked
from headgate.control.polling.queue import Queue
from headgate.control.polling.sqs_event import MAX_EVENT_BYTES, Message, events, failed_ids, fits, record
from headgate.functions.event_pattern import parse_pattern
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.event_source import EventSourceMapping, parse_queue_arn
from headgate.model.value import Value

_log = logging.getLogger("headgate.polling")

DEFAULT_CONCURRENCY: Final = 5  # batches at work at once; a FIFO queue's come one after the other, to keep its order


class Pace(Value, frozen=True):
    """How often a queue is asked. Times are in seconds."""

    wait_s: int = 0  # that a receive waits for a message: long polling, where that holds nobody up
    idle_s: float = 1.0  # between two receives of an empty queue, at most
    busy_s: float = 0.1  # the same at the beginning
    first_back_off_s: float = 0.5  # after an error; doubled by each that follows
    most_back_off_s: float = 10.0


class Functions(Value, frozen=True):
    """What a poller needs of functions."""

    is_there: Callable[[FunctionRef], bool]
    invoke: Callable[[FunctionRef, bytes], Awaitable[Invoked]]  # raises ApiError


class Poller:
    """Runs until it is told to stop; a batch that is at work then is worked to its end."""

    def __init__(self, mapping: EventSourceMapping, queue: Queue, functions: Functions, pace: Pace) -> None:
        found = parse_queue_arn(mapping.queue)
        assert found is not None  # checked when the mapping was made
        self.mapping = mapping
        self._ref = found
        self._queue = queue
        self._functions = functions
        self._pace = pace
        self._patterns: list[Mapping[str, Any]] = [parse_pattern(text) for text in mapping.filters]
        concurrency = 1 if found.is_fifo else mapping.maximum_concurrency or DEFAULT_CONCURRENCY
        self._slots = asyncio.Semaphore(concurrency)
        self._stopping = asyncio.Event()
        self._idle_s = pace.busy_s
        self._back_off_s = 0.0

    def __repr__(self) -> str:
        return f"<Poller {self.mapping.uuid}: {self._ref.name} to {self.mapping.function.name}>"

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as working:
            while not self._stopping.is_set():
                await self._slots.acquire()
                messages = [] if self._stopping.is_set() else await self._take()
                if messages:
                    working.create_task(self._work_in_slot(messages))
                    continue
                self._slots.release()
                await self._pause(self._back_off_s or self._idle_s)
                self._idle_s = min(self._idle_s * 2, self._pace.idle_s)

    async def _take(self) -> Sequence[Message]:
        """A batch; none where there is nothing, or it cannot be had: then `_back_off_s` says how long to wait."""
        if not self._functions.is_there(self.mapping.function):
            # Nothing is received for it: that would only count up how often a message was.
            self._failed(f"the function {self.mapping.function.arn} does not exist")
            return []
        try:
            messages = await self._gather()
        except ApiError as error:
            self._failed(f"{error.code}: {error.message}")
            return []
        except Exception:
            _log.exception("%s: the queue could not be asked", self)
            self._failed("see above")
            return []
        self._back_off_s = 0.0
        if messages:
            self._idle_s = self._pace.busy_s
        return messages

    async def _gather(self) -> Sequence[Message]:
        """With a window, what comes in until it closes or the batch is full; else what one receive gives."""
        size, window_s = self.mapping.batch_size, self.mapping.window_s
        messages = list(await self._queue.receive(size, self._pace.wait_s))
        closes = time.monotonic() + window_s
        while messages and window_s and len(messages) < size and not self._stopping.is_set():
            left_s = closes - time.monotonic()
            if left_s <= 0 or sum(len(each.get("Body", "")) for each in messages) > MAX_EVENT_BYTES // 2:
                break
            more = await self._queue.receive(size - len(messages), min(self._pace.wait_s, int(left_s)))
            messages += more
            if not more:
                await self._pause(min(left_s, self._pace.busy_s))
        return messages

    async def _work_in_slot(self, messages: Sequence[Message]) -> None:
        try:
            await self._work(messages)
        except ApiError as error:
            # The messages come again when their visibility timeout is over.
            self._failed(f"{error.code}: {error.message}")
            await self._pause(self._back_off_s)
        except Exception:
            _log.exception("%s: a batch of %d messages failed", self, len(messages))
        finally:
            self._slots.release()

    async def _work(self, messages: Sequence[Message]) -> None:
        records = [record(message, self._ref, self.mapping.queue) for message in messages]
        taken = [each for each in records if fits(each, self._patterns)]
        # What no filter lets through is done with, as on Lambda.
        await self._delete([each for each in records if not fits(each, self._patterns)])
        for some, event in events(taken):
            outcome = (await self._functions.invoke(self.mapping.function, event)).outcome
            if outcome.error is not None:
                continue
            failed: frozenset[str] = frozenset()
            if self.mapping.reports_failures:
                failed = failed_ids(outcome.payload, frozenset(each["messageId"] for each in some))
            await self._delete([each for each in some if each["messageId"] not in failed])

    async def _delete(self, records: Sequence[Mapping[str, Any]]) -> None:
        if records and (left := await self._queue.delete([each["receiptHandle"] for each in records])):
            _log.warning("%s: %d messages were worked on and could not be deleted; they come again", self, left)

    def _failed(self, why: str) -> None:
        """Wait longer after each failure; say so at the first one only."""
        if not self._back_off_s:
            _log.warning("%s: %s; trying again", self, why)
        self._back_off_s = min(max(self._pace.first_back_off_s, self._back_off_s * 2), self._pace.most_back_off_s)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until it is told to stop."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
