"""One client connection to a backend: an exchange at a time over httptools' response parser (RFC 9112)."""

import asyncio
from typing import Final, Protocol, cast

import httptools

from headgate.dataplane.ports import BackendReply, BackendReplyTooLarge, BackendTimeout, BackendUnreachable


class StaleConnection(Exception):
    """A connection that had served before died before the first byte of an answer: the request may not have arrived."""


class ConnectionOwner(Protocol):
    """What a connection tells the pool that it belongs to."""

    def released(self, connection: "BackendConnection") -> None:
        """The exchange is over and another may begin."""
        ...

    def lost(self, connection: "BackendConnection") -> None:
        """The connection is gone, or about to be."""
        ...


class BackendConnection(asyncio.Protocol):
    """A connection. It is the pool's while idle and one caller's from `begin` until its answer is there."""

    __slots__ = (
        "_body", "_body_limit", "_complete", "_fed", "_head_complete", "_head_limit", "_head_only",
        "_headers", "_keep", "_loop", "_owner", "_parser", "_size", "_status", "_transport", "_waiter",
        "alive", "deadline", "exchanges", "idle_since",
    )  # fmt: skip

    def __init__(self, owner: ConnectionOwner, head_limit: int, body_limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._head_limit = head_limit
        self._body_limit = body_limit
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[BackendReply] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        self._size = 0
        self._fed = 0  # bytes of an answer whose head is not complete
        self._head_complete = False
        self._head_only = False
        self._complete = False
        self.alive = False  # connected, and nothing has gone wrong
        self.deadline = 0.0  # of the exchange, in the loop's time
        self.exchanges = 0
        self.idle_since = 0  # in the pools' ticks

    def __repr__(self) -> str:
        state = "closed" if not self.alive else "idle" if self._waiter is None else "waiting for an answer"
        return f"<BackendConnection {state}, {self.exchanges} exchanges>"

    def begin(self, head: bytes, body: bytes, *, head_only: bool) -> asyncio.Future[BackendReply]:
        """Send one request; the future of its answer.

        It fails with StaleConnection, BackendUnreachable, BackendReplyTooLarge or, by `expire`, BackendTimeout.
        """
        waiter = self._waiter = self._loop.create_future()
        self._head_only = head_only
        self._complete = False
        self._fed = 0
        if len(body) <= _COPIED_BODY_BYTES:
            self._transport.write(head + body if body else head)
        else:
            self._transport.writelines((head, body))
        return waiter

    def expire(self) -> None:
        """The deadline is over: fail the exchange and close, so that a late answer reaches nobody."""
        self._fail(BackendTimeout("the backend did not answer in time"))

    def abort(self) -> None:
        """Close without waiting, failing the exchange if there is one."""
        self._fail(BackendUnreachable("the connection was closed"))

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.alive = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # Nothing was asked. What this is the answer to cannot be known, so nobody may get it.
            self._fail(BackendUnreachable("the backend sent bytes that nobody asked for"))
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                self._fail(self._named(error))
                return
            self._keep = False  # the answer is whole, but the bytes beyond it are not the next one's
        if self._complete:
            self._finish(data)
        elif not self._head_complete and self._fed > self._head_limit:
            self._fail(BackendUnreachable(f"the head of the answer is over {self._head_limit} bytes"))

    def eof_received(self) -> bool:
        if self._waiter is not None and not self._complete and self._head_complete and self._ends_with_connection():
            self._deliver()
        self._lose()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._lose()

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Unexpected
        self._headers = []
        self._body = b""
        self._size = 0
        self._head_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_complete:  # a trailer is dropped
            self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return  # an interim answer
        self._status = status
        self._keep = self._parser.should_keep_alive()  # only here: llhttp forgets the length with the last byte
        self._head_complete = True
        if self._head_only or status in (204, 304):
            # llhttp would wait for the body that a Content-Length announces; here there is none (RFC 9112 section 6.3).
            self._complete = True
            self._head_only = True

    def on_body(self, data: bytes) -> None:
        if self._complete or not self._head_complete:
            raise _Unexpected
        self._size += len(data)
        if self._size > self._body_limit:
            raise _TooLarge
        body = self._body
        if not body:
            self._body = data
        elif type(body) is bytearray:
            body += data
        else:
            self._body = bytearray(body)
            self._body += data

    def on_message_complete(self) -> None:
        if self._head_complete:
            self._complete = True

    # From the answer's last byte to the next request.

    def _finish(self, data: bytes) -> None:
        keep = self._keep and self._transport.get_write_buffer_size() == 0
        if self._head_only:
            # The parser is still where a body would begin. Bytes after the head must not be met by the next answer.
            keep = keep and data.find(b"\r\n\r\n") == len(data) - 4
            self._parser = httptools.HttpResponseParser(self)
        self._deliver()
        if keep:
            self._head_complete = False
            self.exchanges += 1
            self._owner.released(self)
        else:
            self._close()

    def _deliver(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            body = self._body
            waiter.set_result(BackendReply(self._status, self._headers, body if type(body) is bytes else bytes(body)))
        self._body = b""
        self._headers = []

    def _ends_with_connection(self) -> bool:
        """Neither a length nor chunks: the body lasts until the backend closes (RFC 9112 section 6.3, rule 8)."""
        return not any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)

    def _named(self, error: Exception) -> Exception:
        if isinstance(error.__context__, _TooLarge):
            return BackendReplyTooLarge(f"the answer's body is over {self._body_limit} bytes")
        return BackendUnreachable(f"not an HTTP answer: {error}")

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self._close()

    def _lose(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            if self.exchanges and self._fed == 0:
                waiter.set_exception(StaleConnection())
            else:
                waiter.set_exception(BackendUnreachable("the connection broke before the answer was whole"))
        self._close()

    def _close(self) -> None:
        if self.alive:
            self.alive = False
            self._transport.abort()
            self._owner.lost(self)


class _Unexpected(Exception):
    """Bytes where none belong."""


class _TooLarge(Exception):
    """The body is over the limit."""


# Beyond this a body is handed to the transport as it is instead of being copied behind its head.
_COPIED_BODY_BYTES: Final = 65_536
