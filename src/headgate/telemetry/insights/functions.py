"""The functions of the query language, by name: those of a record's values, and those that aggregate."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from headgate.telemetry.insights.values import Record, Time, Value, number_of, text_of


class Function(NamedTuple):
    least: int  # arguments
    most: int
    run: Callable[[Sequence[Value]], Value]


def _numeric(run: Callable[..., float]) -> Callable[[Sequence[Value]], Value]:
    """Without a number there is no value; neither where the result is none."""

    def call(arguments: Sequence[Value]) -> Value:
        numbers = [number_of(argument) for argument in arguments]
        if None in numbers:
            return None
        try:
            return run(*numbers)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return call


def _text(run: Callable[..., Value]) -> Callable[[Sequence[Value]], Value]:
    def call(arguments: Sequence[Value]) -> Value:
        return None if None in arguments else run(*(text_of(argument) for argument in arguments))

    return call


def _substr(text: str, start: str, length: str | None = None) -> Value:
    at, size = number_of(start), None if length is None else number_of(length)
    if at is None or at < 0 or (length is not None and (size is None or size < 0)):
        return None
    return text[int(at) :] if size is None else text[int(at) : int(at) + int(size)]


def _strip(how: str) -> Callable[..., str]:
    def run(text: str, off: str | None = None) -> str:
        stripped: str = getattr(text, how)(off)
        return stripped

    return run


def _floor(arguments: Sequence[Value]) -> Value:
    at, period = number_of(arguments[0]), number_of(arguments[1])
    return None if at is None or not period or math.isinf(at) else Time(at // period * period)


def _ceil(arguments: Sequence[Value]) -> Value:
    at, period = number_of(arguments[0]), number_of(arguments[1])
    return None if at is None or not period or math.isinf(at) else Time(-(-at // period) * period)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": Function(1, 1, _numeric(abs)),
    "ceil": Function(1, 1, _numeric(math.ceil)),
    "floor": Function(1, 1, _numeric(math.floor)),
    "log": Function(1, 1, _numeric(math.log)),
    "sqrt": Function(1, 1, _numeric(math.sqrt)),
    "greatest": Function(1, 50, _numeric(max)),
    "least": Function(1, 50, _numeric(min)),
    "ispresent": Function(1, 1, lambda given: given[0] is not None),
    "coalesce": Function(1, 50, lambda given: next((each for each in given if each is not None), None)),
    "isempty": Function(1, 1, lambda given: given[0] is None or given[0] == ""),
    "isblank": Function(1, 1, lambda given: given[0] is None or not text_of(given[0]).strip()),
    "concat": Function(1, 50, lambda given: "".join(map(text_of, given))),
    "ltrim": Function(1, 2, _text(_strip("lstrip"))),
    "rtrim": Function(1, 2, _text(_strip("rstrip"))),
    "trim": Function(1, 2, _text(_strip("strip"))),
    "strlen": Function(1, 1, _text(len)),
    "toupper": Function(1, 1, _text(str.upper)),
    "tolower": Function(1, 1, _text(str.lower)),
    "upper": Function(1, 1, _text(str.upper)),
    "lower": Function(1, 1, _text(str.lower)),
    "substr": Function(2, 3, _text(_substr)),
    "replace": Function(3, 3, _text(str.replace)),
    "strcontains": Function(2, 2, _text(lambda text, part: int(part in text))),
    "datefloor": Function(2, 2, _floor),
    "dateceil": Function(2, 2, _ceil),
    "frommillis": Function(1, 1, _numeric(Time)),
    "tomillis": Function(1, 1, _numeric(float)),
}


class Aggregate(NamedTuple):
    """Many records to one value; `run` is given the values of its first argument, None where a record has none."""

    least: int
    most: int
    run: Callable[[Sequence[Value], Sequence[Record], float], Value]
    takes_number: bool = False  # its second argument


def _numbers(values: Sequence[Value]) -> list[float]:
    return [number for value in values if (number := number_of(value)) is not None]


def _of_numbers(run: Callable[[list[float]], float]) -> Aggregate:
    def aggregate(values: Sequence[Value], _records: Sequence[Record], _argument: float) -> Value:
        numbers = _numbers(values)
        return run(numbers) if numbers else None

    return Aggregate(1, 1, aggregate)


def _extreme(choose: Callable[..., Value]) -> Aggregate:
    """Of numbers where all are; else of texts."""

    def aggregate(values: Sequence[Value], _records: Sequence[Record], _argument: float) -> Value:
        present = [value for value in values if value is not None]
        if not present:
            return None
        if all(number_of(value) is not None for value in present):
            return choose(present, key=number_of)
        return choose(map(text_of, present))

    return Aggregate(1, 1, aggregate)


def _by_time(choose: Callable[..., Value]) -> Aggregate:
    def aggregate(values: Sequence[Value], records: Sequence[Record], _argument: float) -> Value:
        pairs = [
            (number_of(record.get("@timestamp")) or 0.0, value)
            for value, record in zip(values, records, strict=True)
            if value is not None
        ]
        return choose(pairs, key=lambda pair: pair[0])[1] if pairs else None

    return Aggregate(1, 1, aggregate)


def _percentile(values: Sequence[Value], percent: float) -> Value:
    """Interpolated between the two nearest."""
    numbers = sorted(_numbers(values))
    if not numbers:
        return None
    place = (len(numbers) - 1) * min(max(percent, 0.0), 100.0) / 100
    low = math.floor(place)
    high = min(low + 1, len(numbers) - 1)
    return numbers[low] + (numbers[high] - numbers[low]) * (place - low)


AGGREGATES: Final[Mapping[str, Aggregate]] = {
    "count": Aggregate(0, 1, lambda values, _records, _argument: sum(value is not None for value in values)),
    "count_distinct": Aggregate(
        1, 1, lambda values, _records, _argument: len({text_of(value) for value in values if value is not None})
    ),
    "sum": _of_numbers(math.fsum),
    "avg": _of_numbers(statistics.fmean),
    "stddev": _of_numbers(lambda numbers: statistics.stdev(numbers) if len(numbers) > 1 else 0.0),
    "min": _extreme(min),
    "max": _extreme(max),
    "pct": Aggregate(2, 2, lambda values, _records, percent: _percentile(values, percent), takes_number=True),
    "median": Aggregate(1, 1, lambda values, _records, _argument: _percentile(values, 50.0)),
    "earliest": _by_time(min),
    "latest": _by_time(max),
}
