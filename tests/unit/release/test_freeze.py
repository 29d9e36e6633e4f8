from datetime import UTC, datetime

import pytest

from headgate.model.release import Freeze
from headgate.release.freeze import frozen

_WEEKEND = Freeze(from_="fri 16:00", to="mon 08:00")
_HOLIDAYS = Freeze(from_="2026-12-24T00:00", to="2027-01-02T08:00")
_ZONED = Freeze(from_="2026-12-24T00:00+02:00", to="2026-12-25T00:00+02:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "expected"),
    [
        (_WEEKEND, at("2026-11-27T15:59"), False),  # a Friday
        (_WEEKEND, at("2026-11-27T16:00"), True),
        (_WEEKEND, at("2026-11-29T12:00"), True),
        (_WEEKEND, at("2026-11-30T07:59"), True),
        (_WEEKEND, at("2026-11-30T08:00"), False),
        (_HOLIDAYS, at("2026-12-23T23:59"), False),
        (_HOLIDAYS, at("2026-12-24T00:00"), True),
        (_HOLIDAYS, at("2027-01-02T08:00"), False),
        (_ZONED, at("2026-12-23T22:00"), True),
        (_ZONED, at("2026-12-24T22:00"), False),
    ],
)
def test_a_window_holds_from_its_beginning_up_to_its_end(window: Freeze, now: datetime, expected: bool) -> None:
    assert (frozen([window], now) is window) is expected
