"""The evaluator at work: reads what each alarm judges once per interval, and keeps the changes that follow.

What is read is decided on in `telemetry.alarm_evaluation`. Only a change of state touches the store, in one transaction
with its history and its messages: a crash before the commit leaves the alarm as it was, and the next evaluation, which
sees the same points, makes the change; a crash after it leaves the messages to be sent.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar

from headgate.control.cloudwatch.alarm_book import AlarmBook, WatchedAlarm
from headgate.control.cloudwatch.alarm_states import (
    change_state,
    find_alarm,
    judge_composite,
    overridden_composites,
    pass_time,
)
from headgate.control.context import Store
from headgate.model.alarm import AlarmState, CompositeAlarm
from headgate.store.metric_database import MetricDatabase
from headgate.store.transaction import Transaction
from headgate.telemetry.alarm_evaluation import INTERVAL_S, SHORT_INTERVAL_S, Evaluation, evaluate
from headgate.telemetry.alarm_reason import reason, reason_data
from headgate.telemetry.alarm_transition import Change
from headgate.telemetry.retention import DAY_S, HOUR_S

_log = logging.getLogger("headgate.alarms")

DELAY_S: Final = 3.0  # after an interval's end: by then its last second was written and rolled up
HISTORY_S: Final = 30 * DAY_S
_INTERVALS: Final = (SHORT_INTERVAL_S, INTERVAL_S)
_BATCH: Final = 50  # alarms that are read at once: the metric store's thread is others' too

T = TypeVar("T")
_Found = list[tuple[WatchedAlarm, Evaluation]]


class Metrics(Protocol):
    """The metric series."""

    async def read(self, act: Callable[[MetricDatabase, float], T]) -> T:
        """Run `act` on what is written; it is given the time in seconds since the epoch."""
        ...


class AlarmEvaluator:
    """Made and used on the event loop."""

    def __init__(self, store: Store, metrics: Metrics, book: AlarmBook, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._metrics = metrics
        self._book = book
        self._clock = clock
        self._done: dict[int, int] = {}  # by interval: the last moment that was evaluated
        self._forgot_at = 0.0

    def __repr__(self) -> str:
        return f"<AlarmEvaluator {self._book}, up to {self._done}>"

    async def run(self) -> None:
        """Evaluate for as long as the server runs."""
        await self._guarded(self.catch_up)
        while True:
            await self._guarded(self.evaluate_due)
            left_s = SHORT_INTERVAL_S - (self._clock() - DELAY_S) % SHORT_INTERVAL_S
            await asyncio.sleep(left_s)

    async def catch_up(self) -> None:
        """Evaluate as of the end of what was measured before the start: a crash may have come before it was judged."""
        last = await self._metrics.read(lambda database, now: database.last_at(now))
        if last is None:
            return
        for interval in _INTERVALS:
            tick = (last // interval + 1) * interval
            if tick < self._latest(interval):
                await self.evaluate(interval, tick)

    async def evaluate_due(self) -> None:
        """Evaluate what has ended since the last time, and let held actions go whose time has come."""
        for interval in _INTERVALS:
            tick = self._latest(interval)
            if tick > self._done.get(interval, 0):
                await self.evaluate(interval, tick)
                if interval == INTERVAL_S:
                    await self._evaluate_composites()
                self._done[interval] = tick
        now = self._clock()
        if held := self._book.held(now):
            await self._store.write(lambda tx: _let_go(tx, held, now))
        if now - self._forgot_at >= HOUR_S:
            self._forgot_at = now
            await self._store.write(lambda tx: tx.alarms.forget(now - HISTORY_S))

    async def evaluate(self, interval: int, tick: int) -> None:
        """Evaluate all alarms of this interval as of this moment."""
        for batch in _batches(self._book.due(interval)):
            found = await self._metrics.read(lambda database, now: _judged(database, batch, tick, now))  # noqa: B023  used within this round
            changed = [(each, found) for each, found in found if found.value not in {None, each.value}]
            if changed:
                await self._keep(changed)

    async def _keep(self, changed: _Found) -> None:
        """Store what was found in one transaction; where that cannot be, each change that can be on its own.

        What cannot be stored (a full disk, a defect with one alarm) is found again by the next evaluation.
        """
        now = self._clock()
        try:
            await self._store.write(lambda tx: _take(tx, changed, now))
        except Exception:
            if len(changed) > 1:
                for each in changed:
                    await self._keep([each])
            else:
                _log.exception("the state of the alarm %s could not be stored", changed[0][0].alarm.alarm_arn)

    async def _evaluate_composites(self) -> None:
        """They change with their children: what is left is a state that somebody has set."""
        if overridden := await self._store.read(overridden_composites):
            now = self._clock()
            await self._store.write(lambda tx: _judge_anew(tx, overridden, now))

    def _latest(self, interval: int) -> int:
        """The latest end of an interval whose points are all there."""
        return int(self._clock() - DELAY_S) // interval * interval

    async def _guarded(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            await act()
        except Exception:
            _log.exception("alarms could not be evaluated; it is tried again in %s s", SHORT_INTERVAL_S)


def _judged(database: MetricDatabase, alarms: Iterable[WatchedAlarm], tick: int, now: float) -> _Found:
    found = []
    for each in alarms:
        try:
            found.append((each, evaluate(each.alarm, each.series.points(database, tick, now))))
        except Exception:  # a defect with one alarm must not leave all others unwatched
            _log.exception("the alarm %s could not be evaluated", each.alarm.alarm_arn)
    return found


def _take(tx: Transaction, changed: _Found, now: float) -> None:
    for each, evaluation in changed:
        alarm = find_alarm(tx, each.alarm.key)
        state = tx.get(AlarmState, *each.alarm.key)
        if alarm != each.alarm or state is None or evaluation.value is None:
            continue  # it was changed or deleted meanwhile: the next evaluation is of what it is now
        change = Change(
            value=evaluation.value,
            reason=reason(each.alarm, evaluation, state.state_value),
            reason_data=reason_data(each.alarm, each.series.period, evaluation, now),
        )
        change_state(tx, alarm, change, now)
        _log.info("alarm %s: %s -> %s", alarm.alarm_arn, state.state_value, evaluation.value)


def _judge_anew(tx: Transaction, alarms: Iterable[CompositeAlarm], now: float) -> None:
    for alarm in alarms:
        if tx.get(CompositeAlarm, *alarm.key) == alarm:
            judge_composite(tx, alarm, now, f"{alarm.alarm_arn} was evaluated")


def _let_go(tx: Transaction, held: Iterable[tuple[str, str, str]], now: float) -> None:
    for key in held:
        alarm = tx.get(CompositeAlarm, *key)
        if alarm is not None:
            pass_time(tx, alarm, now)


def _batches(alarms: list[WatchedAlarm]) -> Iterable[list[WatchedAlarm]]:
    return (alarms[first : first + _BATCH] for first in range(0, len(alarms), _BATCH))
