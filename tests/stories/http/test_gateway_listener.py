"""The gateway's listener over real sockets: what a client sees, and what it cannot break."""

import asyncio
import contextlib
import gc
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from headgate.model.call import Call, Response
from headgate.server.http1_connection import Handler
from headgate.server.http_limits import HttpLimits
from headgate.server.listener import GatewayServer

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario

    uvloop.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something that it does has been done; the scenario's own deadline bounds it."""
    while not condition():  # noqa: ASYNC110  # what is observed has no event
        await asyncio.sleep(0)


async def echo(call: Call) -> Response:
    return Response(200, [(b"X-Path", call.path.encode())], call.body)


class Gate:
    """A handler whose calls wait until they are let through."""

    def __init__(self, expected: int = 1) -> None:
        self.open = asyncio.Event()
        self.full = asyncio.Event()
        self.calls: list[Call] = []
        self._expected = expected

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        if len(self.calls) == self._expected:
            self.full.set()
        await self.open.wait()
        return await echo(call)


class Serving:
    def __init__(self, server: GatewayServer, port: int, defects: list[tuple[BaseException, str]]) -> None:
        self.server = server
        self.port = port
        self.defects = defects

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26)

    async def exchange(self, *pieces: bytes) -> bytes:
        """Send the pieces, each as a read of its own as far as the kernel lets it, and read to the end."""
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer


@contextlib.asynccontextmanager
async def serving(handler: Handler = echo, limits: HttpLimits | None = None) -> AsyncIterator[Serving]:
    defects: list[tuple[BaseException, str]] = []
    server = GatewayServer(handler, limits or HttpLimits(), lambda exc, request_id: defects.append((exc, request_id)))
    port = await server.start("127.0.0.1", 0)
    try:
        yield Serving(server, port, defects)
    finally:
        await server.drain(0.0)


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return head, await reader.readexactly(int(length[1])) if length else b""


def test_an_answer_has_its_headers_and_exactly_one_date() -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            head, _, body = (
                await gateway.exchange(
                    b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
                )
            ).partition(b"\r\n\r\n")

            names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
            assert names == [b"Date", b"X-Path", b"Content-Length", b"Connection"]
            assert body == b"hi"
            assert gateway.server.stats.requests == 1

    run(scenario())


def test_a_call_knows_its_client_and_port() -> None:
    async def scenario() -> None:
        gate = Gate()
        gate.open.set()
        async with serving(gate) as gateway:
            await gateway.exchange(LAST)

            (call,) = gate.calls
            assert call.source_ip == "127.0.0.1"
            assert call.port == str(gateway.port)

    run(scenario())


@pytest.mark.parametrize("size", [1, 1_000, 1 << 20], ids=["byte by byte", "kilobytes", "one write"])
def test_a_thousand_pipelined_requests_are_answered_in_order(size: int) -> None:
    async def scenario() -> None:
        count = 50 if size == 1 else 1_000
        stream = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(count)) + LAST

        async with serving() as gateway:
            answer = await gateway.exchange(*(stream[i : i + size] for i in range(0, len(stream), size)))

        paths = re.findall(rb"X-Path: /(\S+)", answer)
        assert paths == [b"%d" % n for n in range(count)] + [b"last"]
        assert answer.count(b"Connection: close") == 1

    run(scenario())


def test_a_flood_of_pipelined_requests_leaves_their_turn_to_others() -> None:
    async def scenario() -> None:
        flood = 5_000
        order: list[str] = []

        async def note(call: Call) -> Response:
            order.append(call.path)
            return await echo(call)

        async with serving(note) as gateway:
            flooding, others = await gateway.connect(), await gateway.connect()
            flooding[1].write(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n" * flood + LAST)
            others[1].write(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
            await others[0].readuntil(b"\r\n\r\n")
            answered_before = order.index("/other")
            answers = await flooding[0].read()
            for _, writer in (flooding, others):
                writer.close()

        assert answered_before < flood / 10
        assert answers.count(b"X-Path: /flood") == flood

    run(scenario())


def test_pipelined_calls_that_wait_are_answered_in_order_one_at_a_time() -> None:
    async def scenario() -> None:
        running = most = 0

        async def later(call: Call) -> Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(3):
                await asyncio.sleep(0)
            waiter = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(waiter.set_result, None)
            await waiter
            running -= 1
            return await echo(call)

        async with serving(later) as gateway:
            answer = await gateway.exchange(
                b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(200)) + LAST
            )

        assert re.findall(rb"X-Path: /(\S+)", answer) == [b"%d" % n for n in range(200)] + [b"last"]
        assert most == 1

    run(scenario())


PROTOCOLS = {
    "HTTP/1.0 is closed": (b"GET / HTTP/1.0\r\n\r\n", b"Connection: close"),
    "HTTP/1.0 that asks is kept": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"Connection: keep-alive"),
    "HTTP/1.1 is kept without a word": (GET, None),
    "HTTP/1.1 that asks is closed": (LAST, b"Connection: close"),
    "h2c is not switched to": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        None,
    ),
}


@pytest.mark.parametrize(("request_bytes", "line"), PROTOCOLS.values(), ids=PROTOCOLS)
def test_connections_are_kept_or_closed(request_bytes: bytes, line: bytes | None) -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            reader, writer = await gateway.connect()
            writer.write(request_bytes)

            head, _ = await read_answer(reader)

            assert re.findall(rb"Connection: .*?(?=\r)", head) == ([line] if line else [])
            if line != b"Connection: close":
                writer.write(LAST)
                head, _ = await read_answer(reader)
                assert b"X-Path: /last" in head
            assert await reader.read() == b""
            writer.close()

    run(scenario())


def test_head_gets_the_length_and_no_body() -> None:
    async def scenario() -> None:
        async def four(call: Call) -> Response:
            return Response(200, [], b"four")

        async with serving(four) as gateway:
            answer = await gateway.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)

        first, second, body = answer.split(b"\r\n\r\n")
        assert b"Content-Length: 4" in first
        assert second.startswith(b"HTTP/1.1 200 OK")
        assert body == b"four"

    run(scenario())


def test_continue_is_sent_when_the_body_is_awaited_and_not_before_the_answers_due() -> None:
    async def scenario() -> None:
        gate = Gate()
        expecting = b"POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        async with serving(gate) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET + expecting)
            await gate.full.wait()
            gate.open.set()

            assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hi")
            assert (await read_answer(reader))[1] == b"hi"

            # It is said once, however the body then comes.
            writer.write(expecting.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"))
            assert await reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            for piece in (b"2\r", b"\nho\r\n", b"0\r\n\r\n"):
                writer.write(piece)
                for _ in range(5):
                    await asyncio.sleep(0)
            assert (await read_answer(reader))[1] == b"ho"

            # With some of the body already there it is left out.
            writer.write(expecting + b"h")
            for _ in range(5):
                await asyncio.sleep(0)
            writer.write(b"u" + LAST)
            answer = await reader.read()
            assert b"100 Continue" not in answer
            assert b"\r\n\r\nhu" in answer
            writer.close()

    run(scenario())


REFUSED = {
    "a bad request": (b"GET / HTTP/1.1\r\n\r\n", 400, "Bad Request", "BadRequestException"),
    "a long line": (
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        414,
        "Request-URI Too Long",
        "RequestUriTooLongException",
    ),
    "long headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 10_240 + b"\r\n\r\n",
        431,
        "Request Header Fields Too Large",
        "RequestHeaderFieldsTooLargeException",
    ),
    "a large body, told by its length": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n",
        413,
        "HTTP content length exceeded 10485760 bytes.",
        "RequestTooLargeException",
    ),
    "another expectation": (
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n",
        417,
        "Expectation Failed",
        "ExpectationFailedException",
    ),
}


@pytest.mark.parametrize(("data", "status", "message", "kind"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_has_api_gateways_shape_and_closes(data: bytes, status: int, message: str, kind: str) -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            answer = await gateway.exchange(GET + data + GET)

        first, _, rest = answer.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 200 OK")
        head, _, body = rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert f"x-amzn-ErrorType: {kind}".encode() in head
        assert re.search(rb"x-amzn-RequestId: [0-9a-f-]{36}\r\n", head)
        assert b"Connection: close" in head
        assert b"Content-Type: application/json" in head
        assert json.loads(body) == {"message": message}

    run(scenario())


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_client_that_goes_on_sending_still_reads_why_it_was_refused(framing: str) -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            size = 12_000_000
            if framing == "chunked":
                head = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size
            else:
                head = b"Content-Length: %d\r\n\r\n" % size
            data = b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"x" * size

            answer = await gateway.exchange(data)

        assert answer.startswith(b"HTTP/1.1 413 ")

    run(scenario())


def test_a_handler_that_raises_costs_its_own_connection_only() -> None:
    async def scenario() -> None:
        async def broken(call: Call) -> Response:
            if call.path == "/last":
                return await echo(call)
            raise ValueError("secret")

        async with serving(broken) as gateway:
            answer = await gateway.exchange(GET + GET)

            (defect,) = gateway.defects
            assert str(defect[0]) == "secret"
            assert defect[1].encode() in answer
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert answer.endswith(b'{"message":"Internal server error"}')
            assert answer.count(b"HTTP/1.1") == 1
            assert b"secret" not in answer
            assert b"200 OK" in await gateway.exchange(LAST)

    run(scenario())


def test_an_answer_that_would_split_is_a_defect() -> None:
    async def scenario() -> None:
        async def split(call: Call) -> Response:
            return Response(200, [(b"X", b"a\r\n\r\nHTTP/1.1 200 OK")], b"")

        async with serving(split) as gateway:
            answer = await gateway.exchange(GET)

            assert answer.startswith(b"HTTP/1.1 500 ")
            assert len(gateway.defects) == 1

    run(scenario())


def test_a_client_that_leaves_lets_its_call_finish() -> None:
    async def scenario() -> None:
        gate = Gate()
        finished = asyncio.Event()

        async def handler(call: Call) -> Response:
            response = await gate(call)
            finished.set()
            return response

        async with serving(handler) as gateway:
            _, writer = await gateway.connect()
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
            writer.write(GET + GET)
            await gate.full.wait()
            writer.transport.abort()

            gate.open.set()
            await finished.wait()

            assert gateway.defects == []
            assert b"200 OK" in await gateway.exchange(LAST)

    run(scenario())


@pytest.mark.parametrize("part", [b"", b"G", GET[:-1], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"])
def test_a_client_that_leaves_in_the_middle_is_forgotten(part: bytes) -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET + part)
            await read_answer(reader)
            writer.write_eof()

            assert await reader.read() == b""
            writer.close()
            assert b"200 OK" in await gateway.exchange(LAST)
            assert gateway.defects == []

    run(scenario())


def test_a_client_that_sends_no_more_still_gets_its_answers() -> None:
    async def scenario() -> None:
        gate = Gate()
        async with serving(gate) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET + GET)
            writer.write_eof()
            await gate.full.wait()
            gate.open.set()

            answer = await reader.read()

            assert answer.count(b"200 OK") == 2
            writer.close()

    run(scenario())


def test_a_slow_reader_gets_one_large_answer_at_a_time() -> None:
    async def scenario() -> None:
        large = b"x" * 10_000_000
        started = 0

        async def handler(call: Call) -> Response:
            nonlocal started
            started += 1
            return Response(200, [], large)

        async with serving(handler) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1 << 16)
            writer.write(GET * 20)
            await until(lambda: started > 0)
            for n in range(20):
                await reader.readuntil(b"\r\n\r\n")
                # The kernel holds a few megabytes; never is a second answer waiting behind one that is not taken.
                assert started <= n + 2
                await reader.readexactly(len(large))

            assert started == 20
            writer.close()

    run(scenario())


def test_what_is_parsed_ahead_is_bounded() -> None:
    async def scenario() -> None:
        gate = Gate()
        body = b"x" * 1_000_000
        post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        async with serving(gate) as gateway:
            reader, writer = await gateway.connect()
            writer.write(post * 30)
            await gate.full.wait()
            # A probe answered by the same loop: by then whatever could be read of the first connection has been.
            for _ in range(200):
                await asyncio.sleep(0)
            assert writer.transport.get_write_buffer_size() > 10_000_000

            gate.open.set()
            for _ in range(30):
                assert len((await read_answer(reader))[1]) == len(body)
            writer.close()

    run(scenario())


def test_the_sweep_ends_what_does_not_move() -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            idle_reader, idle = await gateway.connect()
            slow_reader, slow = await gateway.connect()
            idle.write(GET)
            slow.write(GET + b"GET / HT")
            await read_answer(idle_reader)
            await read_answer(slow_reader)

            now = asyncio.get_running_loop().time()
            gateway.server.sweep(now)
            gateway.server.sweep(now + 11)
            assert (await slow_reader.read()).startswith(b"HTTP/1.1 408 Request Timeout")
            gateway.server.sweep(now + 70)
            assert await idle_reader.read() == b""
            idle.close()
            slow.close()

    run(scenario())


def test_a_client_that_does_not_read_is_dropped() -> None:
    async def scenario() -> None:
        async def large(call: Call) -> Response:
            return Response(200, [], b"x" * 20_000_000)

        async with serving(large) as gateway:
            raw = socket.socket()
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(raw, ("127.0.0.1", gateway.port))
            await loop.sock_sendall(raw, GET)
            await until(lambda: gateway.server.stats.requests > 0)
            for _ in range(50):
                await asyncio.sleep(0)

            gateway.server.sweep(1_000.0)
            assert gateway.server.connections == 1
            gateway.server.sweep(1_031.0)
            gateway.server.sweep(1_062.0)
            await until(lambda: not gateway.server.connections)
            raw.close()

    run(scenario())


def test_connections_beyond_the_limit_are_told_so() -> None:
    async def scenario() -> None:
        async with serving(limits=HttpLimits(connections=1)) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await read_answer(reader)

            answer = await gateway.exchange(GET)

            assert answer.startswith(b"HTTP/1.1 503 ")
            assert gateway.server.stats.turned_away == 1
            writer.write(LAST)
            assert b"200 OK" in await reader.read()
            writer.close()

    run(scenario())


def test_drain_answers_every_request_of_which_a_byte_was_read() -> None:
    async def scenario() -> None:
        count = 50
        gate = Gate(expected=count)
        async with serving(gate) as gateway:
            clients = [await gateway.connect() for _ in range(count)]
            for number, (_, writer) in enumerate(clients):
                # Some have a second request behind the first, whole or in part.
                writer.write(GET + (b"", GET, b"GET /half HT")[number % 3])
            await gate.full.wait()
            idle_reader, idle = await gateway.connect()
            for _ in range(20):
                await asyncio.sleep(0)

            drained = asyncio.ensure_future(gateway.server.drain(60.0))
            assert await idle_reader.read() == b""
            idle.close()
            with pytest.raises(OSError, match=r".*"):
                await gateway.connect()
            assert not drained.done()
            gate.open.set()

            for number, (reader, writer) in enumerate(clients):
                first = b""
                if number % 3 == 2:
                    first = b"".join(await read_answer(reader))
                    writer.write(b"TP/1.1\r\nHost: a\r\n\r\n")
                answer = first + await reader.read()
                assert answer.count(b"200 OK") == (1, 2, 2)[number % 3]
                assert answer.count(b"Connection: close") == 1
                writer.close()
            await drained
            assert gateway.server.connections == 0

    run(scenario())


def test_drain_aborts_what_is_left_at_its_deadline() -> None:
    async def scenario() -> None:
        gate = Gate()
        async with serving(gate) as gateway:
            reader, writer = await gateway.connect()
            writer.write(GET)
            await gate.full.wait()

            await gateway.server.drain(0.01)

            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            gate.open.set()

    run(scenario())


def test_a_connection_leaves_no_garbage_cycle() -> None:
    async def scenario() -> None:
        async with serving() as gateway:
            await gateway.exchange(LAST)
            await until(lambda: not gateway.server.connections)
            gc.collect()
            gc.disable()
            try:
                for _ in range(20):
                    await gateway.exchange(LAST)
                await until(lambda: not gateway.server.connections)
                left = [x for x in gc.get_objects() if type(x).__name__ == "RequestReader"]
            finally:
                gc.enable()

        assert len(left) <= 1

    run(scenario())
