"""A call on its way: waiting for an environment, or running in one."""

import asyncio
from math import inf

from headgate.functions.response_stream import ResponseStream
from headgate.model.invocation import Invocation, Outcome


class PendingCall:
    """One call and the future that its caller awaits. Times are of `time.monotonic`."""

    __slots__ = ("deadline", "future", "gives_up_at", "invocation", "queued_at", "stream")

    def __init__(
        self,
        invocation: Invocation,
        future: asyncio.Future[Outcome],
        queued_at: float,
        wait_s: float,
        gives_up_at: float = inf,
        stream: ResponseStream | None = None,
    ) -> None:
        self.invocation = invocation
        self.future = future
        self.queued_at = queued_at
        self.deadline = queued_at + wait_s  # of waiting, not of running
        self.gives_up_at = gives_up_at  # the caller, whether it waits or runs
        self.stream = stream  # takes a response that is made piece by piece; without it the pieces are put together

    def resolve(self, outcome: Outcome) -> None:
        """Give the caller its outcome, if it still waits for one."""
        if not self.future.done():
            self.future.set_result(outcome)

    def refuse(self, error: Exception) -> None:
        """Give the caller an error, if it still waits."""
        if not self.future.done():
            self.future.set_exception(error)
