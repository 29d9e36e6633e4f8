"""Releases on SQLite, in a file of their own that several processes may have open: the server, and commands beside it.

See `release.journal` for what it keeps. A row is durable (synchronous=FULL) before its number is told.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from headgate.release.events import Command, Event, Started, decode, encode
from headgate.release.journal import CannotStart, Entry, Header, Lease, LeaseLost

DATABASE: Final = "releases.db"
APPLICATION_ID: Final = 0x48475452  # "HGTR"
SCHEMA_VERSION: Final = 2  # 1: targets were a list
MAX_BLOB_BYTES: Final = 50 * 1024 * 1024  # of one function's zip, as Lambda has it
_KEPT_CODE: Final = 20  # releases
_KEPT: Final = 2_000  # releases that have ended, with their journals

_SCHEMA: Final = """
CREATE TABLE release (
    name TEXT PRIMARY KEY, is_open INTEGER NOT NULL, created_at REAL NOT NULL, targets TEXT NOT NULL,
    artefacts TEXT NOT NULL, summary TEXT NOT NULL DEFAULT '{}',
    holder TEXT, token INTEGER NOT NULL DEFAULT 0, expires_at REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE entry (
    name TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE blob (sha256 TEXT PRIMARY KEY, body BLOB NOT NULL);
"""


class StateFileError(Exception):
    """The state file cannot be used; the message is one line."""


class ReleaseStore:
    """See `release.journal.Journals`."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        has_ended: Callable[[str], bool] = lambda _holder: False,
    ) -> None:
        """`has_ended` may know that a holder is no more, so that its lease need not run out. Raises StateFileError."""
        self._path = path
        self._clock = clock
        self._has_ended = has_ended
        self._lock = threading.Lock()  # one connection, several threads
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            self._open()
        except (sqlite3.Error, OSError) as error:
            raise StateFileError(f"cannot use the state file {path}: {error}") from error

    def __repr__(self) -> str:
        return f"<ReleaseStore {self._path}>"

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def create(self, name: str, started: Started, targets: Mapping[str, str], blobs: Sequence[bytes]) -> None:
        for blob in blobs:
            if len(blob) > MAX_BLOB_BYTES:
                raise CannotStart(f"a zip has {len(blob)} bytes; the most is {MAX_BLOB_BYTES}")
        with self._transaction() as connection:
            row = connection.execute("SELECT is_open FROM release WHERE name = ?", (name,)).fetchone()
            if row is not None and (row[0] or started.attempt == 1):
                state = "is on its way" if row[0] else "has been: headgate release retry runs it again"
                raise CannotStart(f"release {name} {state}; another needs another name")
            _refuse_conflicts(connection, targets)
            connection.executemany(
                "INSERT OR IGNORE INTO blob VALUES (?, ?)", [(hashlib.sha256(each).hexdigest(), each) for each in blobs]
            )
            connection.execute(
                "INSERT INTO release (name, is_open, created_at, targets, artefacts) VALUES (?1, 1, ?2, ?3, ?4) "
                "ON CONFLICT (name) DO UPDATE SET is_open = 1, targets = ?3",
                (name, started.at, _json(targets), _json(sorted(started.artefacts.values()))),
            )
            _append(connection, name, started)

    def headers(self) -> list[Header]:
        with self._transaction(writes=False) as connection:
            rows = connection.execute(
                "SELECT name, is_open, created_at, summary, targets FROM release ORDER BY created_at DESC, name"
            ).fetchall()
        return [
            Header(
                name=name,
                is_open=bool(is_open),
                created_at=at,
                summary=msgspec.json.decode(summary),
                targets=tuple(_targets(targets)),
            )
            for name, is_open, at, summary, targets in rows
        ]

    def entries(self, name: str, after: int = 0) -> list[Entry]:
        with self._transaction(writes=False) as connection:
            rows = connection.execute(
                "SELECT number, body FROM entry WHERE name = ? AND number > ? ORDER BY number", (name, after)
            ).fetchall()
        return [Entry(number, decode(body)) for number, body in rows]

    def append(
        self,
        name: str,
        event: Event,
        lease: Lease | None = None,
        summary: dict[str, object] | None = None,
        after: int | None = None,
    ) -> int | None:
        with self._transaction() as connection:
            if lease is not None:
                _check(connection, lease)
            if after is not None and _last_number(connection, name) != after:
                return None
            if summary is not None:
                connection.execute("UPDATE release SET summary = ? WHERE name = ?", (_json(summary), name))
            return _append(connection, name, event)

    def tell(self, name: str, command: Command, after: int) -> bool:
        with self._transaction() as connection:
            if _last_number(connection, name) != after:
                return False
            row = connection.execute("SELECT is_open, targets FROM release WHERE name = ?", (name,)).fetchone()
            if row is not None and not row[0]:
                _refuse_conflicts(connection, _targets(row[1]))
            connection.execute("UPDATE release SET is_open = 1 WHERE name = ?", (name,))
            _append(connection, name, command)
            return True

    def close_release(self, name: str, lease: Lease, number: int) -> bool:
        with self._transaction() as connection:
            _check(connection, lease)
            if _last_number(connection, name) != number:
                return False
            connection.execute("UPDATE release SET is_open = 0 WHERE name = ?", (name,))
            _drop_old(connection)
            return True

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        now = self._clock()
        with self._transaction() as connection:
            row = connection.execute("SELECT holder, token, expires_at FROM release WHERE name = ?", (name,)).fetchone()
            if row is None or (row[0] is not None and now < row[2] and not self._has_ended(row[0])):
                return None
            connection.execute(
                "UPDATE release SET holder = ?, token = ?, expires_at = ? WHERE name = ?",
                (holder, row[1] + 1, now + seconds, name),
            )
        return Lease(name=name, holder=holder, token=row[1] + 1, expires_at=now + seconds)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        until = self._clock() + seconds
        with self._transaction() as connection:
            _check(connection, lease)
            connection.execute("UPDATE release SET expires_at = ? WHERE name = ?", (until, lease.name))
        return Lease(name=lease.name, holder=lease.holder, token=lease.token, expires_at=until)

    def check(self, lease: Lease) -> None:
        with self._transaction(writes=False) as connection:
            _check(connection, lease)

    def release(self, lease: Lease) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE release SET holder = NULL WHERE name = ? AND token = ?", (lease.name, lease.token)
            )

    def blob(self, sha256: str) -> bytes | None:
        with self._transaction(writes=False) as connection:
            row = connection.execute("SELECT body FROM blob WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else bytes(row[0])

    def _open(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._transaction() as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application not in {0, APPLICATION_ID} or version > SCHEMA_VERSION:
                raise StateFileError(f"{self._path} is no state file of releases, or a newer Headgate's")
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            if version < SCHEMA_VERSION:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _transaction(self, *, writes: bool = True) -> Iterator[sqlite3.Connection]:
        with self._lock:
            # Immediate: a reader that became a writer half-way could be refused by another process's write.
            self._connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _drop_old(connection: sqlite3.Connection) -> None:
    """The oldest journals go. Code is kept for another attempt of an open release, or of one of the newest."""
    connection.execute(
        "DELETE FROM release WHERE NOT is_open AND name NOT IN "
        "(SELECT name FROM release WHERE NOT is_open ORDER BY created_at DESC LIMIT ?)",
        (_KEPT,),
    )
    connection.execute("DELETE FROM entry WHERE name NOT IN (SELECT name FROM release)")
    connection.execute(
        "DELETE FROM blob WHERE sha256 NOT IN (SELECT each.value FROM release, json_each(release.artefacts) AS each "
        "WHERE is_open OR name IN (SELECT name FROM release ORDER BY created_at DESC LIMIT ?))",
        (_KEPT_CODE,),
    )


def _targets(written: str) -> dict[str, str]:
    """By what they are, with what the release's file calls them; of before version 2 only that is known."""
    found = msgspec.json.decode(written, type=dict[str, str] | list[str])
    return found if isinstance(found, dict) else {each: each for each in found}


def _refuse_conflicts(connection: sqlite3.Connection, targets: Mapping[str, str]) -> None:
    """Raises CannotStart where an open release moves one of these."""
    for other, its in connection.execute("SELECT name, targets FROM release WHERE is_open"):
        moved = _targets(its).keys()
        both = sorted(called for target, called in targets.items() if not moved.isdisjoint({target, called}))
        if both:
            raise CannotStart(f"release {other} is on its way and moves {both[0]} too; let it end first")


def _last_number(connection: sqlite3.Connection, name: str) -> int:
    number: int = connection.execute("SELECT coalesce(max(number), 0) FROM entry WHERE name = ?", (name,)).fetchone()[0]
    return number


def _append(connection: sqlite3.Connection, name: str, event: Event) -> int:
    number = _last_number(connection, name) + 1
    connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (name, number, encode(event)))
    return number


def _check(connection: sqlite3.Connection, lease: Lease) -> None:
    row = connection.execute("SELECT holder, token FROM release WHERE name = ?", (lease.name,)).fetchone()
    if row is None or row != (lease.holder, lease.token):
        raise LeaseLost(f"release {lease.name} is driven by {row[0] if row and row[0] else 'nobody'} now")
