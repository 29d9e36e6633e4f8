"""Which event is delivered next, and when to look again. It decides; `event_queue` acts.

Each function has a lane, with its events in the order in which they are due. Functions take turns, and each has at most
so many of its events delivered at a time: one with a long queue, or whose calls are throttled, holds up no other. A
lane whose call was throttled waits, twice as long each time; one call that was not throttled ends that.
"""

from collections.abc import Hashable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final

FIRST_HOLD_S: Final = 1.0
MAX_HOLD_S: Final = 300.0  # both as Lambda documents them for throttled events


class _Lane:
    __slots__ = ("entry", "held_until", "key", "last_taken_at", "ready_at", "running", "throttles", "waiting")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.waiting: list[tuple[float, int, str]] = []  # a heap: due at, number, event id
        self.running = 0
        self.held_until = -inf
        self.throttles = 0  # in a row
        self.last_taken_at = -inf
        self.ready_at = inf  # of its valid entry among the ready lanes; inf when it has none
        self.entry = 0  # number of that entry: any other is out of date


class EventLanes:
    """Times are in seconds, of one clock."""

    def __init__(self, parallel: int, parallel_per_function: int, first_hold_s: float = FIRST_HOLD_S) -> None:
        self._parallel = parallel
        self._per_function = parallel_per_function
        self._first_hold_s = first_hold_s
        self._lanes: dict[Hashable, _Lane] = {}
        self._ready: list[tuple[float, int, _Lane]] = []  # a heap; holds entries that are out of date, too
        self._numbers = count(1)
        self.running = 0

    def __repr__(self) -> str:
        waiting = sum(len(lane.waiting) for lane in self._lanes.values())
        return f"<EventLanes {waiting} events of {len(self._lanes)} functions, {self.running} being delivered>"

    def add(self, key: Hashable, event_id: str, due_at: float) -> None:
        """An event that is to be delivered, not before its time."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        heappush(lane.waiting, (due_at, next(self._numbers), event_id))
        self._enter(lane)

    def take(self, now: float) -> tuple[Hashable, str] | None:
        """The function and id of the event to deliver now; `finished` follows. None when there is none, or no room."""
        if self.running >= self._parallel:
            return None
        self._drop_outdated()
        if not self._ready or self._ready[0][0] > now:
            return None
        lane = heappop(self._ready)[2]
        lane.ready_at = inf
        lane.last_taken_at = now
        lane.running += 1
        self.running += 1
        event_id = heappop(lane.waiting)[2]
        self._enter(lane)
        return lane.key, event_id

    def finished(self, key: Hashable, now: float, *, throttled: bool) -> None:
        """A delivery has ended. An event that is to be delivered again was added before."""
        lane = self._lanes[key]
        lane.running -= 1
        self.running -= 1
        if throttled:
            lane.held_until = now + min(self._first_hold_s * 2**lane.throttles, MAX_HOLD_S)
            lane.throttles = min(lane.throttles + 1, 16)
        else:
            lane.held_until, lane.throttles = -inf, 0
        lane.ready_at = inf  # what was entered before the hold is out of date
        self._enter(lane)
        if not lane.waiting and not lane.running:
            del self._lanes[key]

    def next_at(self) -> float | None:
        """When `take` may next give something by itself; None when only `add` or `finished` can change that."""
        if self.running >= self._parallel:
            return None
        self._drop_outdated()
        return self._ready[0][0] if self._ready else None

    def _enter(self, lane: _Lane) -> None:
        """See to it that the lane stands among the ready ones at its time."""
        if not lane.waiting or lane.running >= self._per_function:
            return
        # Not before its last turn: of lanes with overdue events the one that waited longest for its turn comes first.
        ready_at = max(lane.waiting[0][0], lane.held_until, lane.last_taken_at)
        if ready_at < lane.ready_at:
            lane.ready_at = ready_at
            lane.entry = next(self._numbers)
            heappush(self._ready, (ready_at, lane.entry, lane))

    def _drop_outdated(self) -> None:
        while self._ready:
            _, entry, lane = self._ready[0]
            if entry == lane.entry and lane.ready_at != inf:
                return
            heappop(self._ready)
