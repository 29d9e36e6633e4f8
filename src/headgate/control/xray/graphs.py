"""Service graphs: of a time and a group, and of single traces."""

import sqlite3
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from headgate.control.xray.groups import group_filter
from headgate.control.xray.ports import XrayPorts
from headgate.control.xray.traces import read_times, stored_traces
from headgate.model.scope import Scope
from headgate.telemetry.traces.database import Span, find_traces, read_trace
from headgate.telemetry.traces.graph import graph_of
from headgate.telemetry.traces.view import TraceView

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes

_MOST_TRACES: Final = 2_000  # that a graph is made of: the newest


async def get_service_graph(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.GetServiceGraphRequest"
) -> Mapping[str, Any]:
    views = await _views(ports, scope, request)
    return {
        "StartTime": request["StartTime"],
        "EndTime": request["EndTime"],
        "Services": graph_of(views),
        "ContainsOldGroupVersions": False,
    }


async def get_trace_graph(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.GetTraceGraphRequest"
) -> Mapping[str, Any]:
    return {"Services": graph_of([TraceView(each) for each in await stored_traces(ports, scope, request["TraceIds"])])}


async def _views(ports: XrayPorts, scope: Scope, request: Mapping[str, Any]) -> list[TraceView]:
    """The traces of a time and a group, as far as the group's filter accepts them."""
    start_s, end_s = read_times(request["StartTime"], request["EndTime"])

    def act(connection: sqlite3.Connection) -> list[TraceView]:
        accepted = group_filter(connection, scope, request)
        rows = find_traces(connection, scope, Span(start_s, end_s), accepted.annotation)
        views = (TraceView(read_trace(connection, row)) for row, _ in islice(rows, _MOST_TRACES))
        return [view for view in views if accepted.accepts(view)]

    return await ports.traces.read(act)
