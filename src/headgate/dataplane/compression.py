"""Payload compression: bodies at or above an API's `minimumCompressionSize` (aws-semantics 3.10)."""

import gzip
import zlib
from typing import Final

from headgate.dataplane import headers
from headgate.dataplane.snapshot import Reply

_LEVEL: Final = 6
MAX_BODY_BYTES: Final = 10_485_760


class BadEncoding(ValueError):
    """A request body is not what its Content-Encoding says, or grows over the payload limit."""


def compress(reply: Reply, accept_encoding: bytes | None, minimum_size: int) -> Reply:
    """The reply gzip- or deflate-encoded where the client takes it and the body is large enough."""
    if len(reply.body) < minimum_size or not accept_encoding or not reply.body:
        return reply
    if headers.first(reply.headers, b"content-encoding") is not None:
        return reply
    for coding in _accepted(accept_encoding):
        if coding == b"gzip":
            # mtime 0: equal bodies give equal bytes.
            return _encoded(reply, b"gzip", gzip.compress(reply.body, _LEVEL, mtime=0))
        if coding == b"deflate":
            return _encoded(reply, b"deflate", zlib.compress(reply.body, _LEVEL))
    return reply


def decompress(body: bytes, content_encoding: bytes) -> bytes:
    """A request body decoded; bodies in other codings stay as they are. Raises BadEncoding."""
    coding = content_encoding.strip().lower()
    if coding not in {b"gzip", b"deflate"}:
        return body
    decoder = zlib.decompressobj(zlib.MAX_WBITS | (16 if coding == b"gzip" else 0))
    try:
        plain = decoder.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise BadEncoding(f"the body is not {coding.decode()}") from error
    if len(plain) > MAX_BODY_BYTES or not decoder.eof:
        raise BadEncoding("the decoded body is cut short or too large")
    return plain


def _accepted(accept_encoding: bytes) -> list[bytes]:
    """The codings a client takes, in its own order; one with q=0 is refused."""
    codings = []
    for part in accept_encoding.lower().split(b","):
        coding, _, quality = part.partition(b";")
        if quality.strip().replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"}:
            codings.append(coding.strip())
    return codings


def _encoded(reply: Reply, coding: bytes, body: bytes) -> Reply:
    return Reply(reply.status, [*reply.headers, (b"Content-Encoding", coding)], body)
