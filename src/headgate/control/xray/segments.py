"""Segments as clients send them: the X-Ray daemon, the SDKs' and OpenTelemetry's exporters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headgate.control.xray.ports import XrayPorts
from headgate.model.scope import Scope
from headgate.telemetry.traces.segments import BadSegment, parse_segment

if TYPE_CHECKING:
    from headgate.wire.shapes import xray as shapes


async def put_trace_segments(
    ports: XrayPorts, scope: Scope, _now: float, request: "shapes.PutTraceSegmentsRequest"
) -> Mapping[str, Any]:
    """What can be read is written when this answers; what cannot is told of, document by document."""
    unprocessed: list[dict[str, str]] = []
    for document in request["TraceSegmentDocuments"]:
        try:
            ports.traces.put(scope, parse_segment(document), len(document))
        except BadSegment as error:
            unprocessed.append({"Id": error.segment_id, "ErrorCode": error.code, "Message": str(error)})
    await ports.traces.flush()
    return {"UnprocessedTraceSegments": unprocessed}


async def put_telemetry_records(
    _ports: XrayPorts, _scope: Scope, _now: float, _request: "shapes.PutTelemetryRecordsRequest"
) -> Mapping[str, Any]:
    """A daemon's report on itself: read, checked against the model, and kept nowhere, as no operation shows it."""
    return {}
