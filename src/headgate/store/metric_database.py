"""Metric series on SQLite, in a file of their own: points at 1 s, rolled up to 1 min, 5 min and 1 h.

Everything here runs on one thread, and tells time by what it is given. A level's row is made anew from the rows of the
finer one, so rolling up twice does no harm and a crash in between costs nothing. What a crash can cost is what was not
written yet: the last second (synchronous = NORMAL in WAL mode loses nothing of what the kernel has).
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from headgate.model.histogram import bucket_of
from headgate.model.metric import Dimensions, MetricKey, Point, Sample, merged
from headgate.model.observation import SessionMemories
from headgate.store import session_memories
from headgate.telemetry.database_file import transaction
from headgate.telemetry.distribution import decode, encode
from headgate.telemetry.retention import FINER, LATE_S, LEVELS, oldest_kept, segments, written_level

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x4847544D  # "HGTM"
_NO_MEMORIES: Final = SessionMemories()
_UNKNOWN: Final = b""  # a distribution that is not known; NULL is that of a single value

# By time first: points come in the order of time, so pages are filled to their end, and a stretch is rolled up or
# deleted as one range. One metric is read by looking each of its times up.
_SCHEMA: Final = "".join(
    f"CREATE TABLE point_{level} (metric INTEGER, at INTEGER, count REAL, sum REAL, min REAL, max REAL, "
    "distribution BLOB, PRIMARY KEY (at, metric)) WITHOUT ROWID;\n"
    for level in LEVELS
)
_METRICS: Final = (
    "CREATE TABLE metric (id INTEGER PRIMARY KEY, account TEXT, region TEXT, namespace TEXT, name TEXT, "
    "dimensions TEXT, unit TEXT, last_at INTEGER);\n"
    "CREATE TABLE rolled (level INTEGER PRIMARY KEY, until INTEGER);\n"
)


class NewerDatabase(Exception):
    """The file was written by a newer Headgate."""


class Known:
    """A metric that has points, and the time of its last."""

    __slots__ = ("id", "key", "last_at", "moved")

    def __init__(self, id: int, key: MetricKey, last_at: int) -> None:  # noqa: A002  the column's name
        self.id = id
        self.key = key
        self.last_at = last_at
        self.moved = False  # whether the stored last_at is behind

    def __repr__(self) -> str:
        return f"<metric {self.id} {self.key.namespace} {self.key.name}, last at {self.last_at}>"


class MetricDatabase:
    """The points of all metrics. Times are seconds since the epoch."""

    def __init__(self, path: Path | str, now: float) -> None:
        """Raises NewerDatabase, or sqlite3.DatabaseError for what is no database."""
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        try:
            self._open(int(now))
        except BaseException:
            self._connection.close()
            raise

    def __repr__(self) -> str:
        return f"<MetricDatabase {len(self._metrics)} metrics, rolled up to {self._rolled}>"

    def _open(self, now: int) -> None:
        connection = self._connection
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise NewerDatabase(f"schema version {version}; this program reads up to version {SCHEMA_VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{_METRICS}{_SCHEMA}{self._first_rolled(now)}"
                f"PRAGMA user_version = {SCHEMA_VERSION}; "
                f"PRAGMA application_id = {APPLICATION_ID};\nCOMMIT;"
            )
        connection.execute(session_memories.SCHEMA)
        self.remembered = session_memories.load(connection)  # of sessions, when the file was opened
        self._metrics: dict[MetricKey, Known] = {}
        self._of_any_unit: dict[tuple[str, str, str, str, Dimensions], list[Known]] = {}
        self._listed: list[tuple[str, str, str, str, Dimensions]] | None = None  # what is above, sorted when asked for
        self._new: list[Known] = []  # of the transaction at work
        for number, account, region, namespace, name, dimensions, unit, last_at in connection.execute(
            "SELECT * FROM metric"
        ):
            key = MetricKey(
                account_id=account,
                region=region,
                namespace=namespace,
                name=name,
                dimensions=tuple((each[0], each[1]) for each in json.loads(dimensions)),
                unit=unit,
            )
            self._learn(Known(number, key, last_at))
        self._rolled: dict[int, int] = dict(connection.execute("SELECT level, until FROM rolled").fetchall())

    def close(self) -> None:
        self._connection.close()

    # Writing.

    def write(self, samples: Iterable[Sample], now: float, sessions: SessionMemories = _NO_MEMORIES) -> None:
        """Add points, merged with those that a second has already, and keep what is known of the sessions that they
        count; all of it or, at a crash, nothing."""
        self._new = []
        try:
            self._write(samples, now, sessions)
        except BaseException:
            for known in self._new:  # their rows were undone
                self._forget(known)
            raise

    def _write(self, samples: Iterable[Sample], now: float, sessions: SessionMemories) -> None:
        with transaction(self._connection):
            session_memories.save(self._connection, sessions, now)
            late: set[tuple[int, int, int]] = set()
            for sample in samples:
                level = written_level(sample.at, now)
                at = sample.at // level * level
                known = self._known(sample.key, at)
                self._add(level, known.id, at, sample.point)
                # Coarser rows that are made already have to be made anew.
                for coarser in LEVELS[LEVELS.index(level) + 1 :]:
                    if at // coarser * coarser + coarser <= self._rolled[coarser]:
                        late.add((coarser, known.id, at // coarser * coarser))
            for level in FINER:
                for _, metric, at in sorted(each for each in late if each[0] == level):
                    self._roll_one(level, metric, at, at + level)

    def roll(self, now: float) -> None:
        """Make the coarser points of what is past. Call it after each writing; it is cheap when there is nothing."""
        for level, finer in FINER.items():
            until = int(now - LATE_S) // level * level
            if finer != 1:
                until = min(until, self._rolled[finer] // level * level)
            since = self._rolled[level]
            if until <= since:
                continue
            with transaction(self._connection):
                self._roll(level, since, until)
                if level == 60:
                    self._save_last_at()
                self._connection.execute("INSERT OR REPLACE INTO rolled VALUES (?, ?)", (level, until))
            self._rolled[level] = until

    def expire(self, now: float) -> None:
        """Delete what is older than it is kept, and metrics of which nothing is left."""
        with transaction(self._connection):
            for level in LEVELS:
                before = oldest_kept(level, now)
                self._connection.execute(f"DELETE FROM point_{level} WHERE at < ?", (before,))
            session_memories.drop_before(self._connection, oldest_kept(LEVELS[-1], now))
            gone = [known for known in self._metrics.values() if known.last_at < oldest_kept(LEVELS[-1], now)]
            self._connection.executemany("DELETE FROM metric WHERE id = ?", [(known.id,) for known in gone])
        for known in gone:
            self._forget(known)

    def clear(self) -> None:
        """Forget every metric."""
        with transaction(self._connection):
            for table in ("metric", *(f"point_{level}" for level in LEVELS)):
                self._connection.execute(f"DELETE FROM {table}")
            session_memories.drop_all(self._connection)
        for known in list(self._metrics.values()):
            self._forget(known)

    # Reading.

    def find(self, wanted: Callable[[MetricKey], bool]) -> list[Known]:
        """The metrics that have points and are wanted."""
        return [known for key, known in self._metrics.items() if wanted(key)]

    def listed(self) -> Sequence[tuple[str, str, str, str, Dimensions]]:
        """Account, region, namespace, name and dimensions of all metrics that have points, in their order."""
        if self._listed is None:
            self._listed = sorted(self._of_any_unit)
        return self._listed

    def had_point_since(self, metric: tuple[str, str, str, str, Dimensions], since: float) -> bool:
        """Whether one of `listed` has a point as new as that, in any unit."""
        return any(known.last_at >= since for known in self._of_any_unit[metric])

    def of_any_unit(self, key: MetricKey) -> list[Known]:
        """The metrics with points that are this one but for their unit."""
        return list(self._of_any_unit.get(_without_unit(key), ()))

    def last_at(self, now: float) -> int | None:
        """When the last point was that is kept to the second; None where there is none. Some are put for the future."""
        row = self._connection.execute("SELECT max(at) FROM point_1 WHERE at <= ?", (int(now),)).fetchone()
        last: int | None = row[0]
        return last

    def points(self, key: MetricKey, start: int, end: int, period: int, now: float) -> dict[int, Point]:
        """The points of each period from `start` to before `end`, by its beginning. An empty period has none."""
        known = self._metrics.get(key)
        if known is None or known.last_at < start - max(period, LEVELS[-1]):
            return {}
        found: dict[int, list[Point]] = {}
        for segment in segments(start, end, period, self._rolled, now):
            rows = self._rows(segment.level, known.id, segment.start, segment.end)
            for at, *row in rows:
                found.setdefault(start + (at - start) // period * period, []).append(_point(*row))
        # A row is nobody else's: alone it need not be copied.
        return {
            at: total
            for at, points in found.items()
            if (total := points[0] if len(points) == 1 else merged(points)) is not None
        }

    # Below: what these are made of.

    def _learn(self, known: Known) -> None:
        self._metrics[known.key] = known
        self._of_any_unit.setdefault(_without_unit(known.key), []).append(known)
        self._listed = None

    def _forget(self, known: Known) -> None:
        del self._metrics[known.key]
        others = self._of_any_unit[_without_unit(known.key)]
        others.remove(known)
        if not others:
            del self._of_any_unit[_without_unit(known.key)]
            self._listed = None

    def _known(self, key: MetricKey, at: int) -> Known:
        known = self._metrics.get(key)
        if known is None:
            cursor = self._connection.execute(
                "INSERT INTO metric VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                (key.account_id, key.region, key.namespace, key.name, json.dumps(key.dimensions), key.unit, at),
            )
            assert cursor.lastrowid is not None
            known = Known(cursor.lastrowid, key, at)
            self._learn(known)
            self._new.append(known)
        elif at > known.last_at:
            known.last_at = at
            known.moved = True
        return known

    def _save_last_at(self) -> None:
        moved = [known for known in self._metrics.values() if known.moved]
        self._connection.executemany(
            "UPDATE metric SET last_at = ? WHERE id = ?", [(known.last_at, known.id) for known in moved]
        )
        for known in moved:
            known.moved = False

    def _add(self, level: int, metric: int, at: int, point: Point) -> None:
        added = self._connection.execute(
            f"INSERT OR IGNORE INTO point_{level} VALUES (?, ?, ?, ?, ?, ?, ?)", (metric, at, *_row(point))
        ).rowcount
        if not added:
            row = self._connection.execute(
                f"SELECT count, sum, min, max, distribution FROM point_{level} WHERE metric = ? AND at = ?",
                (metric, at),
            ).fetchone()
            total = _point(*row)
            total.add(point)
            self._put(level, metric, at, total)

    def _put(self, level: int, metric: int, at: int, point: Point) -> None:
        self._connection.execute(
            f"INSERT OR REPLACE INTO point_{level} VALUES (?, ?, ?, ?, ?, ?, ?)", (metric, at, *_row(point))
        )

    def _rows(self, level: int, metric: int, start: int, end: int) -> Iterator[tuple[Any, ...]]:
        """One metric's rows, in order of time: each time there may be is looked up."""
        return self._connection.execute(
            "WITH RECURSIVE moment(at) AS "
            f"(VALUES (?) UNION ALL SELECT at + {level} FROM moment WHERE at + {level} < ?) "
            "SELECT at, count, sum, min, max, distribution "
            f"FROM moment CROSS JOIN point_{level} USING (at) WHERE metric = ?",
            (start // level * level, end, metric),
        )

    def _roll(self, level: int, since: int, until: int) -> None:
        """Make the rows of all metrics for these stretches."""
        rows = self._connection.execute(
            f"SELECT metric, at, count, sum, min, max, distribution FROM point_{FINER[level]} "
            "WHERE at >= ? AND at < ? ORDER BY at",
            (since, until),
        )
        totals: dict[tuple[int, int], Point] = {}
        for metric, at, *row in rows:
            _add_to(totals, (at // level * level, metric), _point(*row))
        for (at, metric), total in sorted(totals.items(), key=_by_key):
            self._put(level, metric, at, total)

    def _roll_one(self, level: int, metric: int, since: int, until: int) -> None:
        total = merged(_point(*row) for _, *row in self._rows(FINER[level], metric, since, until))
        if total is not None:
            self._put(level, metric, since, total)

    @staticmethod
    def _first_rolled(now: int) -> str:
        """A new file is rolled up to its beginning. It must be stored: after a crash the rest is made from there."""
        return "".join(f"INSERT INTO rolled VALUES ({level}, {now // level * level});\n" for level in FINER)


def _without_unit(key: MetricKey) -> tuple[str, str, str, str, Dimensions]:
    return key.account_id, key.region, key.namespace, key.name, key.dimensions


def _add_to(totals: dict[tuple[int, int], Point], key: tuple[int, int], point: Point) -> None:
    total = totals.get(key)
    if total is None:
        totals[key] = point
    else:
        total.add(point)


def _by_key(item: tuple[tuple[int, int], Point]) -> tuple[int, int]:
    return item[0]


def _row(point: Point) -> tuple[float, float, float, float, bytes | None]:
    distribution = None
    if point.min != point.max or point.count != int(point.count):
        distribution = _UNKNOWN if point.buckets is None else encode(point.buckets)
    return point.count, point.sum, point.min, point.max, distribution


def _point(count: float, total: float, least: float, most: float, distribution: bytes | None) -> Point:
    buckets = (
        {bucket_of(least): int(count)}
        if distribution is None
        else None
        if distribution == _UNKNOWN
        else decode(distribution)
    )
    return Point(count, total, least, most, buckets)
