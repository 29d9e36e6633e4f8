"""A call on its way: waiting for an environment, or running in one."""

import asyncio
from collections.abc import Callable

from headgate.model.invocation import Invocation, Outcome


class PendingCall:
    """One call and the future that its caller awaits. Times are of `time.monotonic`."""

    __slots__ = ("deadline", "future", "invocation", "on_piece", "queued_at")

    def __init__(
        self, invocation: Invocation, future: asyncio.Future[Outcome], queued_at: float, wait_s: float
    ) -> None:
        self.invocation = invocation
        self.future = future
        self.queued_at = queued_at
        self.deadline = queued_at + wait_s  # of waiting, not of running
        self.on_piece: Callable[[bytes], None] | None = None  # is given a streamed response while it is made

    def resolve(self, outcome: Outcome) -> None:
        """Give the caller its outcome, if it still waits for one."""
        if not self.future.done():
            self.future.set_result(outcome)

    def refuse(self, error: Exception) -> None:
        """Give the caller an error, if it still waits."""
        if not self.future.done():
            self.future.set_exception(error)
