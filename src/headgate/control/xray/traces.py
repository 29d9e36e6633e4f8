"""Traces searched and read."""

import base64
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.xray.errors import invalid
from headgate.control.xray.ports import XrayPorts
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import MAX_SEGMENTS, Span, StoredTrace, find_traces, read_trace, traces_by_id
from headgate.telemetry.traces.filter_expression import BadFilter, Filter, parse_filter
from headgate.telemetry.traces.view import TraceView, summary

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

_PAGE: Final = 100  # summaries
_SCANNED: Final = 2_000  # traces that one page looks at, at most
MAX_IDS: Final = 5  # of BatchGetTraces (service's quota)


def read_filter(expression: str | None) -> Filter:
    """Raises ApiError (InvalidRequestException)."""
    try:
        return parse_filter(expression or "")
    except BadFilter as error:
        raise invalid(f"Invalid filter expression: {error}") from error


def read_times(start_s: float, end_s: float) -> tuple[float, float]:
    """Raises ApiError (InvalidRequestException)."""
    if start_s > end_s:
        raise invalid("The start time must be before the end time.")
    # Clients send whole seconds: what began within the last one is meant too.
    return start_s, end_s + 1.0 if end_s == int(end_s) else end_s


async def get_trace_summaries(
    ports: XrayPorts, scope: Scope, now: float, request: "shapes.GetTraceSummariesRequest"
) -> Mapping[str, Any]:
    """Newest first. A page ends with so many summaries, or when it has looked at so many traces."""
    accepted = read_filter(request.get("FilterExpression"))
    start_s, end_s = read_times(request["StartTime"], request["EndTime"])
    strategy = request.get("SamplingStrategy", {})
    share = strategy.get("Value", 1.0) if strategy.get("Name") == "FixedRate" else 1.0
    span = Span(start_s, end_s, _position(request.get("NextToken")))

    def act(connection: sqlite3.Connection) -> tuple[list[TraceView], int, tuple[float, int] | None]:
        found: list[TraceView] = []
        looked = 0
        for row, began_s in find_traces(connection, scope, span, accepted.annotation):
            looked += 1
            stored = read_trace(connection, row)
            if int(stored.trace_id[-8:], 16) < share * 2**32:
                view = TraceView(stored)
                if accepted.accepts(view):
                    found.append(view)
            if len(found) == _PAGE or looked == _SCANNED:
                return found, looked, (began_s, row)
        return found, looked, None

    found, looked, position = await ports.traces.read(act)
    return {
        "TraceSummaries": [summary(view) for view in found],
        "ApproximateTime": now,
        "TracesProcessedCount": looked,
        "NextToken": None if position is None else _token(position),
    }


async def batch_get_traces(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.BatchGetTracesRequest"
) -> Mapping[str, Any]:
    """Whole traces, each segment with the subsegments that came apart from it."""
    wanted = request["TraceIds"]
    found = [(len(each.documents), TraceView(each)) for each in await stored_traces(ports, scope, wanted)]
    return {
        "Traces": [
            {
                "Id": view.id,
                "Duration": round(view.duration_s, 3),
                "LimitExceeded": documents >= MAX_SEGMENTS,
                "Segments": [
                    {"Id": segment["id"], "Document": orjson.dumps(segment).decode()} for segment in view.segments
                ],
            }
            for documents, view in found
        ],
        "UnprocessedTraceIds": [each for each in wanted if each not in {view.id for _, view in found}],
    }


async def stored_traces(ports: XrayPorts, scope: Scope, trace_ids: list[str]) -> list[StoredTrace]:
    """Those of these that there are. Raises ApiError (InvalidRequestException) where there are too many."""
    if len(trace_ids) > MAX_IDS:
        raise invalid(f"Too many trace ids: {len(trace_ids)} given, at most {MAX_IDS} at a time.")
    return await ports.traces.read(lambda connection: traces_by_id(connection, scope, trace_ids))


def _token(position: tuple[float, int]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode("ascii")


def _position(token: str | None) -> tuple[float, int] | None:
    if not token:
        return None
    try:
        start_s, row = orjson.loads(base64.urlsafe_b64decode(token))
        return float(start_s), int(row)
    except (ValueError, TypeError) as error:
        raise invalid("Invalid NextToken.") from error
