"""Histograms in buckets that grow by a constant factor: any percentile within 1 % of the value, whatever its size.

A histogram is a dict from bucket to count, so recording costs one logarithm and merging is addition. Buckets are
integers in the order of the values they hold: negative values, zero, positive values.
"""

from collections.abc import Iterable, Mapping
from math import exp, log
from typing import Final

RELATIVE_ERROR: Final = 0.0099  # half a bucket, relative to the value; a breath below 1 % for the rounding of floats
_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SCALE: Final = 1 / log(_GROWTH)
OFFSET: Final = 65_536  # of positive values' buckets: above the least exponent that a float has, so all are positive

Buckets = dict[int, int]


def bucket_of(value: float) -> int:
    """The bucket that holds a value; the value is finite."""
    if value > 0:
        # The hot path has this line in it, see dataplane.observation: the offset makes truncation the floor.
        return int(log(value) * SCALE + OFFSET)
    return 0 if value == 0 else -int(log(-value) * SCALE + OFFSET)


def value_of(bucket: int) -> float:
    """The value that stands for all of a bucket: none in it is farther away than the relative error."""
    if bucket == 0:
        return 0.0
    value = lower_edge(abs(bucket)) * 2 * _GROWTH / (1 + _GROWTH)
    return value if bucket > 0 else -value


def lower_edge(bucket: int) -> float:
    """The least value of a bucket of positive values."""
    return exp((bucket - OFFSET) / SCALE)


def merge(into: Buckets, other: Mapping[int, int]) -> None:
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count


def buckets_of(values: Iterable[float]) -> Buckets:
    buckets: Buckets = {}
    for value in values:
        bucket = bucket_of(value)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets
