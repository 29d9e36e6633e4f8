"""Whether this machine's cores are taken: one more environment would then take their time from those that work."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Final

# Of one core, used by the server: from here on calls wait for the server as much as for environments.
_SATURATED: Final = 0.85
_SHORTEST_LOOK_S: Final = 0.004
_LONGEST_LOOK_S: Final = 0.1  # over a longer time the share says what was, not what is


class Cores:
    """Looked at while calls wait, so that it costs nothing else."""

    def __init__(
        self,
        count: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        used_s: Callable[[], float] = time.process_time,
    ) -> None:
        """`count` is how many cores this process may run on; `used_s` gives the processor time that it has used."""
        self._count = count or len(os.sched_getaffinity(0))
        self._clock = clock
        self._used_s = used_s
        self._looked_at = 0.0
        self._used_then_s = 0.0
        self._share = 0.0  # of one core, that the server used between the last two looks

    def __repr__(self) -> str:
        return f"<Cores {self._count}, the server took {self._share:.2f} of one>"

    def taken(self, at_work: Iterable[bool]) -> bool:
        """Whether there is no core for another environment; `at_work` says of those there are who wants one now."""
        share = self._server_share()
        return share >= _SATURATED or share + sum(at_work) >= self._count

    def _server_share(self) -> float:
        now = self._clock()
        passed_s = now - self._looked_at
        if passed_s >= _SHORTEST_LOOK_S:
            used_s = self._used_s()
            self._share = (used_s - self._used_then_s) / passed_s if passed_s <= _LONGEST_LOOK_S else 0.0
            self._looked_at, self._used_then_s = now, used_s
        return self._share
