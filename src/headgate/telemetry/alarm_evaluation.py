"""What the points of a metric mean for its alarm: the evaluation table of CloudWatch (aws-semantics 8.1).

An evaluation looks at more periods than it needs, the evaluation range. Where at least N of its points are there, the N
newest decide. Where fewer are, each that lacks is filled as the alarm says, and none that is there is left out.
Here 0 is a point within bounds, X one that breaches, and - a period without one:

    N = 3, M = 3    missing            ignore    breaching  notBreaching
    0 - X - X       OK                 OK        OK         OK
    0 - - - -       OK                 OK        OK         OK
    - - - - -       INSUFFICIENT_DATA  as it is  ALARM      OK
    0 X X - X       ALARM              ALARM     ALARM      ALARM
    - - X - -       ALARM              as it is  ALARM      OK

    N = 3, M = 2
    0 - X - X       ALARM              ALARM     ALARM      ALARM
    0 0 X 0 X       ALARM              ALARM     ALARM      ALARM
    0 - X - -       OK                 OK        ALARM      OK
    - - - - 0       OK                 OK        ALARM      OK
    - - - X -       ALARM              as it is  ALARM      OK
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from headgate.model.alarm import AlarmValue, MetricAlarm
from headgate.model.value import Value

EXTRA_PERIODS: Final = 2  # beyond N that an evaluation looks at: the documented examples have 5 for N = 3
SHORT_INTERVAL_S: Final = 10
INTERVAL_S: Final = 60


class MissingData(StrEnum):
    """How periods without a point count."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class Datapoint(Value, frozen=True):
    """A statistic of one period."""

    at: int  # the period's beginning, in seconds since the epoch
    value: float
    samples: float | None = None  # how many values it is of; None where that is not known, as of an expression


class Evaluation(Value, frozen=True):
    """What an evaluation found. `value` is None where the alarm stays as it is."""

    value: AlarmValue | None
    used: tuple[Datapoint, ...]  # the points that decided, oldest first
    breaching: tuple[Datapoint, ...]  # those of them that breach
    filled: int  # periods without a point that had to be filled


COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def interval_s(period: int) -> int:
    """How often an alarm with this period is evaluated: every minute, or every ten seconds where it is shorter."""
    return INTERVAL_S if period >= INTERVAL_S else SHORT_INTERVAL_S


def evaluation_range(alarm: MetricAlarm, period: int, tick: int) -> range:
    """The beginnings of the periods that an evaluation at this moment looks at, oldest first."""
    return range(tick - (alarm.evaluation_periods + EXTRA_PERIODS) * period, tick, period)


def evaluate(alarm: MetricAlarm, points: Sequence[Datapoint | None]) -> Evaluation:
    """Judge the points of the evaluation range, oldest first; None is a period without one."""
    breaches = COMPARISONS[alarm.comparison_operator]
    found = [point for point in points if point is not None]
    used = tuple(found[-alarm.evaluation_periods :])
    value = decide(
        [None if point is None else breaches(point.value, alarm.threshold) for point in points],
        alarm.evaluation_periods,
        alarm.needed,
        MissingData(alarm.treat_missing_data or MissingData.MISSING),
    )
    if alarm.evaluate_low_sample_count_percentile == "ignore":
        least = least_samples(alarm.extended_statistic or "")
        if any(point.samples is not None and point.samples < least for point in used):
            value = None
    return Evaluation(
        value=value,
        used=used,
        breaching=tuple(point for point in used if breaches(point.value, alarm.threshold)),
        filled=alarm.evaluation_periods - len(used),
    )


def decide(seen: Sequence[bool | None], periods: int, needed: int, missing: MissingData) -> AlarmValue | None:
    """The state that follows from which periods breach, oldest first; None for the state that is."""
    found = [each for each in seen if each is not None]
    used = found[-periods:]
    lacking = periods - len(used)
    if sum(used) >= needed:
        return AlarmValue.ALARM
    if lacking == 0 or missing is MissingData.NOT_BREACHING:
        return AlarmValue.OK
    if missing is MissingData.BREACHING:
        return AlarmValue.ALARM if sum(used) + lacking >= needed else AlarmValue.OK
    if not found:
        return AlarmValue.INSUFFICIENT_DATA if missing is MissingData.MISSING else None
    if not all(found):
        return AlarmValue.OK
    # Only breaching points, and fewer than are needed.
    if missing is MissingData.IGNORE:
        return None
    # One that is as old as it takes for an alarm would have been followed by others, were there any.
    old_enough = any(seen[-periods : len(seen) - needed + 1])
    return AlarmValue.ALARM if old_enough else AlarmValue.OK


def least_samples(extended_statistic: str) -> float:
    """How many values a percentile must be of to mean anything; 0 for any other statistic."""
    if not extended_statistic.startswith("p") or not extended_statistic[1:].replace(".", "", 1).isdigit():
        return 0
    rank = float(extended_statistic[1:])
    tail = min(rank, 100 - rank)  # p10 is as hard to tell as p90
    return 1000 / tail if tail > 0 else 0
