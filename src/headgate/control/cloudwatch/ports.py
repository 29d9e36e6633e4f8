"""What CloudWatch's operations need from outside: the metric series."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from headgate.model.metric import Sample
from headgate.store.metric_database import MetricDatabase

T = TypeVar("T")


class MetricPorts(Protocol):
    async def run(self, act: Callable[[MetricDatabase, float], T]) -> T:
        """Run `act` on all that was counted until now; it is given the time in seconds since the epoch."""
        ...

    async def write(self, samples: list[Sample]) -> None: ...
