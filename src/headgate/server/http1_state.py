"""Reads requests: bytes in, complete calls out, in order. One reader per connection; it knows no socket and no timer.

The grammar is llhttp's, in its strict mode, through httptools. It refuses by itself: control characters, bare CR and
LF, obs-fold, white space before a colon, names that are no token, both lengths, two lengths, lengths that are no
number, bad chunk sizes and chunk ends. Here is what it leaves open: limits, Host, the target's form, versions, codings
other than `chunked`, Expect, offered upgrades, chunk extensions and trailers.
"""

import time
from collections import deque
from typing import Final, NoReturn

import httptools
from msgspec import structs

from headgate.model.call import Call
from headgate.server.http1_refusal import (
    BAD_REQUEST,
    EXPECTATION_FAILED,
    HEADERS_TOO_LARGE,
    METHOD_NOT_ALLOWED,
    URI_TOO_LONG,
    VERSION_NOT_SUPPORTED,
    HttpRefusal,
    body_too_large,
)
from headgate.server.http1_target import HOSTS, BadTarget, host_name, split_target
from headgate.server.http_limits import HttpLimits


class RequestReader:
    """One connection's requests, as they come in.

    After `feed`, look at `calls` (complete ones; take from the left), `refusal` (what to answer after them, then close)
    and `wants_continue`. `ended` says that nothing after the last call is read: the client asked to close.
    """

    __slots__ = (
        "_body", "_call", "_chunks", "_declining", "_fed", "_harmless_bytes", "_headers", "_host", "_keeps", "_length",
        "_limits", "_marks", "_parser", "_port", "_segment", "_source_ip", "_spare", "_target",
        "body_bytes", "calls", "ended", "in_body", "mid_message", "refusal", "wants_continue",
    )  # fmt: skip

    def __init__(self, limits: HttpLimits, source_ip: str, port: str) -> None:
        self._limits = limits
        self._harmless_bytes = min(limits.request_line_bytes, limits.header_bytes, limits.headers * len(b"x:\r\n"))
        self._source_ip = source_ip
        self._port = port
        self._parser = httptools.HttpRequestParser(self)
        self.calls: deque[Call] = deque()
        self.refusal: HttpRefusal | None = None
        self.ended = False
        self.mid_message = False  # some of a request has been read, not all of it
        self.in_body = False  # and its head is complete
        self.wants_continue = False
        self.body_bytes = 0  # of the message being read
        self._host: bytes | None = None
        self._body: bytes | bytearray = b""
        self._segment = 0  # length of the read being parsed
        self._fed = 0  # bytes of the message's head, counted from the first read that began within it
        self._declining = False  # the message being read offers another protocol

    def feed(self, data: bytes) -> None:
        """Parse one read. Never raises; after a refusal or the last request it does nothing."""
        while data:
            if self.ended or self.refusal is not None:
                return
            self._segment = len(data)
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._decline_upgrade(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                self._blame(error)
            else:
                if self.mid_message:
                    self._judge_incomplete()
                else:
                    self._fed = 0
                return

    def release(self) -> None:
        """Let go of the parser, which holds this reader in turn. Nothing may be fed afterwards."""
        del self._parser

    # What llhttp calls, in this order. Raising ends the parsing.

    def on_message_begin(self) -> None:
        self.mid_message = True
        self._target = b""
        self._host = None
        self._marks = 0
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, fragment: bytes) -> None:
        self._target = self._target + fragment if self._target else fragment

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_body:
            return  # a trailer: read over (RFC 9110 section 6.5.1), its bytes counted in _judge_incomplete
        mark = _MARKS.get(name)
        if mark is None:
            mark = _mark(name)
        value = value.rstrip(b" \t")
        if mark:
            self._note(mark, value)
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        marks = self._marks
        target = self._target
        method = _METHODS.get(parser.get_method())
        if method is None:
            self._refuse(METHOD_NOT_ALLOWED)
        # Added up only where it can matter: the head came in several reads, or in one that could hold too much.
        if self._segment > self._harmless_bytes or self._fed > 0:
            self._judge_size(method)
        keeps = parser.should_keep_alive()
        # Without a Connection header only HTTP/1.1 is kept alive; asking that is cheaper than formatting a version.
        if keeps and marks & _CONNECTION == 0:
            protocol = "HTTP/1.1"
        else:
            protocol = _PROTOCOLS.get(parser.get_http_version(), "")
            if not protocol:
                self._refuse(VERSION_NOT_SUPPORTED)
        named = self._host
        if named is None:
            if protocol == "HTTP/1.1":
                self._refuse(BAD_REQUEST)  # RFC 9112 section 3.2
            named = b""
        try:
            host = HOSTS.get(named)
            if host is None:
                host = host_name(named)
            if target.startswith(b"/") and b"#" not in target:
                path, _, query = target.decode("ascii").partition("?")
            else:
                # A target's own host wins (RFC 9112 section 3.2.2), but the header is not free to be anything.
                path, query, host = split_target(target, method, host)
        except BadTarget:
            self._refuse(BAD_REQUEST)
        self._keeps = keeps
        self._call = call = Call(
            method, path, query, self._headers, b"", host, self._port, self._source_ip, _wall_clock(), protocol
        )
        if marks:
            self._judge_marks(marks, call)

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, data: bytes) -> None:
        size = self.body_bytes = self.body_bytes + len(data)
        if size > self._limits.body_bytes:
            self._refuse(body_too_large(self._limits.body_bytes))
        body = self._body
        if not body:
            self._body = data
        elif type(body) is bytearray:
            body += data
        else:
            # One growing buffer, not a list: a client may send its body a byte at a time.
            self._body = bytearray(body)
            self._body += data

    def on_message_complete(self) -> None:
        if self.in_body:
            if self._declining:
                return
            self._complete_body()
        self.calls.append(self._call)
        if not self._keeps:
            self.ended = True
        self.mid_message = False
        self._fed = -self._segment  # so that what follows in this read counts as nothing, see _judge_incomplete

    # What llhttp leaves open.

    def _refuse(self, refusal: HttpRefusal) -> NoReturn:
        self.refusal = refusal
        raise _Refused

    def _blame(self, error: httptools.HttpParserError) -> None:
        # llhttp also calls it an error when bytes follow a request that closes; they are not ours to judge.
        if not self.ended and self.refusal is None:
            self.refusal = _REFUSED_VERSION.get(error.args[0], BAD_REQUEST)

    def _note(self, mark: int, value: bytes) -> None:
        """Take one of the headers that decide how the message is read."""
        if mark == _HOST:
            if self._host is not None:
                self._refuse(BAD_REQUEST)
            self._host = value
            return
        self._marks |= mark
        if mark == _CONTENT_LENGTH:
            self._length = int(value)  # digits, and few: llhttp has seen to it
        elif mark == _TRANSFER_ENCODING:
            # No other coding is implemented, and guessing at a list's meaning is how requests are smuggled.
            if value.lower() != b"chunked":
                self._refuse(BAD_REQUEST)
        elif mark == _EXPECT and value.lower() != b"100-continue":
            self._marks |= _EXPECT_OTHER

    def _judge_size(self, method: str) -> None:
        limits = self._limits
        headers = self._headers
        if len(self._target) + len(method) + _REST_OF_LINE_BYTES > limits.request_line_bytes:
            self._refuse(URI_TOO_LONG)
        if len(headers) > limits.headers:
            self._refuse(HEADERS_TOO_LARGE)
        if sum(len(name) + len(value) + 4 for name, value in headers) > limits.header_bytes:
            self._refuse(HEADERS_TOO_LARGE)

    def _judge_marks(self, marks: int, call: Call) -> None:
        """See to what one of the marked headers asks for, a body above all."""
        if marks & _UPGRADE and self._parser.should_upgrade():
            self._declining = self.in_body = True
            return
        if marks & _TRANSFER_ENCODING and call.protocol == "HTTP/1.0":
            self._refuse(BAD_REQUEST)  # RFC 9112 section 6.1: the framing is suspect
        length = self._length if marks & _CONTENT_LENGTH else 0
        if length > self._limits.body_bytes:
            self._refuse(body_too_large(self._limits.body_bytes))
        if marks & _EXPECT_OTHER and call.protocol == "HTTP/1.1":
            self._refuse(EXPECTATION_FAILED)
        if length or marks & _TRANSFER_ENCODING:
            self.in_body = True
            self.body_bytes = 0
            self._chunks = 0
            self._spare = self._limits.chunk_overhead_bytes + self._segment
            # RFC 9110 section 10.1.1: from an HTTP/1.0 client it is not looked at.
            self.wants_continue = marks & _EXPECT != 0 and call.protocol == "HTTP/1.1"

    def _complete_body(self) -> None:
        body = self._body
        self._call = structs.replace(self._call, body=body if type(body) is bytes else bytes(body))
        self._body = b""
        self.in_body = self.wants_continue = False

    def _judge_incomplete(self) -> None:
        """Bound what an unfinished message may hold: all of it was within bounds, or was not seen, until this read."""
        limits = self._limits
        if self.in_body:
            self._spare -= self._segment
            if self._spare + self.body_bytes + _PLAIN_CHUNK_BYTES * self._chunks < 0:
                self.refusal = BAD_REQUEST
            return
        self._fed += self._segment
        if len(self._target) > limits.request_line_bytes:
            self.refusal = URI_TOO_LONG
        elif self._fed > limits.request_line_bytes + limits.header_bytes:
            self.refusal = HEADERS_TOO_LARGE

    def _decline_upgrade(self, rest: bytes) -> bytes:
        """What to parse instead of a head that offered to switch protocols (RFC 9110 section 7.8: it may be ignored).

        llhttp takes such a request to have no body whatever its head says, so a body would be read as the next request.
        Java's client offers h2c on every request, with and without a body. The head is therefore parsed again without
        the offer, by a new parser.
        """
        self._declining = self.in_body = False
        kept = [h for h in self._headers if h[0].lower() not in (b"upgrade", b"connection", b"http2-settings")]
        if not self._keeps:
            kept.append((b"Connection", b"close"))
        lines = b"".join([b"%b: %b\r\n" % header for header in kept])
        start = b"%b %b %b\r\n" % (self._call.method.encode(), self._target, self._call.protocol.encode())
        self._parser = httptools.HttpRequestParser(self)
        return start + lines + b"\r\n" + rest


class _Refused(Exception):
    """Ends the parsing from within a callback; `refusal` says why."""


_wall_clock = time.time

_HOST, _CONTENT_LENGTH, _TRANSFER_ENCODING, _CONNECTION, _UPGRADE, _EXPECT, _EXPECT_OTHER = (1 << n for n in range(7))
_MARKED: Final = {
    b"host": _HOST,
    b"content-length": _CONTENT_LENGTH,
    b"transfer-encoding": _TRANSFER_ENCODING,
    b"connection": _CONNECTION,
    b"upgrade": _UPGRADE,
    b"expect": _EXPECT,
}

# Header names as they were spelled -> mark; 0 for most. Clients spell few names in few ways. When full it begins anew.
_MARKS: Final[dict[bytes, int]] = {}
_MARKS_KEPT: Final = 2_048
_LONGEST_NAME_KEPT: Final = 64

# Others, among them CONNECT and what llhttp knows of WebDAV and RTSP, no API can declare.
_METHODS: Final = {
    name.encode(): name for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
}
_PROTOCOLS: Final = {"1.1": "HTTP/1.1", "1.0": "HTTP/1.0"}
_REFUSED_VERSION: Final = {"Invalid HTTP version": VERSION_NOT_SUPPORTED, "Pause on PRI/Upgrade": VERSION_NOT_SUPPORTED}
_REST_OF_LINE_BYTES: Final = len(b"  HTTP/1.1")
_PLAIN_CHUNK_BYTES: Final = 16  # size in hex and two line ends


def _mark(name: bytes) -> int:
    mark = _MARKED.get(name.lower(), 0)
    if len(_MARKS) >= _MARKS_KEPT:
        _MARKS.clear()
    if len(name) <= _LONGEST_NAME_KEPT:
        _MARKS[name] = mark
    return mark
