"""Periods and the time ranges asked for (aws-semantics 8.3)."""

from typing import Final

from headgate.control.cloudwatch.errors import bad_combination, invalid
from headgate.telemetry.retention import DAY_S, HOUR_S

_SHORT: Final = frozenset({1, 5, 10, 20, 30})


def check_period(where: str, period: int) -> int:
    """Seconds: 1, 5, 10, 20, 30 or a multiple of 60, up to a day. Raises ApiError."""
    if period not in _SHORT and (period <= 0 or period % 60 or period > DAY_S):
        raise invalid(
            f"The value {period} for parameter {where} is invalid: a period must be 1, 5, 10, 20, 30 or a multiple of "
            f"60, up to {DAY_S}."
        )
    return period


def check_range(start: float, end: float) -> None:
    if start >= end:
        raise bad_combination("The parameter StartTime must be less than the parameter EndTime.")


def rounded_start(start: float, period: int, now: float) -> int:
    """The start, rounded down as its age and a short period have it: to a minute, 5 minutes, or an hour."""
    age = now - start
    if age < 15 * DAY_S:
        step = period if period < 60 and age < 3 * HOUR_S else 60
    else:
        step = 300 if age < 63 * DAY_S else HOUR_S
    return int(start) // step * step
