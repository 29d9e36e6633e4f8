"""One origin's connections: those idle, those being opened, and the calls that wait for one."""

import asyncio
import ssl
from collections import deque
from operator import attrgetter
from typing import Final, Protocol

import msgspec

from headgate.dataplane.ports import BackendTimeout, BackendUnreachable, Origin
from headgate.server.http_client_connection import BackendConnection


class PoolLimits(msgspec.Struct, frozen=True):
    """Bounds on the connections of one origin."""

    connections: int = 512  # open or being opened; a call beyond it waits for one, until its own deadline
    idle: int = 256  # kept for the next call; a connection beyond it is closed
    idle_s: float = 60.0  # how long one is kept, give or take a quarter
    connect_timeout_s: float = 10.0  # DNS, TCP and TLS; the call's own timeout may end its wait earlier
    head_bytes: int = 65_536  # of an answer
    body_bytes: int = 10_485_760  # of an answer, unchunked; API Gateway's payload quota


class Expiring(Protocol):
    """Something that must not last beyond `deadline`, in the loop's time."""

    @property
    def deadline(self) -> float: ...

    def expire(self) -> None: ...


class Deadlines:
    """One timer for all calls. A timer for each would cost a tenth of the call; nearly all end before their deadline.

    The timer is set for the earliest deadline known when it was set. An earlier one sets it anew; a call that ends
    leaves it alone, so it may fire for nothing, and then looks at all that are left.
    """

    def __init__(self) -> None:
        self._waiting: set[Expiring] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = float("inf")
        self.discard = self._waiting.discard

    def add(self, call: Expiring) -> None:
        self._waiting.add(call)
        if call.deadline < self._due:
            self._set(call.deadline)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = float("inf")

    def expire(self, now: float) -> None:
        """End what is overdue at `now`, in the order of the deadlines."""
        for call in sorted((call for call in self._waiting if call.deadline <= now), key=attrgetter("deadline")):
            self._waiting.discard(call)
            call.expire()
        self.stop()
        if self._waiting:
            self._set(min(call.deadline for call in self._waiting))

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(due, lambda: self.expire(loop.time()))


class OriginPool:
    """Connections to one origin. `idle` is taken from the end: the most recently used is the likeliest to be alive."""

    def __init__(self, origin: Origin, limits: PoolLimits, tls: ssl.SSLContext | None, deadlines: Deadlines) -> None:
        self._origin = origin
        self._limits = limits
        self._tls = tls
        self._deadlines = deadlines
        self._waiters: deque[_Waiter] = deque()
        self._openings: set[asyncio.Task[None]] = set()
        self._sweeps = 0
        self.idle: list[BackendConnection] = []
        self.connections: set[BackendConnection] = set()

    def __repr__(self) -> str:
        origin = self._origin
        return (
            f"<OriginPool {origin.scheme}://{origin.host}:{origin.port} {len(self.connections)} open, "
            f"{len(self.idle)} idle, {len(self._openings)} opening, {len(self._waiters)} waiting>"
        )

    @property
    def unused(self) -> bool:
        return not (self.connections or self._openings or self._waiters)

    async def wait(self, deadline: float) -> BackendConnection:
        """A connection as soon as one is free or opened. Raises BackendTimeout or BackendUnreachable."""
        waiter = _Waiter(asyncio.get_running_loop().create_future(), deadline)
        self._waiters.append(waiter)
        self._deadlines.add(waiter)
        self._open_more()
        try:
            return await waiter.future
        except (asyncio.CancelledError, GeneratorExit):
            future = waiter.future
            if future.done() and not future.cancelled() and future.exception() is None and future.result().alive:
                self.released(future.result())  # it came too late for this call
            raise
        finally:
            self._deadlines.discard(waiter)
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def released(self, connection: BackendConnection) -> None:
        """Give a connection that is free to who has waited longest, or keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.future.done():
                waiter.future.set_result(connection)
                return
        if len(self.idle) < self._limits.idle:
            connection.idle_since = self._sweeps
            self.idle.append(connection)
        else:
            connection.abort()

    def lost(self, connection: BackendConnection) -> None:
        self.connections.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self._open_more()

    def sweep(self) -> None:
        """Close what has been idle since before the last SWEEPS_PER_IDLE_TIME sweeps."""
        self._sweeps += 1
        for connection in [c for c in self.idle if c.idle_since <= self._sweeps - SWEEPS_PER_IDLE_TIME]:
            connection.abort()

    def close_idle(self) -> None:
        for connection in self.idle.copy():
            connection.abort()

    def close(self) -> None:
        """Close everything; calls that wait fail with BackendUnreachable."""
        for opening in self._openings:
            opening.cancel()
        while self._waiters:
            self._waiters.popleft().fail(BackendUnreachable("the gateway is shutting down"))
        for connection in self.connections.copy():
            connection.abort()

    def _open_more(self) -> None:
        """One opening for each that waits, within the limit."""
        while len(self._openings) < len(self._waiters):
            if len(self.connections) + len(self._openings) >= self._limits.connections:
                return
            opening = asyncio.get_running_loop().create_task(self._open())
            self._openings.add(opening)
            opening.add_done_callback(self._opened)

    async def _open(self) -> None:
        origin = self._origin
        limits = self._limits
        try:
            async with asyncio.timeout(limits.connect_timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: BackendConnection(self, limits.head_bytes, limits.body_bytes),
                    origin.host,
                    origin.port,
                    ssl=self._tls,
                    server_hostname=origin.host if self._tls is not None else None,
                )
        except TimeoutError:
            self._fail_one(f"no connection within {limits.connect_timeout_s:g} s")
        except (OSError, ValueError) as error:  # refused, DNS, TLS; a host name that cannot be one
            self._fail_one(str(error))
        else:
            if connection.alive:
                self.connections.add(connection)
                self.released(connection)
            else:
                self._fail_one("the connection was closed as soon as it was made")

    def _opened(self, opening: asyncio.Task[None]) -> None:
        self._openings.discard(opening)
        if not opening.cancelled():
            self._open_more()

    def _fail_one(self, reason: str) -> None:
        origin = self._origin
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.future.done():
                waiter.fail(BackendUnreachable(f"{origin.scheme}://{origin.host}:{origin.port}: {reason}"))
                return


class _Waiter:
    """A call that waits for a connection."""

    __slots__ = ("deadline", "future")

    def __init__(self, future: asyncio.Future[BackendConnection], deadline: float) -> None:
        self.future = future
        self.deadline = deadline

    def expire(self) -> None:
        self.fail(BackendTimeout("no connection to the backend was free in time"))

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


SWEEPS_PER_IDLE_TIME: Final = 4
