"""The store on SQLite: one thread that writes, one that reads, and a feed of what changed.

A write is one transaction, made durable (synchronous=FULL, so also against a power cut) before it is answered.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from headgate.model.arn import parse_function_arn
from headgate.model.event import EventHead, FunctionEvent
from headgate.model.value import Value
from headgate.store.alarm_journal import AlarmJournal
from headgate.store.migrate import migrate
from headgate.store.sealing import Plain, Sealing
from headgate.store.transaction import KINDS, Change, Prepare, Transaction, V

T = TypeVar("T")

FEED_LENGTH: Final = 100_000  # rows of the feed that are kept
_EVENTS: Final = msgspec.json.Decoder(FunctionEvent)


class SqliteStore:
    """Runs transactions for the event loop. Made and closed on the loop's thread."""

    def __init__(self, database: Path, prepare: Prepare, *, durable: bool = True) -> None:
        self.sealing: Sealing = Plain()  # what documents are kept with, from the next transaction on
        self._loop = asyncio.get_running_loop()
        self._prepare = prepare
        self._writer = _Worker("store-writer", lambda: _open(database, durable=durable))
        self._writer.call(migrate)
        self._reader = _Worker("store-reader", lambda: _open(database, durable=durable))
        self.revision: int = self._reader.call(_revision)

    def __repr__(self) -> str:
        return f"<SqliteStore revision {self.revision}>"

    async def write(self, act: Callable[[Transaction], T]) -> T:
        """Run `act` in a transaction. When this returns, its changes are durable and published.

        What `act` raises undoes the transaction and is raised here.
        """
        answer: asyncio.Future[T] = self._loop.create_future()

        def job(connection: sqlite3.Connection) -> None:
            try:
                with _transaction(connection, self.sealing, writes=True) as transaction:
                    result = act(transaction)
                    publish = self._prepare(transaction, transaction.changes) if transaction.changes else None
            except BaseException as error:
                self._loop.call_soon_threadsafe(_fail, answer, error)
            else:
                revision = transaction.revision if transaction.changes else 0
                self._loop.call_soon_threadsafe(self._committed, answer, result, revision, publish)

        self._writer.post(job)
        return await answer

    async def read(self, act: Callable[[Transaction], T]) -> T:
        """Run `act` on what is committed now. It must not write."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def job(connection: sqlite3.Connection) -> None:
            try:
                with _transaction(connection, self.sealing, writes=False) as transaction:
                    result = act(transaction)
            except BaseException as error:
                self._loop.call_soon_threadsafe(_fail, answer, error)
            else:
                self._loop.call_soon_threadsafe(_resolve, answer, result)

        self._reader.post(job)
        return await answer

    def close(self) -> None:
        """Finish what was posted and close the database."""
        self._reader.stop()
        self._writer.stop()

    def _committed(
        self, answer: asyncio.Future[T], result: T, revision: int, publish: Callable[[], None] | None
    ) -> None:
        self.revision = max(self.revision, revision)
        try:
            if publish is not None:
                publish()
        except Exception as error:  # a defect: what is durable is not served; the writer must hear of it
            _fail(answer, error)
        else:
            _resolve(answer, result)


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection, sealing: Sealing, revision: int) -> None:
        self._connection = connection
        self._sealing = sealing
        self.revision = revision  # of the documents that this transaction writes
        self.changes: list[Change] = []
        self.alarms = AlarmJournal(connection)

    def get(self, kind: type[V], *key: str) -> V | None:
        row = self._connection.execute(
            "SELECT body FROM document WHERE kind = ? AND key = ?", (KINDS[kind], _key(key))
        ).fetchone()
        if row is None:
            return None
        value: V = self._sealing.unseal(msgspec.json.decode(row[0], type=kind), _key(key))
        return value

    def list(self, kind: type[V], *prefix: str) -> list[V]:
        rows = self._connection.execute(
            "SELECT key, body FROM document WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
            (KINDS[kind], *_key_range(prefix)),
        )
        decoder = msgspec.json.Decoder(kind)
        unseal = self._sealing.unseal
        return [unseal(decoder.decode(body), key) for key, body in rows]

    def put(self, value: Value, *key: str) -> None:
        kind = type(value)
        self._connection.execute(
            "INSERT INTO document VALUES (?1, ?2, ?3, ?4) "
            "ON CONFLICT (kind, key) DO UPDATE SET revision = ?3, body = ?4",
            (KINDS[kind], _key(key), self.revision, msgspec.json.encode(self._sealing.seal(value, _key(key)))),
        )
        self._changed(kind, key)

    def delete(self, kind: type[Value], *key: str) -> None:
        deleted = self._connection.execute(
            "DELETE FROM document WHERE kind = ? AND key = ?", (KINDS[kind], _key(key))
        ).rowcount
        if deleted:
            self._changed(kind, key)

    def delete_all(self, kind: type[Value], *prefix: str) -> None:
        rows = self._connection.execute(
            "DELETE FROM document WHERE kind = ? AND key >= ? AND key < ? RETURNING key",
            (KINDS[kind], *_key_range(prefix)),
        ).fetchall()
        for (key,) in rows:
            self._changed(kind, _key_parts(key))

    def get_blob(self, sha256: str) -> bytes | None:
        row = self._connection.execute("SELECT body FROM blob WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_blob(self, sha256: str, body: bytes) -> None:
        self._connection.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (sha256, body))

    def keep_blobs(self, sha256s: AbstractSet[str]) -> None:
        stored = {sha256 for (sha256,) in self._connection.execute("SELECT sha256 FROM blob")}
        self._connection.executemany("DELETE FROM blob WHERE sha256 = ?", [(each,) for each in stored - sha256s])

    def event_heads(self) -> Sequence[EventHead]:
        rows = self._connection.execute(
            "SELECT id, function, due_at, length(payload) FROM function_event ORDER BY due_at, rowid"
        )
        return [
            EventHead(id=event_id, function=function, due_at=due_at, size=size)
            for event_id, arn, due_at, size in rows
            if (function := parse_function_arn(arn)) is not None
        ]

    def get_event(self, event_id: str) -> FunctionEvent | None:
        row = self._connection.execute("SELECT body, payload FROM function_event WHERE id = ?", (event_id,)).fetchone()
        return None if row is None else replace(_EVENTS.decode(row[0]), payload=bytes(row[1]))

    def put_event(self, event: FunctionEvent) -> None:
        body = msgspec.json.encode(replace(event, payload=b""))
        self._connection.execute(
            "INSERT INTO function_event VALUES (?1, ?2, ?3, ?4, ?5) "
            "ON CONFLICT (id) DO UPDATE SET due_at = ?2, body = ?4",
            (event.id, event.due_at, event.function.arn, body, event.payload),
        )

    def delete_event(self, event_id: str) -> None:
        self._connection.execute("DELETE FROM function_event WHERE id = ?", (event_id,))

    def clear(self) -> None:
        for kind in KINDS:
            self.delete_all(kind)
        self._connection.execute("DELETE FROM blob")
        self._connection.execute("DELETE FROM function_event")
        self.alarms.clear()

    def _changed(self, kind: type[Value], key: tuple[str, ...]) -> None:
        self.changes.append(Change(kind=kind, key=key))

    def finish(self) -> None:
        """Advance the revision and write the feed, where anything changed."""
        if not self.changes:
            return
        self._connection.execute("UPDATE counter SET value = ? WHERE name = 'revision'", (self.revision,))
        self._connection.executemany(
            "INSERT INTO change VALUES (?, ?, ?)",
            [(self.revision, KINDS[change.kind], _key(change.key)) for change in self.changes],
        )
        self._connection.execute("DELETE FROM change WHERE revision <= ?", (self.revision - FEED_LENGTH,))


@contextmanager
def _transaction(connection: sqlite3.Connection, sealing: Sealing, *, writes: bool) -> Iterator[_SqliteTransaction]:
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        transaction = _SqliteTransaction(connection, sealing, _revision(connection) + 1)
        yield transaction
        if transaction.changes and not writes:
            raise RuntimeError("a reading transaction wrote")
        transaction.finish()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class _Worker:
    """A thread with a connection of its own that runs jobs in order."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._jobs: queue.SimpleQueue[Callable[[sqlite3.Connection], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(connect,), name=name, daemon=True)
        self._thread.start()

    def post(self, job: Callable[[sqlite3.Connection], None]) -> None:
        self._jobs.put(job)

    def call(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` on the worker and wait for it. For starting up only: it blocks."""
        answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def job(connection: sqlite3.Connection) -> None:
            try:
                answer.put((True, act(connection)))
            except BaseException as error:
                answer.put((False, error))

        self.post(job)
        succeeded, result = answer.get()
        if not succeeded:
            raise result
        value: T = result
        return value

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _run(self, connect: Callable[[], sqlite3.Connection]) -> None:
        connection = connect()
        while (job := self._jobs.get()) is not None:
            job(connection)
        connection.close()


def _open(database: Path, *, durable: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
    connection.execute("PRAGMA mmap_size = 268435456")
    return connection


def _revision(connection: sqlite3.Connection) -> int:
    revision: int = connection.execute("SELECT value FROM counter WHERE name = 'revision'").fetchone()[0]
    return revision


def _key(parts: tuple[str, ...]) -> str:
    """Parts joined by slashes; a slash within a part (clients choose names) is escaped."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def _key_parts(key: str) -> tuple[str, ...]:
    return tuple(part.replace("%2F", "/").replace("%25", "%") for part in key.split("/"))


def _key_range(prefix: tuple[str, ...]) -> tuple[str, str]:
    """From `prefix/` up to, and without, `prefix0`: "0" is the character after the slash."""
    return (f"{_key(prefix)}/", f"{_key(prefix)}0") if prefix else ("", "\U0010ffff")


def _resolve(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
