"""Traces as X-Ray names them: ids, and the header X-Amzn-Trace-Id that carries them from hop to hop."""

import re
from typing import Final

import msgspec

from headgate.model.ids import random_bits
from headgate.model.value import Value

_TRACE_ID: Final = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SEGMENT_ID: Final = re.compile(r"[0-9a-f]{16}")


class TraceHeader(msgspec.Struct, frozen=True, gc=False):
    """One X-Amzn-Trace-Id, read. What is missing or malformed is ""."""

    root: str = ""  # the trace's id
    parent: str = ""  # the id of the segment or subsegment that calls
    sampled: str = ""  # "1", "0", or "?" for: decide and tell me


class Asked(Value, frozen=True):
    """What is known of a request when it is decided whether it is traced."""

    service_name: str
    service_type: str
    resource_arn: str
    host: str = ""
    http_method: str = ""
    url_path: str = ""


class Decision(Value, frozen=True):
    sampled: bool
    rule_name: str


def parse_trace_header(text: str) -> TraceHeader:
    """Read a header, whatever its fields and their order."""
    root = parent = sampled = ""
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        match name:
            case "Root" if _TRACE_ID.fullmatch(value):
                root = value
            case "Parent" if _SEGMENT_ID.fullmatch(value):
                parent = value
            case "Sampled" if value in {"0", "1", "?"}:
                sampled = value
    return TraceHeader(root, parent, sampled)


def trace_header(trace_id: str, parent: str, *, sampled: bool) -> str:
    middle = f"Parent={parent};" if parent else ""
    return f"Root={trace_id};{middle}Sampled={sampled:d}"


def new_trace_id(now: float) -> str:
    """Seconds since the epoch in 8 hexadecimal digits, then 24 random ones."""
    return f"1-{int(now):08x}-{random_bits(96):024x}"


def new_segment_id() -> str:
    return f"{random_bits(64):016x}"


def is_trace_id(text: object) -> bool:
    return isinstance(text, str) and _TRACE_ID.fullmatch(text) is not None


def is_segment_id(text: object) -> bool:
    return isinstance(text, str) and _SEGMENT_ID.fullmatch(text) is not None
