"""Where telemetry's parts put the values of metrics that logs give: gathered, and written with the next second.

They are held to what PutMetricData is: what it would refuse is left out here, for nobody could be told.
"""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Final, Protocol

from headgate.model.metric import MAX_DIMENSIONS, MAX_VALUE, MetricKey, Point, Sample, point_of
from headgate.telemetry.retention import NEWEST_TAKEN_S, OLDEST_TAKEN_S

MAX_WAITING: Final = 100_000  # points of different metrics and times; beyond it new ones are dropped


class MetricSink(Protocol):
    def put(self, samples: Iterable[Sample]) -> None:
        """Take these points, on the event loop's thread. Must not block."""
        ...


def sample_of(key: MetricKey, value: float, timestamp_ms: int, resolution_s: int = 60) -> Sample | None:
    """One value as a point; None for one that a metric does not take."""
    if not isfinite(value) or abs(value) > MAX_VALUE or len(key.dimensions) > MAX_DIMENSIONS:
        return None
    if key.namespace.upper().startswith("AWS/"):
        return None
    return Sample(key=key, at=timestamp_ms // 1000 // resolution_s * resolution_s, point=point_of(value))


class GatheredMetrics:
    """A sink, and a source of the metric store. What is of one metric and time is merged as it comes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lost = 0  # points, since the start: too many waited
        self._clock = clock
        self._points: dict[tuple[MetricKey, int], Point] = {}

    def __repr__(self) -> str:
        return f"<GatheredMetrics {len(self._points)} points wait, {self.lost} lost>"

    def put(self, samples: Iterable[Sample]) -> None:
        now = self._clock()
        for sample in samples:
            if not now - OLDEST_TAKEN_S <= sample.at <= now + NEWEST_TAKEN_S:
                continue
            where = (sample.key, sample.at)
            point = self._points.get(where)
            if point is not None:
                point.add(sample.point)
            elif len(self._points) < MAX_WAITING:
                self._points[where] = sample.point.copy()
            else:
                self.lost += 1

    def take(self) -> Callable[[int], list[Sample]]:
        """What has come since the last time; see `store.metric_store.Source`."""
        points, self._points = self._points, {}
        return lambda _: [Sample(key=key, at=at, point=point) for (key, at), point in points.items()]
