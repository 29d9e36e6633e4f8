"""Counting requests: a few attribute increments each, and one logarithm per latency.

Whose counter a request touches is decided when its stage is compiled: each side of a stage has a meter, and so has each
method with metricsEnabled. A request touches one, the finest; what the coarser come to is added up at the flush.
A meter that was touched puts itself on the list that the flush reads, so an idle one costs nothing and one whose
snapshot is gone is read to its last request.
"""

import time
from collections.abc import Callable, Iterable
from math import log

from msgspec.structs import replace

from headgate.dataplane.sessions import SessionCounter, SessionTables, StickyHeader
from headgate.model.call import Call
from headgate.model.histogram import OFFSET, SCALE, Buckets
from headgate.model.metric import Point
from headgate.model.observation import Interval, Observation, SessionMemories, SessionMemory, SessionObservation


class Meter:
    """The requests of one side of a stage, or of one method there."""

    __slots__ = (
        "_client_errors", "_count", "_integration", "_integration_max", "_integration_min", "_integration_sum",
        "_latency", "_latency_max", "_latency_min", "_latency_sum", "_server_errors", "_touched", "interval",
        "is_canary", "is_routed", "method", "resource", "throttles",
    )  # fmt: skip

    _latency_max: float
    _latency_min: float
    _integration_max: float
    _integration_min: float

    def __init__(
        self,
        touched: "list[Meter]",
        interval: Interval,
        *,
        is_canary: bool,
        is_routed: bool = False,
        resource: str = "",
        method: str = "",
    ) -> None:
        self._touched = touched
        self.interval = interval
        self.is_canary = is_canary
        self.is_routed = is_routed
        self.resource = resource
        self.method = method
        self._clear()

    def __repr__(self) -> str:
        side = "canary" if self.is_canary else "base"
        return f"<Meter {self.interval.stage_name} {side} {self.method} {self.resource}, {self._count} requests>"

    def of_method(self, resource: str, method: str) -> "Meter":
        """The meter of one method of this side."""
        return Meter(
            self._touched,
            self.interval,
            is_canary=self.is_canary,
            is_routed=self.is_routed,
            resource=resource,
            method=method,
        )

    def record(
        self,
        status: int,
        latency_s: float,
        integration_s: float,
        call: Call | None = None,  # noqa: ARG002  a meter of sessions looks whose it was
    ) -> None:
        """Count one answered request; `integration_s` is negative where it did not get to its integration."""
        if self._count == 0:
            self._touched.append(self)
        self._count += 1
        if status >= 400:
            if status < 500:
                self._client_errors += 1
            else:
                self._server_errors += 1
        latency = latency_s * 1000.0
        self._latency_sum += latency
        # Comparisons, for `min` and `max` are calls: each takes as long as the rest of these lines.
        if latency > self._latency_max:
            self._latency_max = latency
        if latency < self._latency_min:
            self._latency_min = latency
        # `bucket_of`, without the call.
        bucket = int(log(latency) * SCALE + OFFSET) if latency > 0.0 else 0
        buckets = self._latency
        buckets[bucket] = buckets.get(bucket, 0) + 1
        if integration_s >= 0.0:
            latency = integration_s * 1000.0
            self._integration_sum += latency
            if latency > self._integration_max:
                self._integration_max = latency
            if latency < self._integration_min:
                self._integration_min = latency
            bucket = int(log(latency) * SCALE + OFFSET) if latency > 0.0 else 0
            buckets = self._integration
            buckets[bucket] = buckets.get(bucket, 0) + 1

    def take(self) -> Observation:
        """What was counted since the last time; the counters begin anew."""
        integrated = sum(self._integration.values())
        observation = Observation(
            interval=self.interval,
            is_canary=self.is_canary,
            is_routed=self.is_routed,
            resource=self.resource,
            method=self.method,
            count=self._count,
            client_errors=self._client_errors,
            server_errors=self._server_errors,
            throttles=self.throttles,
            latency=Point(self._count, self._latency_sum, self._latency_min, self._latency_max, self._latency),
            integration_latency=Point(
                integrated, self._integration_sum, self._integration_min, self._integration_max, self._integration
            )
            if integrated
            else None,
        )
        self._clear()
        return observation

    def _clear(self) -> None:
        self._count = self._client_errors = self._server_errors = self.throttles = 0
        self._latency_sum = 0.0
        self._integration_sum = 0.0
        self._latency_max = self._integration_max = float("-inf")
        self._latency_min = self._integration_min = float("inf")
        self._latency: Buckets = {}
        self._integration: Buckets = {}


class SessionMeter(Meter):
    """The requests of one side of a sticky stage, or of one method there; their sessions with them."""

    __slots__ = ("_counter", "_sticky")

    def __init__(
        self,
        touched: "list[Meter]",
        interval: Interval,
        sticky: StickyHeader,
        counter: SessionCounter,
        *,
        is_canary: bool,
        resource: str = "",
        method: str = "",
    ) -> None:
        super().__init__(touched, interval, is_canary=is_canary, resource=resource, method=method)
        self._sticky = sticky
        self._counter = counter

    def of_method(self, resource: str, method: str) -> Meter:
        return SessionMeter(
            self._touched,
            self.interval,
            self._sticky,
            self._counter,
            is_canary=self.is_canary,
            resource=resource,
            method=method,
        )

    def record(self, status: int, latency_s: float, integration_s: float, call: Call | None = None) -> None:
        super().record(status, latency_s, integration_s)
        bucket = None if call is None else self._sticky.bucket(call)
        if bucket is not None:
            self._counter.record(bucket, status, latency_s * 1000.0)


class Meters:
    """Makes the meters of compiled stages, and reads those that were touched."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._touched: list[Meter] = []
        self._sessions = SessionTables()
        self._intervals: dict[tuple[str, str], Interval] = {}

    def __repr__(self) -> str:
        return f"<Meters {len(self._touched)} touched>"

    def interval(
        self,
        account_id: str,
        region: str,
        api_id: str,
        api_name: str,
        stage_name: str,
        deployment_id: str,
        canary: tuple[str, float] | None,
        steering: tuple[str, ...] = (),
    ) -> Interval:
        """The interval of a stage as it is compiled: the last one goes on where nothing changed that it is cut at."""
        new = Interval(
            account_id=account_id,
            region=region,
            api_id=api_id,
            api_name=api_name,
            stage_name=stage_name,
            deployment_id=deployment_id,
            canary_deployment_id=None if canary is None else canary[0],
            canary_percent=0.0 if canary is None else canary[1],
            began_ms=int(self._clock() * 1000),
            steering=steering,
        )
        last = self._intervals.get((api_id, stage_name))
        if last is not None:
            if last.goes_on(new):
                return last
            if last.began_ms >= new.began_ms:  # two changes in a millisecond, or a clock set back: still two intervals
                new = replace(new, began_ms=last.began_ms + 1)
        self._intervals[api_id, stage_name] = new
        return new

    def side(self, interval: Interval, *, is_canary: bool, is_routed: bool = False) -> Meter:
        return Meter(self._touched, interval, is_canary=is_canary, is_routed=is_routed)

    def sticky_side(self, interval: Interval, sticky: StickyHeader, *, is_canary: bool) -> Meter:
        """The meter of a side to which callers stick: it counts requests and their sessions."""
        counter = self._sessions.counter(interval, sticky)
        return SessionMeter(self._touched, interval, sticky, counter, is_canary=is_canary)

    def drop_stage(self, api_id: str, stage_name: str) -> None:
        """A stage of this name that comes later begins its own interval."""
        self._intervals.pop((api_id, stage_name), None)

    def take(self) -> list[Observation]:
        """What was counted since the last time. Runs on the event loop, as `record` does."""
        observations = [meter.take() for meter in self._touched]
        self._touched.clear()  # the list itself stays: the meters hold it
        return observations

    def take_sessions(self) -> list[SessionObservation]:
        """What was counted of sessions since the last time."""
        return self._sessions.take()

    def remember_sessions(self, memories: Iterable[SessionMemory]) -> None:
        """What was known of sessions before the start; given before any stage is compiled."""
        self._sessions.remember(memories)

    def take_session_memories(self) -> SessionMemories:
        """What is known of sessions by what `take_sessions` has given, as far as it is to be written."""
        return self._sessions.take_memories()
