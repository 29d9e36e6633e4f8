"""The sockets of the Runtime API: a listener per execution environment, and HTTP/1.1 on its connections.

`AWS_LAMBDA_RUNTIME_API` is a host and a port and can hold no secret, so each environment has a port of its own: it
listens on 127.0.0.1 while that environment lives, and only what comes over it acts on that environment's calls.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import httptools

from headgate.functions.response_stream import ResponseStream
from headgate.functions.runtime_api import (
    ApiRequest,
    Refused,
    is_streamed,
    refusal_reply,
    too_large_reply,
)

MAX_CONNECTIONS: Final = 32  # of one environment; what comes beyond is closed
MAX_HEAD_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 65_536
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ACCEPT_AGAIN_S: Final = 0.1


class ApiOwner(Protocol):
    """Whose endpoint it is: the environment."""

    def asked(self, request: ApiRequest, connection: "ApiConnection") -> bytes | None:
        """The answer, complete; None when it comes later, by `connection.reply`."""
        ...

    def body_limit(self, request: ApiRequest, connection: "ApiConnection") -> int:
        """How many bytes of the request's body, which is still to come, are kept. Of one that is longer none are."""
        ...

    def response_stream(self) -> ResponseStream | None:
        """Who takes the pieces of the call's streamed response as they come; without one they are put together."""
        ...

    def connection_lost(self, connection: "ApiConnection") -> None:
        """It will not be answered any more."""
        ...


class ApiListener:
    """One environment's endpoint, on a socket that listens. Whoever makes one closes it, and the socket with it."""

    def __init__(self, owner: ApiOwner, listening: socket.socket) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._connections: set[ApiConnection] = set()
        self._again: asyncio.TimerHandle | None = None
        self._socket = listening
        listening.setblocking(False)
        self._loop.add_reader(self._socket.fileno(), self._on_connect)

    def close(self) -> None:
        """Let go of the port and of all connections. Safe to do twice."""
        if self._again is not None:
            self._again.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
        for connection in list(self._connections):
            connection.close()

    def _on_connect(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError:
            # Out of descriptors, most likely. The event loop would come back at once, and without end.
            self._loop.remove_reader(self._socket.fileno())
            self._again = self._loop.call_later(_ACCEPT_AGAIN_S, self._accept_again)
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            accepted.close()
            return
        self._connections.add(ApiConnection(accepted, self._owner, self._connections.discard))

    def _accept_again(self) -> None:
        self._loop.add_reader(self._socket.fileno(), self._on_connect)


class ApiConnection:
    """One connection of a runtime: requests in, one after the other, and an answer to each."""

    def __init__(self, accepted: socket.socket, owner: ApiOwner, forget: Callable[["ApiConnection"], None]) -> None:
        self._socket = accepted
        self._owner = owner
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._complete: deque[tuple[ApiRequest, bool]] = deque()  # with whether the connection is kept
        self._awaited = False  # an answer is to come by `reply`
        self._answering = False
        self._pieces: list[tuple[ResponseStream, str, bytes]] = []  # with the content type, of what was read last
        self._kept = True
        self._unsent = memoryview(b"")
        self._begin()
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(accepted.fileno(), self._on_readable)

    def reply(self, answer: bytes) -> None:
        """Send the answer that was to come later. No effect on a connection that is closed."""
        self._awaited = False
        self._send(answer)
        if not self._kept:
            self._close_when_sent()
        elif not self._answering:
            self._answer_complete()

    def close(self) -> None:
        """Let go of the socket. Safe to do twice."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        if self._unsent:
            self._loop.remove_writer(self._socket.fileno())
            self._unsent = memoryview(b"")
        self._socket.close()
        self._forget(self)
        self._owner.connection_lost(self)

    # What the parser calls. An exception in here would be taken for the parser's own, so requests are answered later.

    def _begin(self) -> None:
        self._path = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._limit_bytes = 0
        self._wants_continue = False
        self._stream: ResponseStream | None = None

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._path += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._limit_bytes = self._owner.body_limit(self._request(), self)
        self._wants_continue = self._headers.get("expect", "").lower() == "100-continue"
        if self._limit_bytes and is_streamed(self._headers):
            self._stream = self._owner.response_stream()
            if self._stream is not None:
                self._put_off(self._stream, b"")

    def on_body(self, piece: bytes) -> None:
        self._body_bytes += len(piece)
        if self._body_bytes > self._limit_bytes:
            self._body.clear()  # what is too long is read to its end, so that the answer finds its reader
        elif self._stream is not None:
            self._put_off(self._stream, piece)
        else:
            self._body.append(piece)

    def _put_off(self, stream: ResponseStream, piece: bytes) -> None:
        self._pieces.append((stream, self._headers.get("content-type", ""), piece))

    def on_message_complete(self) -> None:
        self._complete.append((self._request(), self._parser.should_keep_alive()))

    def _request(self) -> ApiRequest:
        return ApiRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=self._path.decode("latin-1"),
            headers=self._headers,
            body=b"".join(self._body),
            limit_bytes=self._limit_bytes,
            too_large=self._body_bytes > self._limit_bytes,
        )

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError(f"a head of over {MAX_HEAD_BYTES} bytes")

    # In and out.

    def _on_readable(self) -> None:
        try:
            received = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received or self._awaited:
            # Nothing is asked while an answer is awaited, so nothing has to be kept until then.
            self.close()
            return
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._complete.clear()
            self._send(refusal_reply(Refused(400, "BadRequest", "This is not HTTP/1.1 as the Runtime API has it")))
            self._close_when_sent()
            return
        if self._pieces:
            self._pass_pieces_on()
        if self._complete:
            self._answer_complete()
        elif self._wants_continue:
            self._continue_or_refuse()

    def _pass_pieces_on(self) -> None:
        """Give them to their stream; where that is full by now, read on when it has room."""
        pieces, self._pieces = self._pieces, []
        for stream, content_type, piece in pieces:
            stream.begin(content_type)
            stream.put(piece)
        stream = pieces[-1][0]
        if stream.full:
            self._loop.remove_reader(self._socket.fileno())
            stream.when_room(self._read_on)

    def _read_on(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def _answer_complete(self) -> None:
        self._answering = True
        while self._complete and not self._awaited and self._kept:
            request, self._kept = self._complete.popleft()
            self._awaited = True  # the answer may come before `asked` returns
            answer = self._owner.asked(request, self)
            if answer is not None:
                self._awaited = False
                self._send(answer)
        self._answering = False
        if not self._kept and not self._awaited:
            self._close_when_sent()

    def _continue_or_refuse(self) -> None:
        self._wants_continue = False
        declared = self._headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._limit_bytes:
            # Its body is not sent, so the owner is asked now.
            request = self._request()
            request.too_large = True
            self._send(self._owner.asked(request, self) or too_large_reply(self._limit_bytes))
            self._close_when_sent()
        else:
            self._send(_CONTINUE)

    def _send(self, answer: bytes) -> None:
        if self._socket.fileno() < 0:
            return
        if self._unsent:
            self._unsent = memoryview(bytes(self._unsent) + answer)
            return
        try:
            sent = self._socket.send(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(answer):
            self._unsent = memoryview(answer)[sent:]
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())
            if not self._kept:
                self._close_when_sent()

    def _close_when_sent(self) -> None:
        self._kept = False
        if self._unsent or self._socket.fileno() < 0:
            return
        # The end of our half first: closing at once, with input unread, would take the answer away from its reader.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._loop.remove_reader(self._socket.fileno())
        self._loop.add_reader(self._socket.fileno(), self._discard)

    def _discard(self) -> None:
        try:
            received = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self.close()
