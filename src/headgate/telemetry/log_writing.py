"""Writing events: one batch of lines as one transaction, on the store's writing thread."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from headgate.telemetry.database_file import used_bytes

EVENT_OVERHEAD_BYTES: Final = 26  # what CloudWatch Logs counts for an event beside its message
_PIECE: Final = 500  # lines
_MAX_KNOWN: Final = 20_000  # streams whose ids are remembered

Line = tuple[str, str, int, str]
"""ARN of the log group (without `:*`), stream, milliseconds since the epoch, message."""


def _insert(rows: int) -> str:
    """The statement for so many events of one stream: first id, group, stream, now; of each its time and message."""
    values = (f"(?1 + {row}, ?2, ?3, ?{2 * row + 5}, ?4, ?{2 * row + 6})" for row in range(rows))
    return "INSERT INTO event VALUES " + ", ".join(values)


# Many rows a statement: it runs without the interpreter's lock, which would be taken and given back for each else.
_BLOCK: Final = 32
_INSERTS: Final = tuple(_insert(rows) for rows in range(_BLOCK + 1))


class Event(NamedTuple):
    """One event as it is stored."""

    id: int
    timestamp_ms: int
    message: str


class Written(NamedTuple):
    """Events of one stream that were written together."""

    group_id: int
    stream: str
    first_id: int
    lines: Sequence[tuple[int, str]]  # milliseconds since the epoch, message

    @property
    def last_id(self) -> int:
        return self.first_id + len(self.lines) - 1

    @property
    def events(self) -> list[Event]:
        """Made when asked for: most groups have no filter that looks at them."""
        return [Event(id_, *line) for id_, line in enumerate(self.lines, self.first_id)]


class StreamId(NamedTuple):
    group_id: int
    id: int


class EventWriter:
    """Inserts events, and makes the groups and streams that functions write to first."""

    def __init__(self, connection: sqlite3.Connection, max_bytes: int) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._known: dict[tuple[str, str], StreamId] = {}
        self._next_id: int = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM event").fetchone()[0]

    def forget(self) -> None:
        """A group or stream was deleted: ids are looked up anew."""
        self._known.clear()

    def write_lines(self, lines: Iterable[Line], now_ms: int) -> list[Written]:
        """Lines of any groups and streams; those that are not there are made."""
        written: list[Written] = []
        left = iter(lines)
        # In pieces: sorting a whole second's lines at once would hold the interpreter's lock for milliseconds.
        while piece := list(islice(left, _PIECE)):
            written += self._write_piece(piece, now_ms)
        return written

    def _write_piece(self, lines: Sequence[Line], now_ms: int) -> list[Written]:
        by_stream: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for group, stream, timestamp_ms, message in lines:
            key = (group, stream)
            if key in by_stream:
                by_stream[key].append((timestamp_ms, message))
            else:
                by_stream[key] = [(timestamp_ms, message)]
        return [
            self.write_events(self._stream(group, stream, now_ms), stream, events, now_ms)
            for (group, stream), events in by_stream.items()
        ]

    def write_events(self, stream: StreamId, name: str, events: Sequence[tuple[int, str]], now_ms: int) -> Written:
        """Events (milliseconds since the epoch, message) of one stream that is there."""
        first_id = self._next_id
        self._next_id += len(events)
        group_id, stream_id = stream
        for at in range(0, len(events), _BLOCK):
            block = events[at : at + _BLOCK]
            shared = (first_id + at, group_id, stream_id, now_ms)
            self._connection.execute(_INSERTS[len(block)], (*shared, *chain.from_iterable(block)))
        times, messages = zip(*events, strict=True)
        earliest, latest = min(times), max(times)
        self._connection.execute(
            "UPDATE log_stream SET first_ms = min(coalesce(first_ms, ?1), ?1), "
            "last_ms = max(coalesce(last_ms, ?2), ?2), ingested_ms = ?3 WHERE id = ?4",
            (earliest, latest, now_ms, stream_id),
        )
        size = sum(map(byte_length, messages))
        self._connection.execute("UPDATE log_group SET stored_bytes = stored_bytes + ? WHERE id = ?", (size, group_id))
        return Written(group_id, name, first_id, events)

    def make_room(self, rows: int) -> None:
        """Delete the oldest events of all groups, so many at most, where the database is above its bound."""
        if used_bytes(self._connection) > self._max_bytes:
            delete_events(self._connection, "SELECT id FROM event ORDER BY id LIMIT ?", (rows,))

    def _stream(self, group_arn: str, stream: str, now_ms: int) -> StreamId:
        known = self._known.get((group_arn, stream))
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            _, _, _, region, account_id, _, name = group_arn.split(":", 6)
            group_id = _id(
                self._connection,
                ("log_group", "account_id = ? AND region = ? AND name = ?"),
                "INSERT INTO log_group (account_id, region, name, created_ms) VALUES (?, ?, ?, ?)",
                (account_id, region, name),
                now_ms,
            )
            stream_id = _id(
                self._connection,
                ("log_stream", "group_id = ? AND name = ?"),
                "INSERT INTO log_stream (group_id, name, created_ms) VALUES (?, ?, ?)",
                (group_id, stream),
                now_ms,
            )
            known = self._known[group_arn, stream] = StreamId(group_id, stream_id)
        return known


def byte_length(message: str) -> int:
    """What an event counts for."""
    return (len(message) if message.isascii() else len(message.encode("utf-8", "replace"))) + EVENT_OVERHEAD_BYTES


def delete_events(connection: sqlite3.Connection, chosen: str, parameters: Sequence[object]) -> int:
    """Delete the events whose ids a query gives, and take them off their groups' bytes. Their number."""
    deleted = connection.execute(
        f"DELETE FROM event WHERE id IN ({chosen}) RETURNING group_id, length(CAST(message AS BLOB))", parameters
    ).fetchall()
    sizes: dict[int, int] = {}
    for group_id, size in deleted:
        sizes[group_id] = sizes.get(group_id, 0) + size + EVENT_OVERHEAD_BYTES
    connection.executemany(
        "UPDATE log_group SET stored_bytes = max(stored_bytes - ?, 0) WHERE id = ?",
        [(size, group_id) for group_id, size in sizes.items()],
    )
    return len(deleted)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _id(connection: sqlite3.Connection, where: tuple[str, str], insert: str, key: tuple[object, ...], now: int) -> int:
    table, condition = where
    row = connection.execute(f"SELECT id FROM {table} WHERE {condition}", key).fetchone()
    if row is not None:
        return int(row[0])
    return connection.execute(insert, (*key, now)).lastrowid or 0
