"""Which execution environment takes a call, which call waits, and when one more environment is worth starting.

The most recently idle environment is taken: its caches are warm, and those that are not needed grow old and end.

Starting environments has a price, above all on few cores, and a short queue is often gone sooner than a process has
started. So the first one is started at once, and after that one more for each call that has waited for longer than
`GROW_AFTER_S`; never more at a time than there are already (1, 2, 4, 8, ...), so that a burst of short calls, which
a few environments can take, does not start as many as there are calls. Where all cores are taken (`cores.py`) another
environment would only take time from those there are, so then a call has to wait for `GROW_ANYWAY_S`: calls that hang
hold nobody else up for longer than that. At the bound of environments calls wait their turn, first come, first
served, up to a bound and a deadline; then they are refused. (Lambda refuses at once; its bound is a thousand, not ten.)
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import Final, Generic, Protocol, TypeVar

from headgate.functions.errors import Throttled

GROW_AFTER_S: Final = 0.005
GROW_ANYWAY_S: Final = 0.25


class Waiter(Protocol):
    """A call that waits. All times are of one monotonic clock, in seconds."""

    queued_at: float
    deadline: float  # after which it is refused; all calls of a pool wait equally long
    gives_up_at: float  # after which its caller wants it no more; inf where that never is so


Environment = TypeVar("Environment")
Call = TypeVar("Call", bound=Waiter)


class Pool(Generic[Environment, Call]):
    """The environments of one function version and the calls that wait for one. It decides; the caller acts."""

    __slots__ = (
        "_first_give_up", "_idle", "_max_waiting", "_waiting", "max_environments", "size", "starting",
    )  # fmt: skip

    def __init__(self, max_environments: int, max_waiting: int) -> None:
        self.max_environments = max_environments
        self._max_waiting = max_waiting
        self._idle: list[tuple[Environment, float]] = []  # with the time it became so; the newest last
        self._waiting: deque[Call] = deque()
        self._first_give_up = inf  # no caller that waits gives up before
        self.size = 0  # starting, idle and busy
        self.starting = 0

    def __repr__(self) -> str:
        return (
            f"<{self.size} of {self.max_environments} environments: {self.starting} starting, "
            f"{len(self._idle)} idle; {len(self._waiting)} calls waiting>"
        )

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def next_deadline(self) -> float | None:
        """When to look for calls that must be refused, or are given up. None when no call waits."""
        if not self._waiting:
            return None
        # All wait equally long, so the first in is the first out.
        return min(self._waiting[0].deadline, self._first_give_up)

    @property
    def longest_idle_since(self) -> float | None:
        """Since when the environment that is idle longest is so; None when none is."""
        return self._idle[0][1] if self._idle else None

    def place(self, call: Call) -> Environment | None:
        """The environment that takes the call; None when it waits. Raises Throttled."""
        if self._idle:
            return self._idle.pop()[0]
        if len(self._waiting) >= self._max_waiting:
            raise Throttled(f"{len(self._waiting)} calls are waiting, which is as many as may")
        self._waiting.append(call)
        if call.gives_up_at < self._first_give_up:
            self._first_give_up = call.gives_up_at
        return None

    def withdraw(self, call: Call) -> None:
        """The call is given up. No effect on one that waits no longer."""
        if call in self._waiting:
            self._waiting.remove(call)

    def started(self) -> None:
        """One more environment is being started."""
        self.size += 1
        self.starting += 1

    def ready(self) -> None:
        """One that was starting has started; `free` follows."""
        self.starting -= 1

    def free(self, environment: Environment, now: float) -> Call | None:
        """An environment can take a call: the one it takes, or None, with which it is idle."""
        if self._waiting:
            return self._waiting.popleft()
        self._idle.append((environment, now))
        return None

    def removed(self, environment: Environment, *, was_starting: bool) -> None:
        """An environment is gone."""
        self.size -= 1
        self.starting -= was_starting
        self._idle = [entry for entry in self._idle if entry[0] is not environment]

    def to_start(self, now: float, room: int, after_s: float = GROW_AFTER_S) -> int:
        """How many environments to start now, for calls that have waited for so long.

        `room` is how many the server has room for.
        """
        if not self._waiting:
            return 0
        if self.size == 0:
            wanted = 1
        else:
            first = islice(self._waiting, self.max_environments)
            overdue = sum(1 for call in first if now - call.queued_at >= after_s)
            wanted = min(overdue, self.size) - self.starting
        return max(0, min(wanted, self.max_environments - self.size, room))

    def take_expired(self, now: float) -> list[Call]:
        """The calls that have waited too long. They wait no longer.

        None while the first environments start: how long that may take is bounded by itself.
        """
        expired: list[Call] = []
        if self.size and self.size == self.starting:
            return expired
        while self._waiting and self._waiting[0].deadline <= now:
            expired.append(self._waiting.popleft())
        return expired

    def take_given_up(self, now: float) -> list[Call]:
        """The calls whose callers have given up by now. They wait no longer."""
        if now < self._first_give_up:
            return []
        given_up = [call for call in self._waiting if call.gives_up_at <= now]
        for call in given_up:
            self._waiting.remove(call)
        self._first_give_up = min((call.gives_up_at for call in self._waiting), default=inf)
        return given_up

    def take_all_waiting(self) -> list[Call]:
        """All calls that wait. They wait no longer."""
        calls = list(self._waiting)
        self._waiting.clear()
        return calls

    def take_first_waiting(self) -> Call | None:
        """The call that has waited longest. It waits no longer."""
        return self._waiting.popleft() if self._waiting else None

    def idle_since(self, before: float) -> Iterable[Environment]:
        """The environments that have been idle since before a time, the longest first."""
        return [environment for environment, since in self._idle if since <= before]
