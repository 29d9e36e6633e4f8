"""One HTTP request as the gateway sees it, and its answer. Made once per request, so plain and small."""

from typing import Protocol

import msgspec


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request, complete with its body.

    `path` and `query` are as the client sent them: percent-encoded, the query without its question mark.
    `headers` keeps the client's order and letter case; names and values are raw bytes.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    host: str  # the Host header's name in lower case, without the port; "" when there is none
    port: str  # of the listener that took the call
    source_ip: str
    received_at: float  # seconds since the epoch
    protocol: str = "HTTP/1.1"
    scheme: str = "http"


class Response(msgspec.Struct, frozen=True, gc=False):
    """One answer. The connection adds Content-Length, Connection and Date; nobody else sets these."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class BrokenOff(Exception):
    """The rest of a body will never come."""


class Pieces(Protocol):
    """A body that comes while it is made. Whoever takes one asks for it to its end or abandons it."""

    async def next(self) -> bytes:
        """The next piece; b"" at the end. Awaits plain futures only. Raises BrokenOff."""
        ...

    def abandon(self) -> None:
        """Nobody reads any more: a `next` that waits gives b"", and so does every later one. Safe to do twice."""
        ...


class StreamedResponse(msgspec.Struct, frozen=True):
    """An answer whose body is sent as it comes, in chunks."""

    status: int
    headers: list[tuple[bytes, bytes]]
    pieces: Pieces


HttpAnswer = Response | StreamedResponse
