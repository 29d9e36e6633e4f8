"""The alarms of one server at work: known, evaluated, and told of."""

import asyncio
from collections.abc import Callable

from headgate.control.cloudwatch.alarm_book import AlarmBook
from headgate.control.cloudwatch.alarm_deliveries import AlarmDeliveries
from headgate.control.cloudwatch.alarm_evaluator import AlarmEvaluator, Metrics
from headgate.control.cloudwatch.alarm_targets import AlarmTargets, TargetPorts
from headgate.control.context import Store
from headgate.store.transaction import Change, Prepare, Transaction


class Alarms:
    """Made before the store, as it is told of what is stored; started with what it works on."""

    def __init__(self) -> None:
        self._book = AlarmBook()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Alarms {self._book}, {'at work' if self._tasks else 'not started'}>"

    def beside(self, prepare: Prepare) -> Prepare:
        """What is to be published, the alarms with it."""

        def both(tx: Transaction, changes: list[Change]) -> Callable[[], None]:
            first, second = prepare(tx, changes), self._book.prepare(tx, changes)
            return lambda: _both(first, second)

        return both

    async def start(self, store: Store, metrics: Metrics, ports: TargetPorts) -> None:
        """Take up what is stored, and begin."""
        (await store.read(self._book.load))()
        deliveries = AlarmDeliveries(store, AlarmTargets(ports))
        self._book.changed = deliveries.wake
        evaluator = AlarmEvaluator(store, metrics, self._book)
        self._tasks = [asyncio.create_task(evaluator.run()), asyncio.create_task(deliveries.run())]

    async def stop(self) -> None:
        """What is not delivered is so after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _both(first: Callable[[], None], second: Callable[[], None]) -> None:
    first()
    second()
