"""Log streams."""

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.logs.errors import already_exists, bad_token, invalid
from headgate.control.logs.lookup import Group, change, find_group, find_stream, look, requested_group
from headgate.control.logs.paging import decode_token, encode_token, next_name
from headgate.control.logs.ports import LogsPorts
from headgate.model.scope import Scope
from headgate.telemetry.log_store import Writing

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

_PAGE: Final = 50
_COLUMNS: Final = "name, created_ms, first_ms, last_ms, ingested_ms, id, coalesce(last_ms, created_ms)"

Row = tuple[str, int, int | None, int | None, int | None, int, int]


async def create_log_stream(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.CreateLogStreamRequest"
) -> None:
    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        try:
            writing.connection.execute(
                "INSERT INTO log_stream (group_id, name, created_ms) VALUES (?, ?, ?)",
                (group.id, request["logStreamName"], int(now * 1000)),
            )
        except sqlite3.IntegrityError as error:
            raise already_exists("log stream") from error

    await change(ports, act)


async def delete_log_stream(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DeleteLogStreamRequest"
) -> None:
    """Its events go slice by slice; they are out of sight at once."""

    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        stream = find_stream(writing.connection, group, request["logStreamName"])
        writing.connection.execute("DELETE FROM log_stream WHERE id = ?", (stream.id,))
        writing.connection.execute("INSERT INTO doomed VALUES ('stream', ?)", (stream.id,))
        writing.forget()

    await change(ports, act)


async def describe_log_streams(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DescribeLogStreamsRequest"
) -> Mapping[str, Any]:
    prefix = request.get("logStreamNamePrefix", "")
    by_time = request.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    limit = request.get("limit", _PAGE)
    descending = request.get("descending", False)
    position = decode_token(request.get("nextToken"), "time" if by_time else "name")

    def act(connection: sqlite3.Connection) -> tuple[Group, list[Row]]:
        group = requested_group(connection, scope, request)
        find = _by_time if by_time else _by_name
        return group, find(connection, group, prefix, position, limit + 1, descending)

    group, rows = await look(ports, act)
    shown, following = next_name(rows, limit, lambda row: f"{row[6]}/{row[5]}" if by_time else row[0])
    return {
        "logStreams": [_shown(group, row) for row in shown],
        "nextToken": encode_token(following, "time" if by_time else "name"),
    }


def _by_name(
    connection: sqlite3.Connection, group: Group, prefix: str, position: str, limit: int, descending: bool
) -> list[Row]:
    beyond, order = ("<", "DESC") if descending else (">", "ASC")
    return connection.execute(
        f"SELECT {_COLUMNS} FROM log_stream WHERE group_id = ? AND (? = '' OR name {beyond} ?) "
        f"AND substr(name, 1, ?) = ? ORDER BY name {order} LIMIT ?",
        (group.id, position, position, len(prefix), prefix, limit),
    ).fetchall()


def _by_time(
    connection: sqlite3.Connection, group: Group, _prefix: str, position: str, limit: int, descending: bool
) -> list[Row]:
    """Streams without an event stand at the time that they were created."""
    beyond, order = ("<", "DESC") if descending else (">", "ASC")
    found = re.fullmatch(r"([0-9]{1,18})/([0-9]{1,18})", position)
    if position and found is None:
        raise bad_token()
    at_ms, stream_id = (int(found[1]), int(found[2])) if found is not None else (-1, -1)
    return connection.execute(
        f"SELECT {_COLUMNS} FROM log_stream WHERE group_id = ? "
        f"AND (? < 0 OR (coalesce(last_ms, created_ms), id) {beyond} (?, ?)) "
        f"ORDER BY coalesce(last_ms, created_ms) {order}, id {order} LIMIT ?",
        (group.id, at_ms, at_ms, stream_id, limit),
    ).fetchall()


def _shown(group: Group, row: Row) -> Mapping[str, Any]:
    name, created_ms, first_ms, last_ms, ingested_ms, stream_id, _ = row
    return {
        "logStreamName": name,
        "creationTime": created_ms,
        "firstEventTimestamp": first_ms,
        "lastEventTimestamp": last_ms,
        "lastIngestionTime": ingested_ms,
        "uploadSequenceToken": None if ingested_ms is None else f"{stream_id:056d}",
        "arn": f"{group.arn}:log-stream:{name}",
        "storedBytes": 0,  # "reported as zero" for streams, says the service model
    }
