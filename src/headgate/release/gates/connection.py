"""A client's connection: one HTTP/1.1 exchange at a time, over httptools' parser (RFC 9112)."""

import asyncio
from typing import Final, cast

import httptools

from headgate.model.value import Value
from headgate.release.failures import Unavailable

_MOST_HEAD_BYTES: Final = 65_536


class Answer(Value, frozen=True):
    status: int
    body: bytes  # as much of it as is kept
    is_whole: bool = True


class Connection(asyncio.Protocol):
    """It keeps `kept` bytes of a body and drops the rest; `cut` says to end an exchange as soon as there is a rest."""

    def __init__(self, kept: int, *, cut: bool = False) -> None:
        self.alive = False
        self.peer = ""  # the address that it leads to
        self.exchanges = 0
        self.silent = True  # no byte has come of the present answer
        self._kept = kept
        self._cut = cut
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._body = bytearray()
        self._begin_message()

    def begin(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send a request; its answer fails with Unavailable if the connection breaks."""
        self.silent = True
        self._fed = 0
        self._begin_message()  # the connection may end before an answer begins, and the last one is over
        answer = self._answer = asyncio.get_running_loop().create_future()
        if self.alive:
            self._transport.write(request)
        else:
            self._fail("the connection was closed")
        return answer

    def abort(self) -> None:
        """Close at once; an exchange under way fails."""
        self._fail("the connection was closed")

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = transport.get_extra_info("peername")[0]
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._close()  # nothing was asked
            return
        self.silent = False
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("the answer changes to another protocol")
        except httptools.HttpParserError:
            self._fail("the answer is not HTTP")
        else:
            if not self._has_head and self._fed > _MOST_HEAD_BYTES:
                self._fail(f"the head of the answer is over {_MOST_HEAD_BYTES} bytes")

    def eof_received(self) -> bool:
        if self._has_head and not self._has_length:
            self._finish(keep=False)  # the body lasts until the connection ends (RFC 9112 section 6.3, rule 8)
        self._fail("the connection was closed before the end of the answer")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection broke" if exc is not None else "the connection was closed before an answer")
        self.alive = False

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self._begin_message()

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return  # an interim answer
        self._has_head = True
        self._keep = self._parser.should_keep_alive()
        if self._status in {204, 304}:
            self._finish(keep=self._keep and not self._has_length)  # llhttp would wait for a body of that length

    def on_body(self, data: bytes) -> None:
        room = self._kept - len(self._body)
        self._body += data[:room]
        if len(data) > room:
            self._is_whole = False
            if self._cut:
                self._finish(keep=False)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._finish(keep=self._keep)

    def _begin_message(self) -> None:
        self._status = 0
        self._has_head = False
        self._has_length = False
        self._keep = False
        self._is_whole = True
        self._body.clear()

    def _finish(self, *, keep: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        self.exchanges += 1
        if not keep:
            self._close()
        if not answer.done():
            answer.set_result(Answer(status=self._status, body=bytes(self._body), is_whole=self._is_whole))

    def _fail(self, why: str) -> None:
        answer, self._answer = self._answer, None
        self._close()
        if answer is not None and not answer.done():
            answer.set_exception(Unavailable(why))

    def _close(self) -> None:
        if self.alive:
            self.alive = False
            self._transport.abort()
