"""The bytes of an answer (RFC 9112 sections 4 to 6). Pure; the connection writes what comes out of here."""

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from headgate.model.call import HttpAnswer, Response, StreamedResponse

CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"  # said to HTTP/1.0 clients only: later ones take it for granted
LAST_CHUNK: Final = b"0\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# Beyond this a body is handed to the transport as it is instead of being copied behind its head.
COPIED_BODY_BYTES: Final = 65_536


class UnsendableResponse(ValueError):
    """A header or status that would break the framing: a line break in a value, or an interim status."""


def encode_head(response: Response, date_line: bytes, connection_line: bytes) -> bytes:
    """The status line, all headers and the blank line.

    `date_line` and `connection_line` are whole lines, the latter possibly empty. Raises UnsendableResponse.
    """
    status = response.status
    start = _STATUS_LINES.get(status) or _rare_status_line(status)
    lines = _header_lines(response.headers)
    if status in _WITHOUT_LENGTH:
        return b"".join((start, date_line, lines, connection_line, b"\r\n"))
    return b"%b%b%bContent-Length: %d\r\n%b\r\n" % (start, date_line, lines, len(response.body), connection_line)


def encode_streamed_head(
    response: StreamedResponse, date_line: bytes, connection_line: bytes, *, chunked: bool
) -> bytes:
    """The head of an answer whose length nobody knows yet; without chunks (HTTP/1.0) its body ends with the connection.

    Raises UnsendableResponse.
    """
    start = _STATUS_LINES.get(response.status) or _rare_status_line(response.status)
    framing = b"Transfer-Encoding: chunked\r\n" if chunked and response.status not in _WITHOUT_LENGTH else b""
    return b"".join((start, date_line, _header_lines(response.headers), framing, connection_line, b"\r\n"))


def chunk(piece: bytes) -> bytes:
    """A piece as a chunk (RFC 9112 section 7.1); it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def has_body(response: HttpAnswer, method: str) -> bool:
    """Whether the body follows the head (RFC 9112 section 6.3, rule 1)."""
    return method != "HEAD" and response.status not in _WITHOUT_LENGTH


def date_line(at: float | None = None) -> bytes:
    """The Date header for `at` (seconds since the epoch; now when None), as a whole line."""
    return b"Date: %b\r\n" % formatdate(time.time() if at is None else at, usegmt=True).encode()


_join_header: Final = b": ".join


def _header_lines(headers: list[tuple[bytes, bytes]]) -> bytes:
    if not headers:
        return b""
    lines = b"\r\n".join(map(_join_header, headers))
    # One look at all of them: a value holding a line break would let a backend write the next answer.
    if len(lines) - len(lines.translate(None, b"\r\n\0")) != 2 * len(headers) - 2:
        raise UnsendableResponse("a header of the answer holds a line break or a zero byte")
    return lines + b"\r\n"


# 204 must not have a Content-Length (RFC 9110 section 8.6); a 304's would have to be that of the 200 it stands for.
_WITHOUT_LENGTH: Final = frozenset((204, 304))

_STATUS_LINES: Final = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus if status >= 200
}


def _rare_status_line(status: int) -> bytes:
    """The reason phrase may be empty; its space may not be left out (RFC 9112 section 4)."""
    if not 200 <= status <= 999:
        raise UnsendableResponse(f"status {status} cannot end an exchange")
    return b"HTTP/1.1 %d \r\n" % status
