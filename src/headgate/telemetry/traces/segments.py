"""Segment documents: what one may be, and how the documents of a trace make a whole.

Source: the X-Ray developer guide, "segment documents". A document is JSON of at most 64 KB; subsegments may come in
it or as documents of their own, and a document that comes again with the same id replaces the one before.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from headgate.model.trace import is_segment_id, is_trace_id

MAX_DOCUMENT_BYTES: Final = 64 * 1024

Segment = dict[str, Any]
"""A segment document, read and checked: ids, names, times and the shape of subsegments are as they must be."""


class BadSegment(ValueError):
    """A document that is no segment. `segment_id` is its id as far as it can be read."""

    def __init__(self, code: str, reason: str, segment_id: str = "") -> None:
        super().__init__(f"Invalid segment. ErrorCode: {code}, {reason}")
        self.code = code
        self.segment_id = segment_id


def parse_segment(document: str | bytes) -> Segment:
    """Read one document. Raises BadSegment."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise BadSegment("DocumentTooLarge", f"a document has at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        segment = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise BadSegment("ParseError", str(error)) from error
    if not isinstance(segment, dict):
        raise BadSegment("ParseError", "not an object")
    segment_id = segment.get("id")
    if not isinstance(segment_id, str) or not is_segment_id(segment_id):
        raise BadSegment("MissingId", f"id is {segment_id!r}, not 16 hexadecimal digits in lower case")
    trace_id = segment.get("trace_id")
    if not is_trace_id(trace_id):
        raise BadSegment("MissingTraceId", f"trace_id is {trace_id!r}, not like 1-58406520-{'a' * 24}", segment_id)
    if not is_whole(segment) and not is_segment_id(segment.get("parent_id")):
        raise BadSegment("MissingParentId", "a subsegment that is sent by itself has a parent_id", segment_id)
    for each in with_subsegments(segment):
        _check(each, segment_id)
    return segment


def is_whole(segment: Mapping[str, Any]) -> bool:
    """Whether the document stands for itself, and is no subsegment of another."""
    return segment.get("type") != "subsegment"


def is_looked_up(key: str) -> bool:
    """Whether annotations of this key are looked up by an index: the service's own have too few values for that."""
    return not key.startswith("aws:")


def joined(documents: Sequence[Segment]) -> list[Segment]:
    """The segments of a trace, each with the subsegments that came apart from it; by their start.

    A subsegment whose parent is not there, or is below itself, stands alone.
    """
    parents = {
        each["id"]: (each, document) for document in documents for each in with_subsegments(document)
    }  # each with the document that it came in
    attached = [(document, parents.get(document.get("parent_id", ""))) for document in documents]
    roots: list[Segment] = []
    for document, parent in attached:
        if is_whole(document) or parent is None or _is_circular(document, parents):
            roots.append(document)
        else:
            parent[0].setdefault("subsegments", []).append(document)
    return sorted(roots, key=lambda each: float(each["start_time"]))


def with_subsegments(segment: Segment) -> Iterator[Segment]:
    """The segment and all below it."""
    left = [segment]
    while left:
        each = left.pop()
        yield each
        below = each.get("subsegments")
        if isinstance(below, list):
            left += [child for child in below if isinstance(child, dict)]


def _is_circular(document: Segment, parents: Mapping[str, tuple[Segment, Segment]]) -> bool:
    """Whether the way up from a document comes by a document twice."""
    seen = {id(document)}
    while not is_whole(document) and (parent := parents.get(document.get("parent_id", ""))) is not None:
        document = parent[1]
        if id(document) in seen:
            return True
        seen.add(id(document))
    return False


def _check(segment: Segment, segment_id: str) -> None:
    """What a segment and a subsegment must have alike. `segment_id` is that of the document."""
    if not is_segment_id(segment.get("id")):
        raise BadSegment("MissingId", "a subsegment has an id of 16 hexadecimal digits", segment_id)
    if "parent_id" in segment and not is_segment_id(segment["parent_id"]):
        raise BadSegment("InvalidParentId", f"parent_id is {segment['parent_id']!r}, not 16 digits", segment_id)
    name = segment.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 200:
        raise BadSegment("MissingName", "name is a text of 1 to 200 characters", segment_id)
    if not _is_time(segment.get("start_time")):
        raise BadSegment("MissingStartTime", "start_time is in seconds since the epoch", segment_id)
    if not _is_time(segment.get("end_time")) and not (segment.get("in_progress") and "end_time" not in segment):
        raise BadSegment("MissingEndTime", "what is not in_progress has an end_time", segment_id)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
