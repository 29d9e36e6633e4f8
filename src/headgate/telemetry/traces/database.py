"""The database of traces, `traces.db`: its tables, and what is done in one transaction."""

import sqlite3
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Final, NamedTuple

import orjson

from headgate.model.scope import Scope
from headgate.telemetry.database_file import Kind, used_bytes
from headgate.telemetry.traces.segments import Segment, is_looked_up, with_subsegments

APPLICATION_ID: Final = 0x48475452  # "HGTR"
VERSION: Final = 1
RETENTION_S: Final = 30 * 86_400  # as X-Ray keeps traces
MAX_SEGMENTS: Final = 2_000  # of a trace that are read
_ROOM_TRACES: Final = 2_000  # deleted at a time, at most
_ROOM: Final = 0.9  # of its bound that a full database is brought down to, so that not every second deletes

_SCHEMA: Final = """
CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,  -- "" until a segment says whose the trace is
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    UNIQUE (trace_id, account_id, region)
);
CREATE INDEX trace_by_start ON trace (start_s);
CREATE TABLE segment (
    trace INTEGER NOT NULL, segment_id TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (trace, segment_id)
);
CREATE TABLE annotation (
    key TEXT NOT NULL, value TEXT NOT NULL, trace INTEGER NOT NULL, PRIMARY KEY (key, value, trace)
) WITHOUT ROWID;
CREATE INDEX annotation_by_trace ON annotation (trace);
CREATE TABLE setting (
    kind TEXT NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, account_id, region, name)
) WITHOUT ROWID;
"""

TRACES: Final = Kind("traces", APPLICATION_ID, VERSION, _SCHEMA, "to begin without traces")


class Put(NamedTuple):
    """A segment on its way. A scope without a region is of one that does not say whose it is: its trace's is taken."""

    scope: Scope
    segment: Segment
    size: int  # bytes


class StoredTrace(NamedTuple):
    """One trace with its documents, as they came."""

    trace_id: str
    start_s: float
    end_s: float
    documents: list[Segment]


def write_segments(connection: sqlite3.Connection, puts: Sequence[Put]) -> None:
    """Keep these; one with the id of a segment that is there takes its place."""
    for scope, segment, _ in puts:
        trace = _trace(connection, scope, segment)
        connection.execute(
            "INSERT OR REPLACE INTO segment VALUES (?, ?, ?)", (trace, segment["id"], orjson.dumps(segment))
        )
        connection.executemany(
            "INSERT OR IGNORE INTO annotation VALUES (?, ?, ?)",
            [(key, value, trace) for each in with_subsegments(segment) for key, value in _searchable(each)],
        )


class Span(NamedTuple):
    """The traces that began in [start_s, end_s], newest first, after this position where one is given."""

    start_s: float
    end_s: float
    after: tuple[float, int] | None = None  # start and row of the last one seen


def find_traces(
    connection: sqlite3.Connection, scope: Scope, span: Span, annotation: tuple[str, str] | None
) -> Iterator[tuple[int, float]]:
    """Row and start of the traces of a span; of those with this annotation, where one is given."""
    where, parameters = _whose(scope)
    start_s, row = span.after or (span.end_s + 1.0, 0)
    source, condition = "trace", "true"
    if annotation is not None:
        source, condition = "annotation JOIN trace ON trace.id = annotation.trace", "key = ? AND value = ?"
    yield from connection.execute(
        f"SELECT trace.id, start_s FROM {source} WHERE {condition} AND start_s BETWEEN ? AND ? "
        f"AND (start_s, trace.id) < (?, ?) AND {where} ORDER BY start_s DESC, trace.id DESC",
        (*(annotation or ()), span.start_s, span.end_s, start_s, row, *parameters),
    )


def traces_by_id(connection: sqlite3.Connection, scope: Scope, trace_ids: Sequence[str]) -> list[StoredTrace]:
    """Those of these that there are, in the order asked for."""
    where, parameters = _whose(scope)
    found: list[StoredTrace] = []
    for trace_id in dict.fromkeys(trace_ids):
        row = connection.execute(
            f"SELECT id FROM trace WHERE trace_id = ? AND {where}", (trace_id, *parameters)
        ).fetchone()
        if row is not None:
            found.append(read_trace(connection, row[0]))
    return found


def read_trace(connection: sqlite3.Connection, row: int) -> StoredTrace:
    trace_id, start_s, end_s = connection.execute(
        "SELECT trace_id, start_s, end_s FROM trace WHERE id = ?", (row,)
    ).fetchone()
    documents = connection.execute(
        "SELECT document FROM segment WHERE trace = ? ORDER BY rowid LIMIT ?", (row, MAX_SEGMENTS)
    )
    return StoredTrace(trace_id, start_s, end_s, [orjson.loads(document) for (document,) in documents])


def expire(connection: sqlite3.Connection, now: float, max_bytes: int) -> None:
    """Delete what is kept no longer: what is too old, and the oldest where there is too much. So many at a time."""
    _delete(connection, "SELECT id FROM trace WHERE start_s < ? LIMIT ?", (now - RETENTION_S, _ROOM_TRACES))
    used = used_bytes(connection)
    if used > max_bytes:
        count: int = connection.execute("SELECT count(*) FROM trace").fetchone()[0]
        surplus = ceil(count * (1 - _ROOM * max_bytes / used))
        _delete(connection, "SELECT id FROM trace ORDER BY start_s LIMIT ?", (min(surplus, _ROOM_TRACES),))


def clear(connection: sqlite3.Connection) -> None:
    for table in ("trace", "segment", "annotation", "setting"):
        connection.execute(f"DELETE FROM {table}")


# Settings: sampling rules, groups, the encryption configuration; documents by name.


def put_setting(connection: sqlite3.Connection, kind: str, scope: Scope, name: str, body: Any) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO setting VALUES (?, ?, ?, ?, ?)",
        (kind, scope.account_id, scope.region, name, orjson.dumps(body)),
    )


def delete_setting(connection: sqlite3.Connection, kind: str, scope: Scope, name: str) -> None:
    connection.execute(
        "DELETE FROM setting WHERE kind = ? AND account_id = ? AND region = ? AND name = ?",
        (kind, scope.account_id, scope.region, name),
    )


def settings(connection: sqlite3.Connection, kind: str, scope: Scope) -> dict[str, Any]:
    """By name, in its order."""
    rows = connection.execute(
        "SELECT name, body FROM setting WHERE kind = ? AND account_id = ? AND region = ? ORDER BY name",
        (kind, scope.account_id, scope.region),
    )
    return {name: orjson.loads(body) for name, body in rows}


def all_settings(connection: sqlite3.Connection, kind: str) -> list[tuple[Scope, Any]]:
    rows = connection.execute("SELECT account_id, region, body FROM setting WHERE kind = ?", (kind,))
    return [(Scope(account_id=account_id, region=region), orjson.loads(body)) for account_id, region, body in rows]


def _trace(connection: sqlite3.Connection, scope: Scope, segment: Segment) -> int:
    """The row of a segment's trace, made or widened for it."""
    trace_id, start_s = segment["trace_id"], float(segment["start_time"])
    end_s = float(segment.get("end_time") or start_s)
    rows = connection.execute("SELECT id, account_id, region FROM trace WHERE trace_id = ?", (trace_id,)).fetchall()
    for row, account_id, region in rows:
        # One of the two may not know whose it is: the trace is then the other's.
        if not scope.region or not region or (account_id, region) == (scope.account_id, scope.region):
            owner = (account_id, region) if region else (scope.account_id, scope.region)
            connection.execute(
                "UPDATE trace SET account_id = ?, region = ?, start_s = min(start_s, ?), end_s = max(end_s, ?) "
                "WHERE id = ?",
                (*owner, start_s, end_s, row),
            )
            return int(row)
    inserted = connection.execute(
        "INSERT INTO trace (trace_id, account_id, region, start_s, end_s) VALUES (?, ?, ?, ?, ?)",
        (trace_id, scope.account_id, scope.region, start_s, end_s),
    )
    return int(inserted.lastrowid or 0)


def _whose(scope: Scope) -> tuple[str, tuple[str, str]]:
    """The condition for what an account may see in a region: its own, and what no region has claimed."""
    return "account_id = ? AND region IN (?, '')", (scope.account_id, scope.region)


def _searchable(segment: Segment) -> Iterator[tuple[str, str]]:
    annotations = segment.get("annotations")
    for key, value in annotations.items() if isinstance(annotations, dict) else ():
        if isinstance(value, str) and is_looked_up(key):
            yield key, value


def _delete(connection: sqlite3.Connection, chosen: str, parameters: Sequence[object]) -> None:
    rows = connection.execute(chosen, parameters).fetchall()
    for table, column in (("segment", "trace"), ("annotation", "trace"), ("trace", "id")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)
