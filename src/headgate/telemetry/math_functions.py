"""The functions of metric math (aws-semantics 8.3). Importing this module makes them known to `metric_math`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import ceil, floor, log, log10, sqrt
from typing import Final

from msgspec.structs import replace

from headgate.telemetry.metric_math import Call, MathError, Series, Value, function


def _deviation(values: list[float]) -> float:
    """Of the whole population, as CloudWatch has it."""
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / len(values))


_EACH: Final[Mapping[str, Callable[[float], float | None]]] = {
    "ABS": abs,
    "CEIL": lambda value: float(ceil(value)),
    "FLOOR": lambda value: float(floor(value)),
    "LOG": lambda value: log(value) if value > 0 else None,
    "LOG10": lambda value: log10(value) if value > 0 else None,
}
_OVER: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": _deviation,
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}


@function(*_EACH)
def _each_value(call: Call) -> Value:
    """The function of each value."""
    act = _EACH[call.name]
    match call.arguments:
        case [float(number)]:
            result = act(number)
            if result is None:
                raise MathError(f"{call.name}({number:g}) has no value")
            return result
        case [Series() as series]:
            return _mapped(act, series)
        case [list() as many]:
            return [_mapped(act, series) for series in many]
        case _:
            raise call.wrong(f"{call.name}(number, series or array)")


@function(*_OVER)
def _over_values(call: Call) -> Value:
    """One series becomes a number; of an array, the values of each time become one."""
    act = _OVER[call.name]
    match call.arguments:
        case [Series() as series]:
            return float(act(list(series.values.values()))) if series.values else 0.0
        case [list() as many]:
            times = sorted({at for series in many for at in series.values})
            values = {at: float(act([series.values[at] for series in many if at in series.values])) for at in times}
            return Series(values, max((series.period for series in many), default=call.scope.period))
        case [float(number)]:
            return float(act([number]))
        case _:
            raise call.wrong(f"{call.name}(series or array)")


@function("METRIC_COUNT")
def _metric_count(call: Call) -> Value:
    match call.arguments:
        case [list() as many]:
            return float(len(many))
        case _:
            raise call.wrong("METRIC_COUNT(array)")


@function("METRICS")
def _metrics(call: Call) -> Value:
    """All metrics of the request, or those whose id has this text in it."""
    match call.arguments:
        case []:
            return [series for series in call.scope.metrics.values() if isinstance(series, Series)]
        case [str(part)]:
            return [series for key, series in call.scope.metrics.items() if isinstance(series, Series) and part in key]
        case _:
            raise call.wrong('METRICS() or METRICS("part of an id")')


@function("FILL")
def _fill(call: Call) -> Value:
    match call.arguments:
        case [Series() as series, filler]:
            return _filled(series, filler, call)
        case [list() as many, filler]:
            return [_filled(series, filler, call) for series in many]
        case _:
            raise call.wrong("FILL(series or array, number, REPEAT, LINEAR or series)")


@function("IF")
def _if(call: Call) -> Value:
    """Where the condition is not 0 the second, else the third; without a third, nothing."""
    match call.arguments:
        case [float(condition), (float() | Series()) as yes, (float() | Series()) as no]:
            return yes if condition else no
        case [Series() as condition, yes, *rest] if len(rest) <= 1 and all(
            isinstance(each, float | Series) for each in (yes, *rest)
        ):
            values: dict[int, float] = {}
            for at, holds in condition.values.items():
                chosen = yes if holds else rest[0] if rest else None
                value = chosen.values.get(at) if isinstance(chosen, Series) else chosen
                if isinstance(value, float | int):
                    values[at] = float(value)
            return Series(values, condition.period)
        case _:
            raise call.wrong("IF(condition, value) or IF(condition, value, otherwise), of numbers and series")


@function("RATE", "DIFF", "DIFF_TIME")
def _between_points(call: Call) -> Value:
    """What lies between a point and the one before: the change a second, the change, the seconds."""
    match call.arguments:
        case [Series() as series]:
            return _changes(call.name, series)
        case [list() as many]:
            return [_changes(call.name, series) for series in many]
        case _:
            raise call.wrong(f"{call.name}(series or array)")


@function("PERIOD")
def _period(call: Call) -> Value:
    match call.arguments:
        case [Series() as series]:
            return float(series.period)
        case _:
            raise call.wrong("PERIOD(series)")


@function("RUNNING_SUM")
def _running_sum(call: Call) -> Value:
    match call.arguments:
        case [Series() as series]:
            return _summed_up(series)
        case [list() as many]:
            return [_summed_up(series) for series in many]
        case _:
            raise call.wrong("RUNNING_SUM(series or array)")


@function("TIME_SERIES")
def _time_series(call: Call) -> Value:
    match call.arguments:
        case [float(number)]:
            return Series(dict.fromkeys(call.scope.asked.times(call.scope.period), number), call.scope.period)
        case _:
            raise call.wrong("TIME_SERIES(number)")


@function("FIRST", "LAST")
def _first_or_last(call: Call) -> Value:
    match call.arguments:
        case [list() as many] if many:
            chosen: Series = many[0 if call.name == "FIRST" else -1]
            return chosen
        case _:
            raise call.wrong(f"{call.name}(array), of at least one series")


@function("SLICE")
def _slice(call: Call) -> Value:
    match call.arguments:
        case [list() as many, float(start)]:
            return list(many[int(start) :])
        case [list() as many, float(start), float(end)]:
            return many[int(start) : int(end)]
        case _:
            raise call.wrong("SLICE(array, start) or SLICE(array, start, end)")


@function("SORT")
def _sort(call: Call) -> Value:
    match call.arguments:
        case [list() as many, str(by), ("ASC" | "DESC") as direction, *rest] if by in _OVER:
            act = _OVER[by]
            filled = [series for series in many if series.values]
            empty = [series for series in many if not series.values]
            ordered = sorted(filled, key=lambda series: act(list(series.values.values())), reverse=direction == "DESC")
            match rest:
                case []:
                    return ordered + empty
                case [float(limit)]:
                    return (ordered + empty)[: int(limit)]
    raise call.wrong(f"SORT(array, {', '.join(_OVER)}, ASC or DESC) with, perhaps, how many")


@function("SEARCH")
def _search(call: Call) -> Value:
    match call.arguments:
        case [str(expression), str(statistic)]:
            return call.scope.search(expression, statistic, call.scope.period)
        case [str(expression), str(statistic), float(period)]:
            return call.scope.search(expression, statistic, int(period))
        case _:
            raise call.wrong('SEARCH("expression", "statistic") or SEARCH("expression", "statistic", period)')


def _mapped(act: Callable[[float], float | None], series: Series) -> Series:
    values = {at: result for at, value in series.values.items() if (result := act(value)) is not None}
    return replace(series, values=values)


def _filled(series: Series, filler: Value, call: Call) -> Series:
    times = call.scope.asked.times(series.period)
    match filler:
        case float(number):
            values = {at: series.values.get(at, number) for at in times}
        case Series():
            values = {
                at: series.values[at] if at in series.values else filler.values[at]
                for at in times
                if at in series.values or at in filler.values
            }
        case "REPEAT":
            values = {}
            last: float | None = None
            for at in times:
                last = series.values.get(at, last)
                if last is not None:
                    values[at] = last
        case "LINEAR":
            values = _interpolated(series, times)
        case _:
            raise call.wrong("FILL(series or array, number, REPEAT, LINEAR or series)")
    return replace(series, values=values)


def _interpolated(series: Series, times: range) -> dict[int, float]:
    """Between two points; before the first and after the last there is nothing."""
    known = sorted(series.values)
    values = dict(series.values)
    for before, after in pairwise(known):
        slope = (series.values[after] - series.values[before]) / (after - before)
        for at in range(before + times.step, after, times.step):
            values[at] = series.values[before] + slope * (at - before)
    return {at: values[at] for at in times if at in values}


def _changes(name: str, series: Series) -> Series:
    known = sorted(series.values)
    values: dict[int, float] = {}
    for before, at in pairwise(known):
        change = series.values[at] - series.values[before]
        values[at] = {"RATE": change / (at - before), "DIFF": change, "DIFF_TIME": float(at - before)}[name]
    return replace(series, values=values)


def _summed_up(series: Series) -> Series:
    values: dict[int, float] = {}
    total = 0.0
    for at in sorted(series.values):
        total += series.values[at]
        values[at] = total
    return replace(series, values=values)
