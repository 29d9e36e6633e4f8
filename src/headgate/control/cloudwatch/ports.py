"""What CloudWatch's operations need from outside: the metric series, the store, and the names of webhooks."""

from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from headgate.control.context import Store
from headgate.model.metric import Sample
from headgate.store.metric_database import MetricDatabase

T = TypeVar("T")


class MetricPorts(Protocol):
    async def run(self, act: Callable[[MetricDatabase, float], T]) -> T:
        """Run `act` on all that was counted until now; it is given the time in seconds since the epoch."""
        ...

    async def write(self, samples: list[Sample]) -> None: ...


class CloudWatchPorts(MetricPorts, Protocol):
    @property
    def store(self) -> Store: ...

    @property
    def webhooks(self) -> Collection[str]:
        """The names that alarms may tell."""
        ...
