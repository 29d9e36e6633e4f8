"""Logs Insights: queries are started, asked for, and stopped."""

import base64
import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.logs.errors import bad_token, invalid, not_found
from headgate.control.logs.lookup import find_group, group_name, kept_from_ms, look
from headgate.control.logs.paging import decode_token, encode_token, next_name
from headgate.control.logs.ports import LogsPorts
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.insights.queries import RanQuery, TooManyQueries
from headgate.telemetry.insights.query import MAX_ROWS, QueryError, parse_query
from headgate.telemetry.insights.values import discovered, text_of

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

MAX_GROUPS: Final = 50


async def start_query(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.StartQueryRequest"
) -> Mapping[str, Any]:
    if request.get("queryLanguage", "CWLI") != "CWLI":
        raise invalid(f"queryLanguage {request['queryLanguage']} is not supported by Headgate: give CWLI")
    text = request["queryString"]
    try:
        parse_query(text)
    except QueryError as error:
        raise _malformed(error) from error
    start_ms, end_ms = _milliseconds(request["startTime"]), _milliseconds(request["endTime"])
    if end_ms < start_ms:
        raise invalid("The query's end time must not be before its start time")
    names = _named_groups(scope, request)

    def act(connection: sqlite3.Connection) -> list[tuple[int, str, int]]:
        groups = [find_group(connection, scope, name) for name in names]
        return [(group.id, group.name, kept_from_ms(group, now)) for group in groups]

    groups = await look(ports, act)
    limit = min(request.get("limit", MAX_ROWS), MAX_ROWS)
    try:
        # The range takes in its end, to the second (service model).
        query = ports.queries.start(_owner(scope), groups, text, (start_ms, end_ms + 1000), limit)
    except TooManyQueries as error:
        raise ApiError("LimitExceededException", "Too many queries wait; stop one or try again later.") from error
    return {"queryId": query.id}


async def get_query_results(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.GetQueryResultsRequest"
) -> Mapping[str, Any]:
    query = _find(ports, scope, request["queryId"])
    position = decode_token(request.get("nextToken"), "results") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", position):
        raise bad_token()
    start = int(position)
    shown = query.results[start : start + (request.get("maxItems") or MAX_ROWS)]
    end = start + len(shown)
    return {
        "queryLanguage": "CWLI",
        "results": [[{"field": field, "value": value} for field, value in row] for row in shown],
        "statistics": {
            "recordsMatched": float(query.matched),
            "recordsScanned": float(query.scanned),
            "bytesScanned": float(query.bytes),
            "logGroupsScanned": float(len(query.groups)),
            "resultCount": float(len(query.results)),
        },
        "status": query.status,
        "nextToken": encode_token(str(end) if end < len(query.results) else None, "results"),
    }


async def stop_query(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.StopQueryRequest"
) -> Mapping[str, Any]:
    query = _find(ports, scope, request["queryId"])
    if query.is_over:
        raise invalid("Query provided in the request has already ended.")
    ports.queries.stop(query)
    return {"success": True}


async def describe_queries(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DescribeQueriesRequest"
) -> Mapping[str, Any]:
    group, status = request.get("logGroupName"), request.get("status")
    after = decode_token(request.get("nextToken"), "queries")
    found = [
        query
        for query in ports.queries.list(_owner(scope))
        if (group is None or group in query.groups) and (status is None or status == query.status)
    ]
    ids = [query.id for query in found]
    if after in ids:
        found = found[ids.index(after) + 1 :]
    shown, following = next_name(found, request.get("maxResults", 1000), lambda query: query.id)
    return {
        "queries": [
            {
                "queryLanguage": "CWLI",
                "queryId": query.id,
                "queryString": query.text,
                "status": query.status,
                "createTime": int(query.created * 1000),
                "logGroupName": query.groups[0],
            }
            for query in shown
        ],
        "nextToken": encode_token(following, "queries"),
    }


async def get_log_record(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.GetLogRecordRequest"
) -> Mapping[str, Any]:
    """The event that a result's `@ptr` names, with the fields that are discovered in it."""
    try:
        event_id = int(base64.b64decode(request["logRecordPointer"], validate=True))
    except ValueError as error:
        raise invalid("The specified logRecordPointer is invalid.") from error

    def act(connection: sqlite3.Connection) -> Mapping[str, Any]:
        row = connection.execute(
            "SELECT e.timestamp_ms, e.ingested_ms, e.message, s.name, g.account_id || ':' || g.name FROM event e "
            "JOIN log_stream s ON s.id = e.stream_id JOIN log_group g ON g.id = e.group_id "
            "WHERE e.id = ? AND g.account_id = ? AND g.region = ?",
            (min(max(event_id, 0), 1 << 62), scope.account_id, scope.region),
        ).fetchone()
        if row is None:
            raise not_found("log record")
        timestamp_ms, ingested_ms, message, stream, log = row
        return {
            **{name: text_of(value) for name, value in discovered(message).items()},
            "@timestamp": str(timestamp_ms),
            "@ingestionTime": str(ingested_ms),
            "@message": message,
            "@logStream": stream,
            "@log": log,
            "@ptr": request["logRecordPointer"],
        }

    return {"logRecord": await look(ports, act)}


def _find(ports: LogsPorts, scope: Scope, query_id: str) -> RanQuery:
    query = ports.queries.get(_owner(scope), query_id)
    if query is None:
        raise not_found("query")
    return query


def _owner(scope: Scope) -> tuple[str, str]:
    return scope.account_id, scope.region


def _named_groups(scope: Scope, request: "shapes.StartQueryRequest") -> list[str]:
    one, many, identifiers = (
        request.get("logGroupName"),
        request.get("logGroupNames"),
        request.get("logGroupIdentifiers"),
    )
    if sum(given is not None for given in (one, many, identifiers)) != 1:
        raise invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.")
    given = [one] if one is not None else many if many is not None else identifiers or []
    names = list(dict.fromkeys(group_name(scope, identifier) for identifier in given))
    if not 1 <= len(names) <= MAX_GROUPS:
        raise invalid(f"{len(names)} log groups given; a query takes 1 to {MAX_GROUPS}")
    return names


def _milliseconds(time: int) -> int:
    """A query's times are seconds since the epoch; the console and some clients send milliseconds."""
    return min(time if time > 100_000_000_000 else time * 1000, 1 << 61)


def _malformed(error: QueryError) -> ApiError:
    return ApiError(
        "MalformedQueryException",
        str(error),
        fields={
            "queryCompileError": {
                "location": {"startCharOffset": error.start, "endCharOffset": error.end},
                "message": str(error),
            }
        },
    )
