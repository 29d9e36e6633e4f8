"""Segments as OpenTelemetry's spans, in the JSON form of OTLP (opentelemetry-proto 1.x, trace/v1)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from headgate.telemetry.traces.segments import Segment

_SERVER: Final = 2  # SpanKind
_CLIENT: Final = 3
_ERROR: Final = 2  # StatusCode


def encode(segments: Sequence[Segment], version: str) -> bytes:
    """The body of an ExportTraceServiceRequest: a resource for each service. What is in progress is no span yet."""
    by_service: dict[str, list[Segment]] = {}
    for segment in segments:
        if "end_time" in segment:
            by_service.setdefault(segment["name"], []).append(segment)
    return orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes({"service.name": name, "cloud.provider": "aws"})},
                    "scopeSpans": [
                        {
                            "scope": {"name": "headgate", "version": version},
                            "spans": [span for each in members for span in _spans(each)],
                        }
                    ],
                }
                for name, members in by_service.items()
            ]
        }
    )


def w3c_trace_id(trace_id: str) -> str:
    """32 hexadecimal digits of an X-Ray trace id, as OpenTelemetry's X-Ray propagator reads them."""
    return trace_id[2:].replace("-", "")


def _spans(segment: Segment) -> Iterator[dict[str, Any]]:
    """The segment's own, and one for each subsegment of it."""
    trace_id = w3c_trace_id(segment["trace_id"])
    yield _span(segment, trace_id, segment.get("parent_id", ""), _SERVER)
    for below in segment.get("subsegments", ()):
        yield _span(below, trace_id, segment["id"], _CLIENT)


def _span(segment: Mapping[str, Any], trace_id: str, parent_id: str, kind: int) -> dict[str, Any]:
    http = segment.get("http", {})
    request, response = http.get("request", {}), http.get("response", {})
    method = request.get("method", "")
    shown = {
        "http.request.method": method,
        "url.full": request.get("url"),
        "client.address": request.get("client_ip"),
        "user_agent.original": request.get("user_agent"),
        "http.response.status_code": response.get("status"),
        **{key.replace(":", "."): value for key, value in segment.get("annotations", {}).items()},
    }
    span: dict[str, Any] = {
        "traceId": trace_id,
        "spanId": segment["id"],
        "name": f"{method} {segment['name']}".strip(),
        "kind": kind,
        # 64-bit integers are decimal text in protobuf's JSON.
        "startTimeUnixNano": str(int(segment["start_time"] * 1e9)),
        "endTimeUnixNano": str(int(segment["end_time"] * 1e9)),
        "attributes": _attributes(shown),
    }
    if parent_id:
        span["parentSpanId"] = parent_id
    if segment.get("fault"):
        span["status"] = {"code": _ERROR}
    return span


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in values.items() if value not in {None, ""}]


def _any_value(value: str | bool | float) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}
