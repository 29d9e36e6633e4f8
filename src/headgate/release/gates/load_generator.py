"""An open-loop load generator: requests start on a schedule, whatever the answers take.

A generator that waits for an answer before it sends the next request stops measuring while the other side is stuck,
which is when it matters ("coordinated omission", Gil Tene). Here a request's time counts from when it was due, so one
that had to wait, for whatever reason, shows the wait.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import partial
from typing import Final

from headgate.model.histogram import Buckets, bucket_of, value_of
from headgate.model.value import Value
from headgate.release.failures import Unavailable
from headgate.release.gates.connection import Answer, Connection
from headgate.release.gates.exchange import connect, tls_of
from headgate.release.gates.target import Target, request_bytes, target_of

_RANKS: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "most": 100.0}
_TURN_S: Final = 0.001  # between two looks at the schedule, at least: what is due by then starts together


class LoadPlan(Value, frozen=True):
    url: str
    headers: Mapping[str, str]
    rps: float
    seconds: float  # from the first request's start to the last one's
    answer_s: float  # how long an answer is waited for, from when its request was due
    most_at_once: int  # requests in flight; beyond it one that is due is not started


class Spread(Value, frozen=True):
    """Milliseconds, each within 1 %."""

    p50: float
    p90: float
    p99: float
    most: float


class Tally(Value, frozen=True):
    """What came of the requests that were due: each is answered, unanswered, broken or not started."""

    requests: int
    by_class: Mapping[str, int]  # answers by 2XX, 3XX, 4XX, 5XX
    unanswered: int  # waited for in vain
    broken: int  # no connection, or one that ended without an answer
    not_started: int
    latency: Spread  # of those answered, and of those waited for in vain, for as long as it was waited
    late: Spread  # from when a request was due to when this generator came to start it


async def generate(plan: LoadPlan) -> Tally:
    """Raises Refused (no such URL) and Unavailable (nothing listens there)."""
    target = target_of(plan.url)
    request = request_bytes("GET", target, plan.headers)
    context = tls_of(target)
    try:
        async with asyncio.timeout(plan.answer_s):
            first = await connect(target, target.host, Connection(0), context)
    except TimeoutError as error:
        raise Unavailable(f"{target.origin}: no connection within {plan.answer_s:g} s") from error
    # The name is looked up once: a load test is no test of the resolver.
    generator = _Generator(plan, target, request, first.peer, context)
    generator.idle.append(first)
    return await generator.run()


def spread(buckets: Mapping[int, int]) -> Spread:
    return Spread(**{name: _percentile(buckets, rank) for name, rank in _RANKS.items()})


def _percentile(buckets: Mapping[int, int], rank: float) -> float:
    """The least value that `rank` percent of all do not exceed; 0 of none."""
    wanted = rank / 100 * sum(buckets.values())
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= wanted:
            return value_of(bucket)
    return 0.0


class _Request:
    """One that was due, until it is counted."""

    __slots__ = ("connection", "due", "opening", "resent")

    def __init__(self, due: float) -> None:
        self.due = due
        self.connection: Connection | None = None
        self.opening: asyncio.Task[None] | None = None
        self.resent = False


class _Generator:
    def __init__(
        self, plan: LoadPlan, target: Target, request: bytes, address: str, context: ssl.SSLContext | None
    ) -> None:
        self.idle: list[Connection] = []
        self._plan = plan
        self._target = target
        self._request = request
        self._address = address
        self._context = context
        self._pending: dict[_Request, None] = {}  # in the order in which they were due
        self._by_class: dict[str, int] = {}
        self._unanswered = self._broken = self._not_started = 0
        self._latencies_ms: Buckets = {}
        self._late_ms: Buckets = {}

    async def run(self) -> Tally:
        plan = self._plan
        count = max(1, round(plan.rps * plan.seconds))
        start = _now()
        started = 0
        while started < count:
            now = _now()
            while started < count and start + started / plan.rps <= now:
                self._start(start + started / plan.rps)
                started += 1
            self._give_up()
            await asyncio.sleep(max(_TURN_S, start + started / plan.rps - _now()))
        while self._pending:
            await asyncio.sleep(_TURN_S)
            self._give_up()
        for connection in self.idle:
            connection.abort()
        await asyncio.sleep(0)
        return Tally(
            requests=count,
            by_class=self._by_class,
            unanswered=self._unanswered,
            broken=self._broken,
            not_started=self._not_started,
            latency=spread(self._latencies_ms),
            late=spread(self._late_ms),
        )

    def _start(self, due: float) -> None:
        _count(self._late_ms, _now() - due)
        if len(self._pending) >= self._plan.most_at_once:
            self._not_started += 1
            return
        request = _Request(due)
        self._pending[request] = None
        while self.idle:
            connection = self.idle.pop()
            if connection.alive:
                self._send(request, connection)
                return
        self._open(request)

    def _open(self, request: _Request) -> None:
        request.connection = None
        request.opening = asyncio.create_task(self._opened(request))

    async def _opened(self, request: _Request) -> None:
        try:
            connection = await connect(self._target, self._address, Connection(0), self._context)
        except Unavailable:
            if request in self._pending:
                del self._pending[request]
                self._broken += 1
        else:
            if request in self._pending:
                self._send(request, connection)
            else:
                connection.abort()

    def _send(self, request: _Request, connection: Connection) -> None:
        request.connection = connection
        connection.begin(self._request).add_done_callback(partial(self._done, request, connection))

    def _done(self, request: _Request, connection: Connection, answer: "asyncio.Future[Answer]") -> None:
        error = answer.exception()
        if request not in self._pending:
            return  # given up
        if error is not None and connection.exchanges and connection.silent and not request.resent:
            # It was kept from before, and closed by the other side as this was sent (RFC 9112 section 9.3.1).
            request.resent = True
            self._open(request)
            return
        del self._pending[request]
        if error is not None:
            self._broken += 1
            return
        _count(self._latencies_ms, _now() - request.due)
        kind = f"{answer.result().status // 100}XX"
        self._by_class[kind] = self._by_class.get(kind, 0) + 1
        if connection.alive:
            self.idle.append(connection)

    def _give_up(self) -> None:
        now = _now()
        while self._pending:
            request = next(iter(self._pending))
            if now - request.due < self._plan.answer_s:
                return
            del self._pending[request]
            self._unanswered += 1
            _count(self._latencies_ms, now - request.due)
            if request.connection is not None:
                request.connection.abort()
            elif request.opening is not None:
                request.opening.cancel()


def _count(buckets: Buckets, seconds: float) -> None:
    bucket = bucket_of(max(seconds, 0.0) * 1000)
    buckets[bucket] = buckets.get(bucket, 0) + 1


_now: Final = time.monotonic
