"""The outbox of alarms: messages that were stored with their change of state, sent until they are taken.

A message is deleted after it was delivered, so a crash in between sends it again: at least once, each with the id of
its change. One that nobody takes is tried ever more seldom, and given up after an hour.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

import orjson
from msgspec.structs import replace

from headgate.control.context import Store
from headgate.control.lambda_.event_targets import DeliveryFailed
from headgate.model.alarm import AlarmDelivery, HistoryItem
from headgate.store.transaction import Transaction

_log = logging.getLogger("headgate.alarms")

PARALLEL: Final = 16
GIVE_UP_S: Final = 3600.0
_SEND_S: Final = 30.0
_LONGEST_DELAY_S: Final = 300.0
_RETRY_STORE_S: Final = 5.0  # after the store could not be read or written


class Targets(Protocol):
    async def send(self, delivery: AlarmDelivery) -> list[AlarmDelivery]:
        """Send one message; what is to be sent instead. Raises DeliveryFailed."""
        ...


class AlarmDeliveries:
    """Made and used on the event loop."""

    def __init__(self, store: Store, targets: Targets, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._targets = targets
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wanted = asyncio.Event()

    def __repr__(self) -> str:
        return f"<AlarmDeliveries {len(self._running)} on their way>"

    def wake(self) -> None:
        """There may be something to send."""
        self._wanted.set()

    async def run(self) -> None:
        """Send for as long as the server runs. At its end what is on its way is given up, and sent after a restart."""
        try:
            while True:
                self._wanted.clear()
                try:
                    delay_s = await self.send_due()
                except Exception:
                    _log.exception("alarms' messages could not be looked at")
                    delay_s = _RETRY_STORE_S
                try:
                    async with asyncio.timeout(delay_s):
                        await self._wanted.wait()
                except TimeoutError:
                    pass
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send_due(self) -> float | None:
        """Begin to send what is due, as far as there is room; the seconds until more is due, None for none."""
        # Those that are on their way may be the first of them.
        unsent = await self._store.read(lambda tx: tx.alarms.unsent(2 * PARALLEL))
        now = self._clock()
        for delivery in unsent:
            if delivery.id in self._running:
                continue
            if len(self._running) >= PARALLEL:
                return None  # one that ends looks again
            if delivery.due_at > now:
                return delivery.due_at - now
            task = asyncio.create_task(self._send(delivery))
            self._running[delivery.id] = task
        return None

    async def settle(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._running.values())

    async def _send(self, delivery: AlarmDelivery) -> None:
        try:
            try:
                async with asyncio.timeout(_SEND_S):
                    instead = await self._targets.send(delivery)
            except DeliveryFailed as failure:
                await self._failed(delivery, str(failure))
            except TimeoutError:
                await self._failed(delivery, f"no answer within {_SEND_S:g} s")
            except Exception as error:
                _log.exception("a message of the alarm %s could not be sent", delivery.alarm_name)
                await self._failed(delivery, f"Headgate failed with {type(error).__name__}")
            else:
                await self._store.write(lambda tx: self._settle(tx, delivery, instead, ""))
        except Exception:
            _log.exception("the outcome of a message of the alarm %s could not be stored", delivery.alarm_name)
            await asyncio.sleep(_RETRY_STORE_S)
        finally:
            del self._running[delivery.id]
            self.wake()

    async def _failed(self, delivery: AlarmDelivery, why: str) -> None:
        now = self._clock()
        _log.warning("alarm %s could not tell %s: %s", delivery.alarm_name, delivery.subscription or delivery.id, why)
        if now - delivery.created_at >= GIVE_UP_S:
            await self._store.write(lambda tx: self._settle(tx, delivery, [], why))
            return
        delay_s = min(2.0**delivery.attempts, _LONGEST_DELAY_S)
        later = replace(delivery, attempts=delivery.attempts + 1, due_at=now + delay_s)
        await self._store.write(lambda tx: tx.alarms.send(later))

    def _settle(self, tx: Transaction, delivery: AlarmDelivery, instead: list[AlarmDelivery], error: str) -> None:
        for each in instead:
            tx.alarms.send(each)
        tx.alarms.sent(delivery.id)
        # A topic's own delivery tells of the action; that of a subscription only where it is lost.
        if not delivery.subscription or error:
            tx.alarms.record(delivery.account_id, delivery.region, _action_item(delivery, error, self._clock()))


def _action_item(delivery: AlarmDelivery, error: str, now: float) -> HistoryItem:
    resource = delivery.topic or delivery.target
    data = {
        "version": "1.0",
        "actionState": "Failed" if error else "Succeeded",
        "notificationResource": resource,
        "stateChangeId": delivery.change_id,
        "error": error or None,
    }
    summary = f"Failed to execute action {resource}. Received error: {error}"
    return HistoryItem(
        alarm_name=delivery.alarm_name,
        alarm_type=delivery.alarm_type,
        timestamp=now,
        history_item_type="Action",
        history_summary=summary if error else f"Successfully executed action {resource}",
        history_data=orjson.dumps(data).decode(),
    )
