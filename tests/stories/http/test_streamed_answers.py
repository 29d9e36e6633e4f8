"""Answers whose body comes while it is made, over real sockets of the gateway's listener."""

import asyncio
from typing import cast

import pytest

from headgate.model.call import BrokenOff, Call, HttpAnswer, Response, StreamedResponse
from headgate.server.http1_connection import Handler
from headgate.server.http1_watch import Phase
from headgate.server.http_limits import HttpLimits

from .test_gateway_listener import GET, run, serving, until

KEPT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Body:
    """Pieces that a test makes when it likes; see `headgate.model.call.Pieces`."""

    def __init__(self) -> None:
        self.abandoned = False
        self.taken = 0
        self._pieces: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def put(self, *pieces: bytes | Exception) -> bool:
        for piece in pieces:
            self._pieces.put_nowait(piece)
        return False

    async def next(self) -> bytes:
        piece = await self._pieces.get()
        self.taken += 1
        if isinstance(piece, Exception):
            raise piece
        return piece

    def abandon(self) -> None:
        self.abandoned = True
        self.put(b"")


def streaming(body: Body, status: int = 200) -> Handler:
    """A handler that answers `/` with the body, and anything else whole."""

    async def handler(call: Call) -> HttpAnswer:
        if call.path == "/":
            return StreamedResponse(status, [(b"X-Own", b"a")], body)
        return Response(200, [], b"whole")

    return handler


def test_pieces_are_sent_as_they_come_and_the_connection_is_kept() -> None:
    async def scenario() -> None:
        body = Body()
        async with serving(streaming(body)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET + KEPT)
            head = await reader.readuntil(b"\r\n\r\n")
            body.put(b"one")
            first = await reader.readexactly(8)
            body.put(b"x" * 17, b"")

            rest = await reader.read()

            assert b"Transfer-Encoding: chunked\r\n" in head
            assert b"Content-Length" not in head
            assert first == b"3\r\none\r\n"
            assert rest.startswith(b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
            assert rest.endswith(b"whole")
            assert gateway.server.stats.requests == 2
            writer.close()

    run(scenario())


def test_to_http_1_0_a_body_ends_with_the_connection() -> None:
    async def scenario() -> None:
        body = Body()
        body.put(b"one", b"two", b"")
        async with serving(streaming(body)) as gateway:
            answer = await gateway.exchange(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

            head, _, text = answer.partition(b"\r\n\r\n")
            assert (b"chunked" in head, b"Connection: close" in head, text) == (False, True, b"onetwo")

    run(scenario())


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 204)])
def test_an_answer_without_a_body_abandons_it(method: bytes, status: int) -> None:
    async def scenario() -> None:
        body = Body()
        async with serving(streaming(body, status)) as gateway:
            answer = await gateway.exchange(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n" + KEPT)

            first, second = answer.split(b"\r\n\r\n", 1)
            assert first.startswith(b"HTTP/1.1 %d " % status)
            assert second.startswith(b"HTTP/1.1 200 OK\r\n")
            assert body.abandoned

    run(scenario())


@pytest.mark.parametrize("defect", [BrokenOff(), ValueError("a defect")])
def test_a_body_that_breaks_off_ends_the_connection_without_the_last_chunk(defect: Exception) -> None:
    async def scenario() -> None:
        body = Body()
        body.put(b"one", defect)
        async with serving(streaming(body)) as gateway:
            answer = await gateway.exchange(GET + KEPT)

            assert answer.endswith(b"\r\n\r\n3\r\none\r\n")
            # What the function did is no defect of the server, and none of its words go out.
            assert [error for error, _ in gateway.defects] == ([defect] if isinstance(defect, ValueError) else [])
            assert body.abandoned

    run(scenario())


def test_a_client_that_does_not_read_holds_the_body_up() -> None:
    async def scenario() -> None:
        body = Body()
        body.put(*[b"x" * 100_000] * 1_000, b"")
        async with serving(streaming(body)) as gateway:
            reader, writer = await gateway.connect()
            reading = cast("asyncio.Transport", writer.transport)
            reading.pause_reading()
            writer.write(GET + KEPT)
            await until(lambda: [each.phase for each in gateway.server._hub.connections] == [Phase.WRITING])
            taken = body.taken

            reading.resume_reading()
            rest = await reader.read()

            assert taken < 500
            assert rest.count(b"x") == 100_000_000
            assert rest.endswith(b"whole")
            writer.close()

    run(scenario())


def test_a_client_that_leaves_abandons_its_body() -> None:
    async def scenario() -> None:
        body = Body()
        async with serving(streaming(body)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")

            writer.close()

            # It may have closed its half alone: only a piece that nobody takes tells.
            await until(lambda: body.abandoned or body.put(b"x"))
            await until(lambda: gateway.server.connections == 0)

    run(scenario())


def test_a_client_that_stops_reading_is_cut_off() -> None:
    async def scenario() -> None:
        body = Body()
        body.put(*[b"x" * 100_000] * 1_000)
        async with serving(streaming(body), HttpLimits(write_timeout_s=30)) as gateway:
            _, writer = await gateway.connect()
            cast("asyncio.Transport", writer.transport).pause_reading()
            writer.write(GET)
            await until(lambda: [each.phase for each in gateway.server._hub.connections] == [Phase.WRITING])

            for seconds in (0, 29, 31):
                assert not body.abandoned
                gateway.server.sweep(seconds)

            await until(lambda: body.abandoned)
            writer.close()

    run(scenario())


def test_a_drain_waits_for_a_body_to_end() -> None:
    async def scenario() -> None:
        body = Body()
        async with serving(streaming(body)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            draining = asyncio.ensure_future(gateway.server.drain(60.0))
            await asyncio.sleep(0)
            body.put(b"one", b"")

            assert await reader.read() == b"3\r\none\r\n0\r\n\r\n"
            await draining
            writer.close()

    run(scenario())
