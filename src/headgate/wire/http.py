"""A control-plane request and its answer, as bytes and strings: what the codecs read and write."""

import zlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from headgate.model.call import Pieces
from headgate.model.errors import ApiError
from headgate.model.value import Value

MAX_BODY_BYTES: Final = 128 * 1024 * 1024  # after decompression; Lambda's largest zip, base64 encoded, is 70 MB


class HttpRequest(Value, frozen=True):
    """One request, complete with its body."""

    method: str
    path: str  # percent-encoded, as sent
    query: str = ""  # as sent, without the question mark
    headers: Mapping[str, str] = {}  # lower-case names
    body: bytes = b""


class HttpResponse(Value, frozen=True):
    """One answer. The server adds Content-Length, Connection and Date."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    pieces: Pieces | None = None  # in place of the body, sent as they come


def query_pairs(query: str) -> list[tuple[str, str]]:
    """The decoded names and values of a query string or form, in order. Octets that are no UTF-8 become U+FFFD."""
    return parse_qsl(query, keep_blank_values=True, errors="replace") if query else []


def form_pairs(request: HttpRequest) -> list[tuple[str, str]]:
    """The fields of a query-protocol request: those of its query string, then those of its form."""
    return query_pairs(request.query) + query_pairs(body_of(request).decode("utf-8", "replace"))


def body_of(request: HttpRequest, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body without its content coding: the SDKs gzip large bodies (`requestcompression` in the models).

    Raises ApiError for what is no gzip, and for what would inflate beyond the limit.
    """
    coding = request.headers.get("content-encoding")
    if coding is None or coding.strip().lower() != "gzip":
        return request.body
    inflate = zlib.decompressobj(wbits=31)
    try:
        body = inflate.decompress(request.body, limit)
    except zlib.error as error:
        raise ApiError("SerializationException", "The request body is not valid gzip.") from error
    if inflate.unconsumed_tail:
        raise ApiError("RequestEntityTooLargeException", f"The body is larger than {limit} bytes.", 413)
    if not inflate.eof:
        raise ApiError("SerializationException", "The request body ends before its gzip stream does.")
    return body
