"""A connection's requests and their answers: the shell around `RequestReader`, the handler and the answers' bytes.

Requests of a connection are answered in order, one at a time. A client that leaves does not stop its call: a Lambda
invocation cannot be undone, and its metrics and log line are still due. Its answer is dropped.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, cast

from headgate.model.call import BrokenOff, Call, HttpAnswer, Response, StreamedResponse
from headgate.server.http1_answer import (
    CLOSE,
    CONTINUE,
    KEEP_ALIVE,
    UnsendableResponse,
    encode_head,
    encode_streamed_head,
    has_body,
)
from headgate.server.http1_connection import ClientConnection, Hub
from headgate.server.http1_refusal import DEFECT, new_request_id
from headgate.server.http1_streaming import StreamedBody
from headgate.server.http1_watch import Phase


class GatewayConnection(ClientConnection):
    """One connection. Its handler is stepped by hand: no task is made for a request.

    A task costs about as much as the parsing of a request, and most handlers either answer at once or wait for one or
    two futures. So handlers may await futures, whatever awaits futures, and `asyncio.sleep(0)`; they have no current
    task, hence no `asyncio.timeout` or `TaskGroup`.
    """

    __slots__ = ("_call", "_coroutine", "_resting", "_write_paused")

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._call: Call | None = None
        self._coroutine: Coroutine[Any, Any, HttpAnswer | None] | None = None  # of the call being answered
        self._write_paused = False
        self._resting = False  # others have their turn; `_go_on` is due

    @property
    def phase(self) -> Phase:
        if self._closing:
            return Phase.CLOSING
        if self._write_paused:
            return Phase.WRITING
        if self._coroutine is not None or self._reader.calls or self._unread:
            return Phase.CALL
        if self._reader.in_body:
            return Phase.BODY
        return Phase.HEAD if self._reader.mid_message else Phase.IDLE

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        if self._closing:
            self._throw_away(len(data))
            return
        if len(data) <= _SLICE_BYTES and not self._unread:
            self._take(data)
        else:
            self._unread = memoryview(bytes(self._unread) + data if self._unread else data)
            if not self._resting:
                self._take_slice()

    def _take(self, data: bytes) -> None:
        reader = self._reader
        reader.feed(data)
        if self._coroutine is None and not self._resting:
            self._advance()
        if (reader.calls or self._unread) and not self._reading_paused and not self._closing:
            self._bound_reading()

    def _take_slice(self) -> None:
        """Parse the next part of a long read: it may hold thousands of requests. `_settle` sees to the rest."""
        size = _BODY_SLICE_BYTES if self._reader.in_body else _SLICE_BYTES
        data, self._unread = bytes(self._unread[:size]), self._unread[size:]
        self._take(data)

    def _bound_reading(self) -> None:
        limits = self._hub.limits
        calls = self._reader.calls
        too_many = bool(self._unread) or len(calls) > limits.parsed_ahead
        if too_many or sum(len(call.body) for call in calls) > limits.parsed_ahead_bytes:
            self._reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._eof = True
        # True keeps the socket open for the answers that are still due.
        return not self._closing and self.phase in (Phase.CALL, Phase.WRITING)

    def pause_writing(self) -> None:
        self._write_paused = True
        if self._streamed is not None:
            self._streamed.pause()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._streamed is not None:
            self._streamed.resume()
        if self._coroutine is None and not self._closing:
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._lost = True
        self._reader.release()
        if self._streamed is not None:
            self._streamed.abandon()
        if self._coroutine is None:
            self._leave()

    # From calls to answers.

    def _advance(self) -> None:
        """Answer what has been read, until a call has to wait or the client does not read."""
        calls = self._reader.calls
        left = _ANSWERS_A_TURN
        while calls and not self._closing:
            if self._write_paused:
                return
            if left == 0:
                self._rest()
                return
            left -= 1
            call = self._call = calls.popleft()
            self._coroutine = self._hub.handler(call)
            if not self._step():
                return
        reader = self._reader
        if self._reading_paused or self._unread or self._eof or reader.wants_continue or reader.refusal is not None:
            self._settle()

    def _rest(self) -> None:
        """Let others have their turn."""
        if not self._resting:
            self._resting = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if self._coroutine is not None or self._closing or self._lost:
            return
        if self._reader.calls or not self._unread:
            self._advance()
        else:
            self._take_slice()

    def _settle(self) -> None:
        """All calls are answered: what was put off until then."""
        if self._lost or self._closing:
            return
        reader = self._reader
        if reader.refusal is not None:
            self._refuse(reader.refusal)
        elif self._unread:
            self._rest()
        elif self._eof:
            self._close()
        else:
            if reader.wants_continue:
                reader.wants_continue = False
                if reader.body_bytes == 0:
                    self._transport.write(CONTINUE)
            if self._reading_paused:
                self._reading_paused = False
                self._transport.resume_reading()

    def _step(self) -> bool:
        """Run the handler to its next wait; True when it has ended and is answered."""
        try:
            future = self._coroutine.send(None)  # type: ignore[union-attr]  # set by the only two callers
        except StopIteration as stop:
            return self._ended(stop.value)
        except (Exception, asyncio.CancelledError) as defect:
            self._coroutine = None
            if self._streamed is None:
                self._answer_defect(defect)
            else:
                self._break_off(self._streamed, defect)
            return True
        # What asyncio.Task does with what its coroutine yields.
        if future is None:
            asyncio.get_running_loop().call_soon(self._wake)
        else:
            future._asyncio_future_blocking = False
            future.add_done_callback(self._wake)
        return False

    def _wake(self, _: object = None) -> None:
        if not self._step():
            return
        if self._lost:
            self._leave()
        else:
            self._advance()

    def _ended(self, answer: HttpAnswer | None) -> bool:
        """The handler has ended, or the sending of its streamed body (None). True when all is answered."""
        self._coroutine = None
        if type(answer) is Response:
            self._answer(answer)
        elif type(answer) is StreamedResponse:
            return self._begin_streamed(answer)
        else:
            self._end_streamed(cast("StreamedBody", self._streamed))
        return True

    @property
    def _is_last(self) -> bool:
        """Whether no answer follows the one that is written now.

        While draining, a request of which any byte was read is still answered, so the one before it is not the last.
        """
        reader = self._reader
        draining = self._hub.draining and not reader.mid_message and not self._unread
        return not reader.calls and (reader.ended or draining)

    def _answer(self, response: Response) -> None:
        if self._lost:
            return
        hub = self._hub
        call = cast("Call", self._call)
        last = (hub.draining or self._reader.ended) and self._is_last
        if last:
            connection_line = CLOSE
        elif call.protocol == "HTTP/1.0":
            connection_line = KEEP_ALIVE
        else:
            connection_line = b""
        try:
            head = encode_head(response, hub.date_line, connection_line)
        except UnsendableResponse as defect:
            self._answer_defect(defect)
            return
        self._served += 1
        self._write(head, response.body if has_body(response, call.method) else b"")
        if last:
            self._end_connection()

    def _answer_defect(self, defect: BaseException) -> None:
        """The handler failed: the client learns no more than that, and under which id it is logged."""
        hub = self._hub
        hub.defects += 1
        request_id = new_request_id()
        hub.on_defect(defect, request_id)
        if not self._lost:
            self._served += 1
            self._refuse(DEFECT, request_id, cast("Call", self._call).method)

    # A body that is sent as it comes.

    def _begin_streamed(self, answer: StreamedResponse) -> bool:
        """Send the head, then step the sending of the body. True where that has ended already."""
        call = cast("Call", self._call)
        if self._lost:
            answer.pieces.abandon()
            return True
        chunked = call.protocol != "HTTP/1.0"
        closes = self._is_last or not chunked
        try:
            head = encode_streamed_head(answer, self._hub.date_line, CLOSE if closes else b"", chunked=chunked)
        except UnsendableResponse as defect:
            answer.pieces.abandon()
            self._answer_defect(defect)
            return True
        self._transport.write(head)
        body = self._streamed = StreamedBody(answer.pieces, self._transport, chunked=chunked, closes=closes)
        if not has_body(answer, call.method):
            body.abandon()
            self._end_streamed(body)
            return True
        if self._write_paused:
            body.pause()
        self._coroutine = body.send()
        return self._step()

    def _end_streamed(self, body: StreamedBody) -> None:
        self._streamed = None
        if self._lost:
            return
        self._served += 1
        if body.closes or self._is_last:
            self._end_connection()

    def _break_off(self, body: StreamedBody, defect: BaseException) -> None:
        """The body will never be whole. Its client sees that by the end of the connection without the last chunk."""
        self._streamed = None
        body.abandon()
        if not isinstance(defect, BrokenOff):
            self._hub.defects += 1
            self._hub.on_defect(defect, new_request_id())
        if not self._lost:
            self._served += 1
            self._close()


# What one connection may have in one turn of the loop, so that a client that pipelines thousands of requests takes
# milliseconds from the others and not seconds. Nearly every read is shorter and holds one request.
_SLICE_BYTES: Final = 8_192
_BODY_SLICE_BYTES: Final = 65_536  # of a body, which costs little
_ANSWERS_A_TURN: Final = 32
