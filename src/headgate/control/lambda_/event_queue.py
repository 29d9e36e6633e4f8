"""The queue of asynchronous calls: keeps each event in the store until it is settled, and delivers it at least once.

`event_lanes` says which event is next, `event_steps` what follows an attempt, `event_targets` sends what is told of the
outcome; this carries it out. An event is durable before its caller is answered, and it is deleted after all that
follows from it was sent. So a crash in between runs it again; it never loses it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from headgate.control.context import Store
from headgate.control.lambda_.errors import function_not_found, too_many_requests
from headgate.control.lambda_.event_lanes import FIRST_HOLD_S, EventLanes
from headgate.control.lambda_.event_steps import (
    Attempt,
    Condition,
    Missing,
    PutBack,
    Ran,
    Retry,
    Settle,
    deliveries,
    is_too_old,
    next_step,
)
from headgate.control.lambda_.event_targets import DeliveryFailed, EventTargets
from headgate.control.lambda_.ports import EventFunctions, Services
from headgate.functions.errors import Throttled
from headgate.model.arn import FunctionRef, parse_function_arn
from headgate.model.errors import ApiError
from headgate.model.event import Delivery, EventHead, EventPolicy, FunctionEvent
from headgate.model.ids import new_request_id
from headgate.model.value import Value
from headgate.store.batch import Batch
from headgate.telemetry.event_metrics import Counted, EventMeters

_log = logging.getLogger("headgate.events")

_MAX_CHAIN: Final = 16  # functions that pass an event on to each other: Lambda stops such a loop there, too


class EventLimits(Value, frozen=True):
    """Bounds of the queue. Times are in seconds."""

    max_events: int = 100_000
    max_bytes: int = 1024**3  # of payloads
    parallel: int = 64  # events that are delivered at a time
    parallel_per_function: int = 8  # fewer than a function's environments, so that its other callers find one
    first_hold_s: float = FIRST_HOLD_S  # after a throttled call; see `event_lanes`
    retry_delays_s: tuple[float, ...] = (60.0, 120.0)  # after the first and the second failed call
    delivery_delays_s: tuple[float, ...] = (1.0, 10.0)  # after each failed round of sending an outcome; then it is lost
    delivery_timeout_s: float = 60.0
    defect_delay_s: float = 5.0  # before an event is tried again that this server could not handle


_DEFAULT_LIMITS: Final = EventLimits()


class EventQueue:
    """The events of one server. Made and used on the event loop."""

    def __init__(
        self,
        store: Store,
        functions: EventFunctions,
        services: Services,
        limits: EventLimits = _DEFAULT_LIMITS,
        clock: Callable[[], float] = time.time,
        meters: EventMeters | None = None,
    ) -> None:
        self._store = store
        self._journal = Batch(store)
        self._functions = functions
        self._targets = EventTargets(services, self._pass_on)
        self._limits = limits
        self._clock = clock
        self._meters = meters or EventMeters()
        self._lanes = EventLanes(limits.parallel, limits.parallel_per_function, limits.first_hold_s)
        self._sizes: dict[str, int] = {}  # of all events that are not settled, by id
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def __repr__(self) -> str:
        return f"<EventQueue {len(self._sizes)} events, {self._lanes}>"

    async def load(self) -> None:
        """Take up what an earlier process left. Before the first `put`."""
        for head in await self._store.read(lambda tx: tx.event_heads()):
            self._count(head.id, head.size)
            self._wait_for(head)

    def start(self) -> None:
        """Begin to deliver."""
        self._running = True
        self._deliver_due()

    async def stop(self, drain_s: float) -> None:
        """Let deliveries that run end, for so long at most. What is not settled is delivered after the next start."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=drain_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        await self._journal.finish()

    async def put(self, function: FunctionRef, payload: bytes, *, client_context: str = "", chain: int = 0) -> str:
        """Have a function called; see `ports.LambdaPorts.invoke_later`."""
        if not self._functions.exists(function):
            raise function_not_found(function)
        limits = self._limits
        if len(self._sizes) >= limits.max_events or self._bytes + len(payload) > limits.max_bytes:
            raise too_many_requests(
                "FunctionInvocationRateLimitExceeded",
                f"Rate Exceeded. {len(self._sizes)} events with {self._bytes} bytes wait to be delivered, of at most "
                f"{limits.max_events} events with {limits.max_bytes} bytes.",
            )
        now = self._clock()
        event = FunctionEvent(
            id=new_request_id(),
            function=function,
            payload=payload,
            received_at=now,
            due_at=now,
            client_context=client_context,
            chain=chain,
        )
        self._count(event.id, len(payload))
        try:
            await self._journal.write(lambda tx: tx.put_event(event))
        except BaseException:
            self._forget(event.id)
            raise
        self._meters.count(function, "AsyncEventsReceived")
        self._wait_for(event)
        self._deliver_due()
        return event.id

    def clear(self) -> None:
        """The store was emptied: what waits finds no event any more."""
        self._sizes.clear()
        self._bytes = 0

    def _deliver_due(self) -> None:
        """Start the deliveries that there is room for, and look again when the next event is due."""
        if not self._running:
            return
        while (taken := self._lanes.take(self._clock())) is not None:
            task = asyncio.create_task(self._deliver(*taken))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (next_at := self._lanes.next_at()) is not None:
            delay_s = max(next_at - self._clock(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._deliver_due)

    async def _deliver(self, lane: object, event_id: str) -> None:
        throttled = False
        try:
            event = await self._store.read(lambda tx: tx.get_event(event_id))
            if event is not None:
                throttled = await (self._send_rest(event) if event.deliveries else self._attempt(event))
        except Exception:
            # This server's own fault (a full disk, a defect), not the function's: it counts as no attempt.
            _log.exception("event %s of %s is tried again", event_id, lane)
            self._lanes.add(lane, event_id, self._clock() + self._limits.defect_delay_s)
        finally:
            self._lanes.finished(lane, self._clock(), throttled=throttled)
            self._deliver_due()

    async def _attempt(self, event: FunctionEvent) -> bool:
        """Call the function and do what follows; whether the call was throttled."""
        policy = self._functions.event_policy(event.function)
        if is_too_old(event, policy, self._clock()):
            await self._settle(Settle(condition=Condition.EVENT_AGE_EXCEEDED, event=event), None, policy)
            return False
        self._meters.aged(event.function, self._clock() - event.received_at)
        attempt: Attempt
        try:
            invoked = await self._functions.run(
                event.function, event.payload, request_id=event.id, client_context=event.client_context
            )
        except Throttled as throttle:
            attempt = throttle
        else:
            attempt = Missing() if invoked is None else Ran(version=invoked.executed_version, outcome=invoked.outcome)
        # Anew: what is set now holds, not what was set when the call began.
        policy = self._functions.event_policy(event.function)
        match next_step(event, attempt, policy, self._limits.retry_delays_s, self._clock()):
            case PutBack():
                self._wait_for(event)
                return True
            case Retry(event=later):
                await self._put_back(later)
            case Settle() as settled:
                await self._settle(settled, attempt, policy)
        return False

    async def _settle(self, settled: Settle, attempt: Attempt, policy: EventPolicy) -> None:
        messages = deliveries(settled, attempt, policy, self._clock())
        if settled.condition is not Condition.SUCCESS:
            self._meters.count(settled.event.function, "AsyncEventsDropped")
            _log.warning(
                "event %s of %s failed after %s calls: %s; %s",
                settled.event.id,
                settled.event.function.arn,
                settled.event.attempts,
                settled.condition,
                f"told to {', '.join(message.target for message in messages)}" if messages else "nobody is told",
            )
        await self._send_rest(replace(settled.event, deliveries=messages))

    async def _send_rest(self, event: FunctionEvent) -> bool:
        """Send the messages that are still to be sent; the event ends with the last one. False: not throttled."""
        unsent = [message for message in event.deliveries if not await self._sent(event, message)]
        rounds = event.failed_deliveries
        if unsent and rounds < len(self._limits.delivery_delays_s):
            due_at = self._clock() + self._limits.delivery_delays_s[rounds]
            await self._put_back(replace(event, deliveries=tuple(unsent), failed_deliveries=rounds + 1, due_at=due_at))
            return False
        for message in unsent:
            _log.error("the outcome of event %s of %s is lost for %s", event.id, event.function.arn, message.target)
        await self._journal.write(lambda tx: tx.delete_event(event.id))
        self._forget(event.id)
        return False

    async def _sent(self, event: FunctionEvent, message: Delivery) -> bool:
        try:
            async with asyncio.timeout(self._limits.delivery_timeout_s):
                await self._targets.send(message)
        except (DeliveryFailed, TimeoutError) as error:
            _log.warning("the outcome of event %s could not be sent to %s: %s", event.id, message.target, error)
            failed: Counted = "DeadLetterErrors" if message.is_dead_letter else "DestinationDeliveryFailures"
            self._meters.count(event.function, failed)
            return False
        return True

    async def _pass_on(self, message: Delivery) -> None:
        """A function is a destination: an event follows from an event."""
        function = parse_function_arn(message.target)
        if function is None or message.chain > _MAX_CHAIN:
            raise DeliveryFailed(f"it was passed on by {message.chain} functions, and may be by {_MAX_CHAIN}")
        try:
            await self.put(function, message.body.encode(), chain=message.chain)
        except ApiError as error:
            raise DeliveryFailed(error.message) from error

    async def _put_back(self, event: FunctionEvent) -> None:
        if event.id not in self._sizes:
            return  # the store was emptied meanwhile
        await self._journal.write(lambda tx: tx.put_event(event))
        self._wait_for(event)

    def _wait_for(self, event: FunctionEvent | EventHead) -> None:
        self._lanes.add(event.function.unqualified, event.id, event.due_at)

    def _count(self, event_id: str, size: int) -> None:
        self._sizes[event_id] = size
        self._bytes += size

    def _forget(self, event_id: str) -> None:
        self._bytes -= self._sizes.pop(event_id, 0)
