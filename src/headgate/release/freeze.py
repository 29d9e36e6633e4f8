"""Freeze windows: times in which no weight is raised. All times are UTC."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from headgate.model.release import Freeze

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY: Final = re.compile(rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)")
_WEEK_MINUTES: Final = 7 * 24 * 60
FORM: Final = '2026-12-24T00:00, or a time of each week such as "fri 16:00"; both are UTC'


def frozen(windows: Sequence[Freeze], now: datetime) -> Freeze | None:
    """The window that `now` is in; its end is no part of it."""
    return next((each for each in windows if _is_in(each, now)), None)


def problem(window: Freeze) -> str | None:
    """What is wrong with a window's times, in words."""
    kinds = []
    for name, text in (("from", window.from_), ("to", window.to)):
        if _WEEKLY.fullmatch(text):
            kinds.append("weekly")
            continue
        try:
            _date(text)
        except ValueError:
            return f"{name} is {text!r}; write {FORM}"
        kinds.append("dated")
    if kinds[0] != kinds[1]:
        return "from and to must both be dates, or both be times of each week"
    if kinds[0] == "dated" and _date(window.from_) >= _date(window.to):
        return f"from {window.from_} is not before to {window.to}"
    return None


def _is_in(window: Freeze, now: datetime) -> bool:
    if _WEEKLY.fullmatch(window.from_):
        begin, end = _minute(window.from_), _minute(window.to)
        at = (now.weekday() * 24 + now.hour) * 60 + now.minute
        # A window may reach over the end of the week.
        return (at - begin) % _WEEK_MINUTES < (end - begin) % _WEEK_MINUTES
    return _date(window.from_) <= now < _date(window.to)


def _minute(text: str) -> int:
    """A time of each week as minutes since Monday 00:00."""
    found = _WEEKLY.fullmatch(text)
    assert found is not None
    return (_DAYS.index(found[1]) * 24 + int(found[2])) * 60 + int(found[3])


def _date(text: str) -> datetime:
    """Raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
