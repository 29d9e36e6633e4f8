"""A timer for calls that nearly all end in time: it moves when it goes off, not each time that it is set."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_NEVER: Final = float("inf")
TOLERANCE_S: Final = 0.0005  # event loops round to milliseconds


class Deadline:
    """Calls back once when the time that was set last has come, and not when it was cleared before."""

    __slots__ = ("_at", "_callback", "_timer", "_timer_at")

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._at = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER

    def set(self, at: float) -> None:
        """`at` is of `time.monotonic`: the clock of uvloop stands still while callbacks run."""
        self._at = at
        if self._timer_at > at:
            self._move(at)

    def clear(self) -> None:
        """Not to call back. The timer stays: the next deadline is likely to be later than it."""
        self._at = _NEVER

    def cancel(self) -> None:
        """Not to call back, and to leave no timer."""
        self._at = self._timer_at = _NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _move(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(max(at - time.monotonic(), 0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = _NEVER
        if self._at == _NEVER:
            return
        if time.monotonic() < self._at - TOLERANCE_S:
            self._move(self._at)
        else:
            self._at = _NEVER
            self._callback()
