"""Reading events: pages of one stream, and a scan over the streams of a group."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from headgate.telemetry.log_writing import byte_length

PAGE_BYTES: Final = 1_048_576  # of events in one answer
SCAN_S: Final = 2.0  # that one scan goes on for; then the caller gets what was found, and where to go on
_SCAN_ROWS: Final = 500  # read at a time

Key = tuple[int, int]
"""Where an event stands among the others of its stream or group: its timestamp, and its id."""

BEGINNING: Final[Key] = (-1, -1)
END: Final[Key] = (1 << 62, 1 << 62)


class StoredEvent(NamedTuple):
    timestamp_ms: int
    id: int
    ingested_ms: int
    message: str
    stream: str = ""

    @property
    def key(self) -> Key:
        return self.timestamp_ms, self.id


class Window(NamedTuple):
    """Which events: their timestamps from `start_ms` up to and without `end_ms`, their keys between two others."""

    start_ms: int
    end_ms: int
    after: Key = BEGINNING
    before: Key = END


def stream_page(
    connection: sqlite3.Connection, stream_id: int, window: Window, limit: int, *, newest: bool
) -> list[StoredEvent]:
    """The first events of the window, or with `newest` the last; in ascending order, 1 MB of them at most."""
    order = "DESC" if newest else "ASC"
    rows = connection.execute(
        "SELECT timestamp_ms, id, ingested_ms, message FROM event WHERE stream_id = ? AND timestamp_ms >= ? "
        "AND timestamp_ms < ? AND (timestamp_ms, id) > (?, ?) AND (timestamp_ms, id) < (?, ?) "
        f"ORDER BY timestamp_ms {order}, id {order} LIMIT ?",
        (stream_id, window.start_ms, window.end_ms, *window.after, *window.before, limit),
    )
    page: list[StoredEvent] = []
    size = 0
    for row in rows:
        event = StoredEvent(*row)
        size += byte_length(event.message)
        if size > PAGE_BYTES and page:
            break
        page.append(event)
    return page[::-1] if newest else page


class Scan(NamedTuple):
    """What a scan found, and the key from which to go on; None when it is at its end."""

    events: list[StoredEvent]
    resume: Key | None


def scan_group(
    connection: sqlite3.Connection,
    group_id: int,
    streams: Sequence[tuple[int, str]] | None,
    window: Window,
    limit: int,
    matches: Callable[[str], bool],
    *,
    newest: bool = False,
) -> Scan:
    """Events of these streams (id and name; None is all) that match, interleaved by time."""
    found: list[StoredEvent] = []
    size = 0
    deadline = time.monotonic() + SCAN_S
    last: Key | None = None
    for event in _interleaved(connection, group_id, streams, window, newest=newest):
        if event.stream and matches(event.message):
            size += byte_length(event.message)
            if len(found) >= limit or (size > PAGE_BYTES and found):
                return Scan(found, last)
            found.append(event)
        last = event.key
        if time.monotonic() > deadline:
            return Scan(found, last)
    return Scan(found, None)


def _interleaved(
    connection: sqlite3.Connection,
    group_id: int,
    streams: Sequence[tuple[int, str]] | None,
    window: Window,
    *,
    newest: bool,
) -> Iterator[StoredEvent]:
    """All events, those of other streams and of deleted ones without a stream.

    Read in short statements: a long one would keep the write-ahead log from being folded in.
    """
    order = "DESC" if newest else "ASC"
    names = None if streams is None else dict(streams)
    if names is not None and len(names) == 1:
        column, value = "stream_id", next(iter(names))
    else:
        column, value = "group_id", group_id
    after, before = window.after, window.before
    known: dict[int, str | None] = {} if names is None else dict(names)
    while True:
        rows = connection.execute(
            f"SELECT timestamp_ms, id, ingested_ms, message, stream_id FROM event WHERE {column} = ? "
            "AND timestamp_ms >= ? AND timestamp_ms < ? "
            "AND (timestamp_ms, id) > (?, ?) AND (timestamp_ms, id) < (?, ?) "
            f"ORDER BY timestamp_ms {order}, id {order} LIMIT ?",
            (value, window.start_ms, window.end_ms, *after, *before, _SCAN_ROWS),
        ).fetchall()
        for timestamp_ms, event_id, ingested_ms, message, stream_id in rows:
            if names is None and stream_id not in known:
                row = connection.execute("SELECT name FROM log_stream WHERE id = ?", (stream_id,)).fetchone()
                known[stream_id] = None if row is None else row[0]
            yield StoredEvent(timestamp_ms, event_id, ingested_ms, message, known.get(stream_id) or "")
        if len(rows) < _SCAN_ROWS:
            return
        if newest:
            before = (rows[-1][0], rows[-1][1])
        else:
            after = (rows[-1][0], rows[-1][1])
