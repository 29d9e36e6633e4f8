"""AWS/Lambda of asynchronous calls: events accepted and dropped, their age when called with, messages nobody took."""

from typing import Final, Literal

from headgate.model.arn import FunctionRef
from headgate.model.metric import MetricKey, Point, Sample, add_to, point_of
from headgate.telemetry.function_metrics import dimension_sets, function_key

Counted = Literal["AsyncEventsReceived", "AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures"]
_AGE: Final = "AsyncEventAge"


class EventMeters:
    """What is counted of events between two flushes, by the function as they name it."""

    def __init__(self) -> None:
        self._seen: dict[tuple[FunctionRef, str], Point] = {}

    def __repr__(self) -> str:
        return f"<EventMeters {len(self._seen)} metrics to be written>"

    def count(self, function: FunctionRef, name: Counted) -> None:
        self._add(function, name, 1.0)

    def aged(self, function: FunctionRef, seconds: float) -> None:
        """The function is called with an event that was accepted so long ago."""
        self._add(function, _AGE, max(seconds, 0.0) * 1000.0)

    def take(self) -> dict[tuple[FunctionRef, str], Point]:
        """What was counted since the last time, for `samples_of`."""
        seen, self._seen = self._seen, {}
        return seen

    def _add(self, function: FunctionRef, name: str, value: float) -> None:
        add_to(self._seen, (function, name), point_of(value))


def samples_of(seen: dict[tuple[FunctionRef, str], Point], at: int) -> list[Sample]:
    """The points of one flush, stamped with the second `at`."""
    totals: dict[MetricKey, Point] = {}
    for (function, name), point in seen.items():
        for dimensions in dimension_sets(function):
            unit = "Milliseconds" if name == _AGE else "Count"
            add_to(totals, function_key(function, name, dimensions, unit), point)
    return [Sample(key=key, at=at, point=point) for key, point in totals.items()]
