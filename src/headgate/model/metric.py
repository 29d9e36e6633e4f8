"""A metric and one point of it: what CloudWatch's operations, the gateway's counters and the store have in common."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from headgate.model.histogram import Buckets, bucket_of, merge
from headgate.model.value import Value

K = TypeVar("K")

MAX_DIMENSIONS: Final = 30  # of one metric
MAX_VALUE: Final = 2.0**360  # the largest size of a value

Dimensions = tuple[tuple[str, str], ...]
"""Name and value, sorted by name: a metric's dimensions are a set."""


class MetricKey(Value, frozen=True):
    """What makes a metric this one and no other. Data of another unit is another metric (aws-semantics 8.3)."""

    account_id: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions = ()
    unit: str = "None"


class Point(msgspec.Struct):
    """What one metric's values of one stretch of time come to.

    `buckets` is their histogram, None where it cannot be known: statistic sets bring no single values.
    """

    count: float
    sum: float
    min: float
    max: float
    buckets: Buckets | None

    def add(self, other: "Point") -> None:
        """Take another point's values in."""
        self.count += other.count
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        if self.buckets is None or other.buckets is None:
            self.buckets = None
        else:
            merge(self.buckets, other.buckets)

    def copy(self) -> "Point":
        buckets = None if self.buckets is None else dict(self.buckets)
        return Point(self.count, self.sum, self.min, self.max, buckets)


class Sample(Value, frozen=True):
    """A point of a metric in time; `at` is the whole second, since the epoch, in which its stretch begins."""

    key: MetricKey
    at: int
    point: Point


def point_of(value: float, count: float = 1) -> Point:
    """One value, seen so many times."""
    whole = int(count) if count == int(count) else None
    return Point(count, value * count, value, value, None if whole is None else {bucket_of(value): whole})


def share_point(count: int, hits: int) -> Point:
    """Of so many requests, hits are a 1 and the others a 0: the average is the share (aws-semantics 6.4)."""
    buckets = {bucket: number for bucket, number in ((0, count - hits), (bucket_of(1.0), hits)) if number}
    return Point(count, hits, 0.0 if hits < count else 1.0, 1.0 if hits else 0.0, buckets)


def add_to(totals: dict[K, Point], key: K, point: Point) -> None:
    """Take a point into the total of its key. The point itself stays as it is."""
    total = totals.get(key)
    if total is None:
        totals[key] = point.copy()
    else:
        total.add(point)


def merged(points: Iterable[Point]) -> Point | None:
    """All points as one; None of none."""
    total: Point | None = None
    for point in points:
        if total is None:
            total = point.copy()
        else:
            total.add(point)
    return total


def dimensions_of(dimensions: Iterable[Any]) -> Dimensions:
    """From the wire's `{"Name": ..., "Value": ...}`."""
    return tuple(sorted((each["Name"], each.get("Value", "")) for each in dimensions))
