"""A routed request: the call, what it was routed to, and its identifiers. Made once all of these are known."""

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from headgate.dataplane import headers
from headgate.dataplane.address import Address
from headgate.model.call import Call
from headgate.model.ids import new_request_id, random_bits

if TYPE_CHECKING:
    from headgate.dataplane.snapshot import MethodSnapshot, StageSnapshot, Variant


class Ids(msgspec.Struct, frozen=True, gc=False):
    """`request_id` is a UUID and `extended_id` the gateway's own; both go out on every answer."""

    request_id: str
    extended_id: str


def new_ids() -> Ids:
    return Ids(new_request_id(), f"{random_bits(60):015x}=")


def new_trace_id(now: float) -> str:
    """An X-Amzn-Trace-Id root: seconds in 8 hexadecimal digits, then 24 random ones."""
    return f"Root=1-{int(now):08x}-{random_bits(96):024x}"


class Request(msgspec.Struct, frozen=True, dict=True):
    """What an integration works from."""

    call: Call
    address: Address
    ids: Ids
    stage: "StageSnapshot"
    variant: "Variant"
    method: "MethodSnapshot"
    path_parameters: Mapping[str, str]  # undecoded

    @cached_property
    def query_parameters(self) -> list[tuple[str, str]]:
        """Decoded, in order: `+` is a blank, a name without a value has the value "", a raw `;` splits too."""
        query = self.call.query
        return parse_qsl(query.replace(";", "&"), keep_blank_values=True) if query else []

    @cached_property
    def trace_id(self) -> str:
        """The caller's trace header, or a new root."""
        sent = headers.first(self.call.headers, b"x-amzn-trace-id")
        return sent.decode("latin-1") if sent else new_trace_id(self.call.received_at)

    @cached_property
    def forwarded_for(self) -> str:
        """X-Forwarded-For with this hop's client appended."""
        sent = headers.first(self.call.headers, b"x-forwarded-for")
        return f"{sent.decode('latin-1')}, {self.call.source_ip}" if sent else self.call.source_ip


def request_time(now: float) -> str:
    """`requestTime` of the context: 10/Oct/2024:13:55:36 +0000."""
    global _request_time  # noqa: PLW0603  one text a second serves all requests of that second
    second = int(now)
    if _request_time[0] != second:
        _request_time = (second, time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second)))
    return _request_time[1]


_request_time = (-1, "")
