"""One HTTP request as the gateway sees it, and its answer. Made once per request, so plain and small."""

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
