"""CloudWatch's statistics of a point: the five simple ones, percentiles, and the trimmed ones (aws-semantics 8.3).

Forms: `p99.9`; `tm`, `wm`, `tc`, `ts` with a percentile (`tm99`: the lower 99 %), or in capitals with two bounds, both
percentages or both values (`TM(10%:90%)`, `TC(:0.5)`); `PR(100:2000)`, the percentage of values between; `IQM`.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from headgate.model.histogram import value_of
from headgate.model.metric import Point

Statistic = Callable[[Point], float | None]
"""The statistic of a point; None where it cannot be known, as single values are not."""

_SIMPLE: Final[dict[str, Statistic]] = {
    "SampleCount": lambda point: point.count,
    "Sum": lambda point: point.sum,
    "Average": lambda point: point.sum / point.count if point.count else None,
    "Minimum": lambda point: point.min,
    "Maximum": lambda point: point.max,
}
_NUMBER: Final = r"\d+(?:\.\d+)?"
_PERCENTILE: Final = re.compile(rf"(?P<kind>p|tm|wm|tc|ts)(?P<rank>{_NUMBER})")
_RANGE: Final = re.compile(
    rf"(?P<kind>TM|WM|TC|TS|PR)\((?P<low>-?{_NUMBER}%?)?:(?P<high>-?{_NUMBER}%?)?\)", re.IGNORECASE
)


@cache
def statistic(name: str) -> Statistic | None:
    """The statistic of this name; None when there is none."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name.upper() == "IQM":
        return _trimmed("tm", 25.0, 75.0)
    if (found := _PERCENTILE.fullmatch(name)) and (rank := float(found["rank"])) <= 100:
        if found["kind"] == "p":
            return lambda point: percentile(point, rank)
        return _trimmed(found["kind"], 0.0, rank)
    if found := _RANGE.fullmatch(name):
        return _ranged(found["kind"].lower(), found["low"], found["high"])
    return None


def is_extended(name: str) -> bool:
    """Whether this is a statistic that is no simple one."""
    return name not in _SIMPLE and statistic(name) is not None


def percentile(point: Point, rank: float) -> float | None:
    """The least value that `rank` percent of all values do not exceed; within 1 % of it."""
    if point.buckets is None or not point.count:
        return None
    total = sum(point.buckets.values())
    wanted = rank / 100 * total
    # The first and the last value are known exactly.
    if wanted <= 1:
        return point.min
    if wanted > total - 1:
        return point.max
    seen = 0
    for bucket in sorted(point.buckets):
        seen += point.buckets[bucket]
        if seen >= wanted:
            return _clamped(point, bucket)
    return point.max


def _ranged(kind: str, low: str | None, high: str | None) -> Statistic | None:
    if low is None and high is None:
        return None
    texts = [text for text in (low, high) if text is not None]
    by_rank = texts[0].endswith("%")
    if any(text.endswith("%") != by_rank for text in texts):
        return None
    least = float(low.rstrip("%")) if low is not None else None
    most = float(high.rstrip("%")) if high is not None else None
    if by_rank:
        ranks = (0.0 if least is None else least, 100.0 if most is None else most)
        if kind == "pr" or not 0 <= ranks[0] < ranks[1] <= 100:
            return None
        return _trimmed(kind, *ranks)
    if least is not None and most is not None and least >= most:
        return None
    return lambda point: _between(kind, point, least, most)


def _trimmed(kind: str, low: float, high: float) -> Statistic:
    """A statistic of the values between two percentiles. `wm` moves those outside to the edges."""

    def of(point: Point) -> float | None:
        if point.buckets is None:
            return None
        values = _values(point)
        total = sum(count for _, count in values)
        first, last = total * low / 100, total * high / 100
        kept: list[tuple[float, float]] = []
        at = 0.0
        for value, count in values:
            inside = min(at + count, last) - max(at, first)
            if inside > 0:
                kept.append((value, inside))
            at += count
        return _reduced(kind, kept, below=first, above=total - last)

    return of


def _between(kind: str, point: Point, low: float | None, high: float | None) -> float | None:
    """The same of the values above `low` up to, and with, `high`."""
    if point.buckets is None:
        return None
    values = _values(point)
    total = sum(count for _, count in values)
    kept = [(v, float(n)) for v, n in values if (low is None or v > low) and (high is None or v <= high)]
    count = sum(number for _, number in kept)
    if kind == "pr":
        return 100 * count / total if total else None
    if kind == "wm":
        below = sum(n for v, n in values if low is not None and v <= low)
        above = sum(n for v, n in values if high is not None and v > high)
        edges = [(low or 0.0, float(below)), (high or 0.0, float(above))]
        return _reduced("tm", kept + [each for each in edges if each[1]], 0, 0)
    return _reduced(kind, kept, 0, 0)


def _reduced(kind: str, kept: list[tuple[float, float]], below: float, above: float) -> float | None:
    count = sum(number for _, number in kept)
    total = sum(value * number for value, number in kept)
    match kind:
        case "tc":
            return count
        case "ts":
            return total
        case _ if not kept:
            return None
        case "wm":
            total += kept[0][0] * below + kept[-1][0] * above
            count += below + above
    return total / count


def _values(point: Point) -> list[tuple[float, int]]:
    assert point.buckets is not None
    return [(_clamped(point, bucket), count) for bucket, count in sorted(point.buckets.items())]


def _clamped(point: Point, bucket: int) -> float:
    return min(max(value_of(bucket), point.min), point.max)
