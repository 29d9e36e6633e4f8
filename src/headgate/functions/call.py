"""A call on its way: waiting for an environment, or running in one."""

import asyncio
from math import inf

import msgspec

from headgate.functions.response_stream import ResponseStream
from headgate.model.invocation import Invocation, Outcome


class PendingCall(msgspec.Struct, eq=False):
    """One call and the future that its caller awaits. Times are of `time.monotonic`."""

    invocation: Invocation
    future: asyncio.Future[Outcome]
    queued_at: float
    deadline: float  # of waiting, not of running
    gives_up_at: float = inf  # the caller, whether it waits or runs
    stream: ResponseStream | None = None
    """Takes a response that is made piece by piece; without it the pieces are put together."""
    late: asyncio.Future[Outcome | None] | None = None
    """Of a call that runs on though its caller has gone: its outcome, for whoever counts calls. None: it never ran."""

    def resolve(self, outcome: Outcome) -> None:
        """Give the caller its outcome, if it still waits for one."""
        if not self.future.done():
            self.future.set_result(outcome)
        elif self.late is not None and not self.late.done():
            self.late.set_result(outcome)

    def refuse(self, error: Exception) -> None:
        """Give the caller an error, if it still waits."""
        if not self.future.done():
            self.future.set_exception(error)
        elif self.late is not None and not self.late.done():
            self.late.set_result(None)
