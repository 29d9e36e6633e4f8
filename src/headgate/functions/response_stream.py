"""A response on its way from an execution environment to whoever called, piece by piece, while the function makes it.

    reader of the Runtime API --begin, put--> ResponseStream --next--> the caller's connection

What a slow caller has not taken is bounded: from FULL_BYTES on the environment's connection is not read, so that the
function waits in its own write. A caller that leaves does not stop the function, as on Lambda: its pieces are read and
dropped from then on.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from headgate.model.call import BrokenOff
from headgate.model.invocation import FunctionError, Outcome

FULL_BYTES: Final = 256 * 1024


class ResponseStream:
    """One call's response. `await begun` tells whether it comes in pieces, or is whole in `outcome`."""

    __slots__ = ("_abandoned", "_held", "_on_room", "_waiter", "begun", "content_type", "held_bytes", "outcome")

    def __init__(self) -> None:
        self.begun: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self.content_type = ""  # of the pieces; "" where there are none
        self.outcome: Outcome | None = None  # how the call ended; its payload is empty where it came in pieces
        self._held: list[bytes] = []
        self.held_bytes = 0  # not taken yet
        self._waiter: asyncio.Future[None] | None = None  # of a `next`
        self._on_room: Callable[[], None] | None = None
        self._abandoned = False

    def __repr__(self) -> str:
        state = "not begun" if not self.begun.done() else "open" if self.outcome is None else "ended"
        return f"<ResponseStream {state}, {self.held_bytes} bytes held>"

    # What the environment's side tells.

    def begin(self, content_type: str) -> None:
        """The response comes in pieces. No effect on one that has begun."""
        if not self.begun.done():
            self.content_type = content_type or "application/octet-stream"
            self.begun.set_result(None)

    def put(self, piece: bytes) -> None:
        """One more piece."""
        if self._abandoned or not piece:
            return
        self._held.append(piece)
        self.held_bytes += len(piece)
        self._wake()

    @property
    def full(self) -> bool:
        """Whether the environment's side should wait; `when_room` says until when."""
        return self.held_bytes >= FULL_BYTES

    def when_room(self, resume: Callable[[], None]) -> None:
        """Call this once when there is room again."""
        self._on_room = resume

    def end(self, outcome: Outcome) -> None:
        """The call is over."""
        self.outcome = outcome
        if not self.begun.done():
            self.begun.set_result(None)
        self._wake()

    def refuse(self, error: Exception) -> None:
        """There will be no outcome: `begun` raises this, and where pieces have come already, `next` BrokenOff."""
        if not self.begun.done():
            self.begun.set_exception(error)
        else:
            self.end(Outcome(payload=b"", error=FunctionError.UNHANDLED))

    # What the caller's side asks; see `model.call.Pieces`.

    async def next(self) -> bytes:
        """All that has come since the last time; b"" at the end. Raises BrokenOff where the function failed."""
        while not self._held:
            if self._abandoned:
                return b""
            if self.outcome is not None:
                if self.outcome.error is not None:
                    raise BrokenOff
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        pieces = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._let_go()
        return pieces

    def abandon(self) -> None:
        """Nobody reads any more."""
        self._abandoned = True
        self._let_go()
        self._wake()

    def _let_go(self) -> None:
        self._held.clear()
        self.held_bytes = 0
        resume, self._on_room = self._on_room, None
        if resume is not None:
            resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
