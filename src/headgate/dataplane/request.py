"""A routed request: the call, what it was routed to, and its identifiers. Made once all of these are known."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from headgate.dataplane.address import Address
from headgate.dataplane.watch import Watch
from headgate.model.call import Call
from headgate.model.ids import new_request_id, random_bits
from headgate.model.trace import new_trace_id, trace_header

if TYPE_CHECKING:
    from headgate.dataplane.snapshot import MethodSnapshot, StageSnapshot, Variant


class Ids(msgspec.Struct, frozen=True, gc=False):
    """`request_id` is a UUID and `extended_id` the gateway's own; both go out on every answer."""

    request_id: str
    extended_id: str


def new_ids() -> Ids:
    return Ids(new_request_id(), f"{random_bits(60):015x}=")


class Forwarding(msgspec.Struct, frozen=True, gc=False):
    """What the gateway tells a backend of the way a request came."""

    trace_id: str  # X-Amzn-Trace-Id: the caller's, or a new root; of a traced request the gateway's own
    forwarded_for: str  # X-Forwarded-For, with this hop's client appended


class Trace(msgspec.Struct, frozen=True, gc=False):
    """The trace that a request is part of, and the gateway's place in it."""

    trace_id: str
    parent_id: str  # of whoever called; "" where the trace begins here
    segment_id: str
    subsegment_id: str  # of the integration's call: what a backend adds to the trace hangs below it
    rule_name: str  # of the sampling rule that decided; "" where the caller had decided


class Request(msgspec.Struct, frozen=True):
    """What an integration works from."""

    call: Call
    address: Address
    ids: Ids
    stage: "StageSnapshot"
    variant: "Variant"
    method: "MethodSnapshot"
    path_parameters: Mapping[str, str]  # undecoded
    forwarded: Forwarding
    watch: Watch | None = None  # None: nothing will be told of the integration
    trace: Trace | None = None  # None: it is not traced


def untold_copy(request: Request) -> Request:
    """The same request once more: a backend is told that it is not traced, and nobody is told of it."""
    forwarded = request.forwarded
    if request.trace is not None:
        forwarded = Forwarding(trace_header(request.trace.trace_id, "", sampled=False), forwarded.forwarded_for)
    return msgspec.structs.replace(request, ids=new_ids(), forwarded=forwarded, watch=None, trace=None)


def forwarding(call: Call) -> Forwarding:
    trace_id, forwarded_for = "", call.source_ip
    for name, value in call.headers:
        if len(name) == 15:  # both names have 15 letters: most headers are told apart by that
            lower = name.lower()
            if lower == b"x-amzn-trace-id":
                trace_id = value.decode("latin-1")
            elif lower == b"x-forwarded-for":
                forwarded_for = f"{value.decode('latin-1')}, {call.source_ip}"
    return Forwarding(trace_id or f"Root={new_trace_id(call.received_at)}", forwarded_for)


def query_parameters(call: Call) -> list[tuple[str, str]]:
    """Decoded, in order: `+` is a blank, a name without a value has the value "", a raw `;` splits too."""
    query = call.query
    return parse_qsl(query.replace(";", "&"), keep_blank_values=True) if query else []


def request_time(now: float) -> str:
    """`requestTime` of the context: 10/Oct/2024:13:55:36 +0000."""
    global _request_time  # noqa: PLW0603  one text a second serves all requests of that second
    second = int(now)
    if _request_time[0] != second:
        _request_time = (second, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second)))
    return _request_time[1]


_request_time = (-1, "")
