"""A client's connection from its first byte to its last: how it is taken, judged when slow, refused, and ended.

What happens in between, requests and their answers, is `http1.GatewayConnection`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from headgate.model.call import Call, HttpAnswer
from headgate.server.http1_answer import CLOSE, COPIED_BODY_BYTES, date_line, encode_head, has_body
from headgate.server.http1_refusal import (
    REQUEST_TIMEOUT,
    UNAVAILABLE,
    HttpRefusal,
    new_request_id,
    refusal_response,
)
from headgate.server.http1_state import RequestReader
from headgate.server.http1_streaming import StreamedBody
from headgate.server.http1_watch import Phase, Sight, Verdict, look
from headgate.server.http_limits import HttpLimits

Handler = Callable[[Call], Coroutine[Any, Any, HttpAnswer]]
OnDefect = Callable[[BaseException, str], None]


class Hub:
    """What the connections of one listener share."""

    def __init__(self, handler: Handler, limits: HttpLimits, on_defect: OnDefect) -> None:
        self.handler = handler
        self.limits = limits
        self.on_defect = on_defect
        self.connections: set[ClientConnection] = set()  # each until its socket is gone and its call has ended
        self.port = ""
        self.draining = False
        self.date_line = date_line()  # renewed by the listener's sweep
        self.emptied = asyncio.Event()
        self.accepted = self.turned_away = self.requests = self.refused = self.defects = 0


class ClientConnection(asyncio.Protocol, ABC):
    """The life of one connection. It ends in one of three ways:

    - `_close`, when the client is known to have said all it will: what is written still goes out;
    - `_linger`, after an answer that is the last although the client may go on sending;
    - `abort`, when the client does not take what is written, or is to have no answer.
    """

    __slots__ = (
        "_closing", "_eof", "_hub", "_lingered_bytes", "_lost", "_reader", "_reading_paused", "_served", "_sight",
        "_streamed", "_transport", "_unread",
    )  # fmt: skip

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._closing = False  # the last answer is written; what is read now is thrown away
        self._lost = False
        self._eof = False  # the client will send no more, but may still read
        self._reading_paused = False
        self._unread = memoryview(b"")  # of a long read: what is parsed in later turns
        self._streamed: StreamedBody | None = None  # of the call being answered, where its body comes in pieces
        self._served = 0
        self._lingered_bytes = 0
        self._sight = Sight()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.phase.value}, {self._served} served, {len(self._reader.calls)} waiting>"

    @property
    def served(self) -> int:
        """Requests answered so far."""
        return self._served

    @property
    @abstractmethod
    def phase(self) -> Phase:
        """What it waits for."""

    # What the listener calls.

    def drain(self) -> None:
        """Close if no byte of a request has been read; otherwise the answer due next will say that it is the last."""
        if self.phase is Phase.IDLE:
            self._close()

    def abort(self) -> None:
        """Close at once, whatever was left to say."""
        self._closing = True
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Judge, about once a second, what has not moved for too long. `now` is monotonic, in seconds."""
        if self._lost:
            return
        phase = self.phase
        if phase is Phase.BODY:
            moved = self._reader.body_bytes
        elif phase in (Phase.WRITING, Phase.CLOSING):
            moved = -self._transport.get_write_buffer_size()
            if self._streamed is not None:
                moved += self._streamed.sent_bytes
        else:
            moved = 0
        self._sight, verdict = look(self._sight, phase, self._served, moved, now, self._hub.limits)
        match verdict:
            case Verdict.REFUSE:
                self._refuse(REQUEST_TIMEOUT)
            case Verdict.CLOSE:
                self._close()
            case Verdict.ABORT:
                self.abort()

    # The beginning: what the transport calls first.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hub = self._hub
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._reader = RequestReader(hub.limits, peer[0] if isinstance(peer, tuple) else "", hub.port)
        hub.accepted += 1
        surplus = len(hub.connections) - hub.limits.connections
        hub.connections.add(self)
        if surplus >= 0:
            hub.turned_away += 1
            if surplus < _REFUSED_IN_WORDS:
                self._refuse(UNAVAILABLE)
            else:
                self.abort()

    # Endings.

    def _refuse(self, refusal: HttpRefusal, request_id: str = "", method: str = "") -> None:
        """Answer what is wrong, as the last answer. `method` is that of the request, where there is one."""
        hub = self._hub
        hub.refused += 1
        response = refusal_response(refusal, request_id or new_request_id())
        head = encode_head(response, hub.date_line, CLOSE)
        self._write(head, response.body if has_body(response, method) else b"")
        self._linger()

    def _end_connection(self) -> None:
        if self._reader.ended:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Say that nothing more comes and read on for a while: closing a socket with unread bytes resets it, and the
        client might lose the answer (RFC 9112 section 9.6)."""
        self._closing = True
        self._reader.calls.clear()
        self._unread = memoryview(b"")
        if self._eof or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _throw_away(self, size: int) -> None:
        self._lingered_bytes += size
        if self._lingered_bytes > self._hub.limits.linger_bytes:
            self._transport.abort()

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

    def _leave(self) -> None:
        """Out of the hub once the socket is gone and no call runs, so that orphaned calls count as connections."""
        hub = self._hub
        hub.connections.discard(self)
        hub.requests += self._served
        if not hub.connections:
            hub.emptied.set()

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) <= COPIED_BODY_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))


# Surplus connections that are told so; those beyond are reset, lest refusing become the load.
_REFUSED_IN_WORDS: Final = 128
