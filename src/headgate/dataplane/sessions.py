"""Sticky sides: the same caller comes to the same side, and is then the unit of the statistics (releases.md, 3.2).

A caller is known by a header or a cookie. Its value, salted by the canary's deployment id, is hashed into one of 65,536
buckets, and the canary side are the lowest of them, by its percentage: whoever is there stays while the weight rises. A
bucket is a *session*: what the chance of the hash puts on a side, and so what may be counted as independent. Requests
of one caller fail together, so requests are no such unit.

What is counted, by side and stretch of time with a constant weight:

- `at_risk`: the side's buckets that have not failed in this release when the stretch begins, active or not;
- `failed`: those of them that fail in it for the first time, that is, have an answer of 500 or above;
- `active`: how many of those at risk come, added up over the seconds (the flushes) of the stretch;
- `latency`: of the first request of each session of the release, on the side that answered it, and `first_failed`: how
  many of these failed.

Without a difference between the sides, which callers fail, and when, does not depend on their bucket, and the hash is
uniform. So, whatever happened before, each caller that makes a bucket fail for the first time falls uniformly on the
buckets that have not failed yet: given the margins, the canary's `failed` is hypergeometric with the two `at_risk` as
the sides' sizes. This holds for callers of any habits, for looks of any length, and when the weight rises: a bucket
that moves from the base to the canary is at risk there if it has not failed, and is out if it has. Buckets of nobody do
no harm: they are on both sides in the proportion of the weight. `active` is no such size: a few callers that come every
second and never fail would tilt it to the side that they are on, look by look. It is for shares, where `at_risk` says
nothing. Of the first requests, likewise, the canary's slow and failed ones are hypergeometric with the sides' numbers
of first requests as sizes.

What is known of the buckets is kept over a restart, and written as one with the counts that it goes with: were all at
risk again, a caller that always fails would count once more, on the side where it counted before. A crash loses of the
last second both, so nobody counts twice, and who failed in it counts at the next failure.
"""

import weakref
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from headgate.dataplane import headers
from headgate.model.call import Call
from headgate.model.histogram import bucket_of
from headgate.model.metric import Point
from headgate.model.observation import (
    Interval,
    SessionCounts,
    SessionMemories,
    SessionMemory,
    SessionObservation,
)

BUCKETS: Final = 65_536
_COOKIE: Final = "cookie:"
_NONE: Final = bytes(BUCKETS)


class StickyHeader(msgspec.Struct, frozen=True):
    """What a caller is known by, and the salt of this release."""

    name: bytes  # of the header, in lower case
    cookie: bytes  # the cookie's name; "" where the whole header counts
    salt: bytes

    def bucket(self, call: Call) -> int | None:
        """The session of a request; None for one that does not say whose it is."""
        value = _cookie(call, self.cookie) if self.cookie else headers.first(call.headers, self.name)
        if not value:
            return None
        return int.from_bytes(blake2b(value, digest_size=2, key=self.salt).digest(), "big")

    @property
    def text(self) -> str:
        return b"\n".join((self.name, self.cookie, self.salt)).decode("latin-1")


def sticky_header(setting: str, deployment_id: str) -> StickyHeader:
    """From `name` or `cookie:name`."""
    salt = deployment_id.encode()
    if setting.startswith(_COOKIE):
        return StickyHeader(b"cookie", setting.removeprefix(_COOKIE).encode(), salt)
    return StickyHeader(setting.lower().encode(), b"", salt)


def canary_buckets(percent: float) -> int:
    """How many buckets, from 0 on, are the canary side at a percentage."""
    return round(percent * BUCKETS / 100)


class SessionTable:
    """What is known of each session of one release: three bytes each."""

    __slots__ = ("__weakref__", "active", "failed", "is_changed", "seen")

    def __init__(self, seen: bytes = _NONE, failed: bytes = _NONE) -> None:
        self.active = bytearray(BUCKETS)  # since the last flush
        self.seen = bytearray(seen)
        self.failed = bytearray(failed)
        self.is_changed = False  # what is to be kept, since the last flush

    def __repr__(self) -> str:
        return f"<SessionTable {self.seen.count(1)} seen, {self.failed.count(1)} failed>"


class _Side:
    __slots__ = ("active", "at_risk", "failed", "first_failed", "latency")

    def __init__(self) -> None:
        self.at_risk = 0
        self.failed = 0
        self.active = 0
        self.first_failed = 0
        self.latency: Point | None = None

    def counts(self) -> SessionCounts:
        return SessionCounts(
            at_risk=self.at_risk,
            failed=self.failed,
            active=self.active,
            first_failed=self.first_failed,
            latency=self.latency,
        )


class SessionCounter:
    """Counts the sessions of one interval of a stage, both sides. Touched, it is on the list that the flush reads."""

    __slots__ = ("__weakref__", "_base", "_canary", "_edge", "_interval", "_is_touched", "_table", "_touched")

    def __init__(self, touched: "list[SessionCounter]", interval: Interval, table: SessionTable) -> None:
        self._touched = touched
        self._interval = interval
        self._table = table
        self._edge = canary_buckets(interval.canary_percent)
        self._is_touched = False
        self._base = _Side()
        self._canary = _Side()

    def __repr__(self) -> str:
        return f"<SessionCounter {self._interval.stage_name} {self._table}>"

    def record(self, bucket: int, status: int, latency_ms: float) -> None:
        """Count one answered request of a session."""
        table = self._table
        if not self._is_touched:  # once a flush: the stretch begins
            self._is_touched = True
            self._touched.append(self)
            # Failures are the rarer, so they are what is counted.
            self._canary.at_risk = self._edge - table.failed.count(1, 0, self._edge)
            self._base.at_risk = BUCKETS - self._edge - table.failed.count(1, self._edge)
        side = self._canary if bucket < self._edge else self._base
        if not table.active[bucket]:
            table.active[bucket] = 1
            if not table.failed[bucket]:
                side.active += 1
        if not table.seen[bucket]:
            table.seen[bucket] = 1
            table.is_changed = True
            if status >= 500:
                side.first_failed += 1
            latency = Point(1, latency_ms, latency_ms, latency_ms, {bucket_of(latency_ms): 1})
            if side.latency is None:
                side.latency = latency
            else:
                side.latency.add(latency)
        if status >= 500 and not table.failed[bucket]:
            table.failed[bucket] = 1
            table.is_changed = True
            side.failed += 1

    def take(self) -> SessionObservation:
        """What was counted since the last time."""
        base, canary = self._base.counts(), self._canary.counts()
        self._is_touched = False
        self._base = _Side()
        self._canary = _Side()
        self._table.active[:] = _NONE
        return SessionObservation(interval=self._interval, base=base, canary=canary)


class SessionTables:
    """The tables of the releases that are on.

    One lasts as long as a compiled stage uses it: over changes of weight, and not beyond the canary.
    """

    def __init__(self) -> None:
        self._touched: list[SessionCounter] = []
        self._tables: weakref.WeakValueDictionary[tuple[str, str, str], SessionTable] = weakref.WeakValueDictionary()
        self._remembered: dict[tuple[str, str, str], SessionMemory] = {}  # of before the start, not used yet
        self._kept: set[tuple[str, str, str]] = set()  # what is written
        self._counters: weakref.WeakValueDictionary[tuple[str, str, int], SessionCounter] = (
            weakref.WeakValueDictionary()
        )

    def __repr__(self) -> str:
        return f"<SessionTables {len(self._tables)} releases>"

    def counter(self, interval: Interval, sticky: StickyHeader) -> SessionCounter:
        """The counter of an interval: one, however often its stage is compiled."""
        key = (interval.api_id, interval.stage_name, interval.began_ms)
        counter = self._counters.get(key)
        if counter is None:
            release = (interval.api_id, interval.stage_name, sticky.text)
            table = self._tables.get(release)
            if table is None:
                table = self._tables[release] = self._table_of(release)
            counter = self._counters[key] = SessionCounter(self._touched, interval, table)
        return counter

    def _table_of(self, release: tuple[str, str, str]) -> SessionTable:
        memory = self._remembered.pop(release, None)
        return SessionTable() if memory is None else SessionTable(memory.seen, memory.failed)

    def remember(self, memories: Iterable[SessionMemory]) -> None:
        """What was known before the start; given before any stage is compiled."""
        self._remembered = {each.key: each for each in memories}
        self._kept = set(self._remembered)

    def take_memories(self) -> SessionMemories:
        """What is to be written with the counts of `take`, called right behind it."""
        # `valuerefs` is a list made at once: stages are compiled on another thread.
        tables = [(ref.key, table) for ref in self._tables.valuerefs() if (table := ref()) is not None]
        over = self._kept - {key for key, _ in tables} - self._remembered.keys()
        changed = [(key, table) for key, table in tables if table.is_changed]
        self._kept = (self._kept - over) | {key for key, _ in changed}
        for _, table in changed:
            table.is_changed = False
        return SessionMemories(
            changed=tuple(
                SessionMemory(
                    api_id=api_id,
                    stage_name=stage_name,
                    sticky=sticky,
                    seen=bytes(table.seen),
                    failed=bytes(table.failed),
                )
                for (api_id, stage_name, sticky), table in changed
            ),
            over=tuple(sorted(over)),
        )

    def take(self) -> list[SessionObservation]:
        """What was counted since the last time. Runs on the event loop, as the counting does."""
        observations = [counter.take() for counter in self._touched]
        self._touched.clear()
        return observations


def _cookie(call: Call, name: bytes) -> bytes | None:
    for header, value in call.headers:
        if len(header) == 6 and header.lower() == b"cookie":
            for pair in value.split(b";"):
                found, is_pair, content = pair.strip().partition(b"=")
                if is_pair and found == name:
                    return content
    return None
