"""How long points are kept and how coarse they become, and which of them answer a question (aws-semantics 8.3)."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S

KEPT_S: Final[Mapping[int, int]] = {1: 3 * HOUR_S, 60: 15 * DAY_S, 300: 63 * DAY_S, HOUR_S: 455 * DAY_S}
"""By resolution in seconds, finest first: how many seconds its points are kept. Each divides the next."""

OLDEST_TAKEN_S: Final = 14 * DAY_S  # in the past, of a point that is put
NEWEST_TAKEN_S: Final = 2 * HOUR_S  # in the future

LEVELS: Final = tuple(KEPT_S)
FINER: Final[Mapping[int, int]] = dict(zip(LEVELS[1:], LEVELS, strict=False))  # what a level is rolled up from
LATE_S: Final = 2  # after its end a stretch is rolled up: the flush of its last second has come by then


class Segment(NamedTuple):
    """A stretch of time, end exclusive, that the points of one level answer for."""

    level: int
    start: int
    end: int


def oldest_kept(level: int, now: float) -> int:
    """Where a level begins: older points are gone. A whole minute at the finest level, as minutes are made of it."""
    step = max(level, 60)
    return int(now - KEPT_S[level]) // step * step


def written_level(at: int, now: float) -> int:
    """The level that a point of this second is written to: what is older than seconds are kept becomes minutes."""
    return next((level for level in LEVELS if at >= oldest_kept(level, now)), LEVELS[-1])


def segments(start: int, end: int, period: int, rolled: Mapping[int, int], now: float) -> Iterator[Segment]:
    """The coarsest levels that can tell periods that begin at `start`, and finer ones where they must be.

    `rolled` says up to when each level is complete. Where nothing as fine as the period is kept any more, what is
    coarser stands in.
    """
    at = start
    while at < end:
        level, until = _coarsest(at, start, end, period, rolled, now)
        yield Segment(level, at, until)
        at = until


def _coarsest(at: int, start: int, end: int, period: int, rolled: Mapping[int, int], now: float) -> tuple[int, int]:
    """The level that answers from `at` on, and up to where."""
    finest = written_level(at, now)
    for level in reversed(LEVELS):
        if level == 1 or level < finest:
            break
        if period % level == 0 and start % level == 0 and at % level == 0:
            whole = (min(end, rolled[level]) - at) // level * level
            if whole > 0:
                return level, at + whole
    if finest == 1 or rolled[finest] <= at:
        return 1, end
    # Coarser than the period, up to where something finer begins.
    begins = oldest_kept(FINER[finest], now)
    return finest, min(end, -(-begins // finest) * finest) if begins > at else end
