"""AWS/Lambda: Invocations, Errors, Throttles, Duration and ConcurrentExecutions.

By FunctionName; by FunctionName and Resource (the function, or `function:alias`, as it was called); for an alias also
by ExecutedVersion; and without dimensions, over all functions of an account in a region. A meter stands for one way to
call one version; all that it costs a call is a look-up and a few increments.
"""

import time
from collections.abc import Callable
from typing import Final

from headgate.model.arn import FunctionRef
from headgate.model.function import LATEST
from headgate.model.histogram import Buckets, bucket_of
from headgate.model.metric import Dimensions, MetricKey, Point, Sample, add_to, point_of, share_point

NAMESPACE: Final = "AWS/Lambda"
_QUIET_FLUSHES: Final = 3600  # after so many without a call a meter is forgotten: an hour, longer than any call takes


class Concurrency:
    """How many calls run now, and how often a call found so many when it began, itself included."""

    __slots__ = ("found", "now")

    def __init__(self) -> None:
        self.now = 0
        self.found: dict[int, int] = {}

    def take(self) -> Point:
        """What was found since the last time."""
        found, self.found = self.found, {}
        seen = _nothing()
        for running, count in found.items():
            seen.add(point_of(running, count))
        return seen


class FunctionMeter:
    """The calls of one version by one qualifier."""

    __slots__ = (
        "_account", "_buckets", "_clock", "_function", "duration", "errors", "invocations", "quiet_flushes", "ref",
        "throttles", "touched", "version",
    )  # fmt: skip

    def __init__(
        self,
        ref: FunctionRef,
        version: str,
        function: Concurrency,
        account: Concurrency,
        clock: Callable[[], float],
    ) -> None:
        self.ref = ref
        self.version = version
        self._function = function
        self._account = account
        self._clock = clock
        self.clear()

    def begin(self) -> float:
        """A call begins; what this gives is for `end`. `end` or `leave` must follow."""
        function, account = self._function, self._account
        running = function.now = function.now + 1
        found = function.found
        found[running] = found.get(running, 0) + 1
        running = account.now = account.now + 1
        found = account.found
        found[running] = found.get(running, 0) + 1
        return self._clock()

    def leave(self) -> None:
        """A call that began was refused after all, or given up before it ran: no invocation."""
        self._function.now -= 1
        self._account.now -= 1
        self.touched = True

    def end(self, began: float, *, failed: bool) -> None:
        """A call that began has ended."""
        self._function.now -= 1
        self._account.now -= 1
        self.touched = True
        self.invocations += 1
        if failed:
            self.errors += 1
        duration_ms = (self._clock() - began) * 1000.0
        point = self.duration
        point.count += 1
        point.sum += duration_ms
        if duration_ms < point.min:
            point.min = duration_ms
        if duration_ms > point.max:
            point.max = duration_ms
        bucket = bucket_of(duration_ms)
        buckets = self._buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def refuse(self) -> None:
        """Count a call that was refused before it could wait for anything."""
        self.throttles += 1
        self.touched = True

    def clear(self) -> None:
        self.invocations = self.errors = self.throttles = 0
        self._buckets: Buckets = {}
        self.duration = Point(0, 0.0, float("inf"), float("-inf"), self._buckets)
        self.touched = False
        self.quiet_flushes = 0


class FunctionMeters:
    """A meter for each way that functions are called, and were within the hour."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._meters: dict[tuple[FunctionRef, str], FunctionMeter] = {}
        self._functions: dict[FunctionRef, Concurrency] = {}
        self._accounts: dict[tuple[str, str], Concurrency] = {}

    def __repr__(self) -> str:
        return f"<FunctionMeters {len(self._meters)} ways to call {len(self._functions)} functions>"

    def of(self, ref: FunctionRef, version: str) -> FunctionMeter:
        """The meter of calls that name `ref` and run `version`."""
        meter = self._meters.get((ref, version))
        if meter is None:
            function = self._functions.setdefault(ref.unqualified, Concurrency())
            account = self._accounts.setdefault((ref.account_id, ref.region), Concurrency())
            meter = self._meters[ref, version] = FunctionMeter(ref, version, function, account, self._clock)
        return meter

    def take(self) -> "list[Seen]":
        """What was counted since the last time. Runs on the event loop, as the counting does."""
        seen: list[Seen] = []
        for (ref, version), meter in self._meters.items():
            if meter.touched:
                seen.append(Seen(ref, version, meter.invocations, meter.errors, meter.throttles, meter.duration))
                meter.clear()
            else:
                meter.quiet_flushes += 1
        for ref, concurrency in self._functions.items():
            if concurrency.found:
                seen.append(Seen(ref, "", 0, 0, 0, _nothing(), concurrency.take()))
        for (account_id, region), concurrency in self._accounts.items():
            if concurrency.found:
                everything = FunctionRef(account_id=account_id, region=region, name="")
                seen.append(Seen(everything, "", 0, 0, 0, _nothing(), concurrency.take()))
        if any(meter.quiet_flushes >= _QUIET_FLUSHES for meter in self._meters.values()):
            self._forget_quiet()
        return seen

    def _forget_quiet(self) -> None:
        self._meters = {key: each for key, each in self._meters.items() if each.quiet_flushes < _QUIET_FLUSHES}
        known = {ref.unqualified for ref, _ in self._meters}
        self._functions = {ref: each for ref, each in self._functions.items() if ref in known or each.now}


class Seen:
    """What one meter, or one count of concurrency, was read at."""

    __slots__ = ("concurrency", "duration", "errors", "invocations", "ref", "throttles", "version")

    def __init__(
        self,
        ref: FunctionRef,
        version: str,
        invocations: int,
        errors: int,
        throttles: int,
        duration: Point,
        concurrency: Point | None = None,
    ) -> None:
        self.ref = ref
        self.version = version
        self.invocations = invocations
        self.errors = errors
        self.throttles = throttles
        self.duration = duration
        self.concurrency = concurrency


def samples_of(all_seen: list[Seen], at: int) -> list[Sample]:
    """The points of one flush, stamped with the second `at`."""
    totals: dict[MetricKey, Point] = {}
    for seen in all_seen:
        if seen.concurrency is not None:
            dimensions: Dimensions = (("FunctionName", seen.ref.name),) if seen.ref.name else ()
            add_to(totals, function_key(seen.ref, "ConcurrentExecutions", dimensions, "Count"), seen.concurrency)
            continue
        calls = seen.invocations
        points = [
            ("Invocations", "Count", share_point(calls, calls)),
            ("Errors", "Count", share_point(calls, seen.errors)),
        ]
        asked = calls + seen.throttles
        points.append(("Throttles", "Count", share_point(asked, seen.throttles)))
        points.append(("Duration", "Milliseconds", seen.duration))
        sets = dimension_sets(seen.ref)
        if seen.ref.qualifier and seen.ref.qualifier != LATEST and not seen.ref.qualifier.isdigit():  # an alias
            sets.append((("ExecutedVersion", seen.version), *sets[-1]))
        for dimensions in sets:
            for name, unit, point in points:
                if point.count:
                    add_to(totals, function_key(seen.ref, name, dimensions, unit), point)
    return [Sample(key=key, at=at, point=point) for key, point in totals.items()]


def dimension_sets(ref: FunctionRef) -> list[Dimensions]:
    """All functions of the account in the region; the function; the function as it was called."""
    function = ("FunctionName", ref.name)
    resource = ("Resource", f"{ref.name}:{ref.qualifier}" if ref.qualifier else ref.name)
    return [(), (function,), (function, resource)]


def function_key(ref: FunctionRef, name: str, dimensions: Dimensions, unit: str) -> MetricKey:
    return MetricKey(
        account_id=ref.account_id, region=ref.region, namespace=NAMESPACE, name=name, dimensions=dimensions, unit=unit
    )


def _nothing() -> Point:
    return Point(0, 0.0, float("inf"), float("-inf"), {})
