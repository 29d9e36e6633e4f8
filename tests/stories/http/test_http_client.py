"""The backend client over real sockets, against a backend that misbehaves in every way it can."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from headgate.dataplane.ports import BackendReply, BackendReplyTooLarge, BackendTimeout, BackendUnreachable, Origin
from headgate.server.http_client import HttpPools
from headgate.server.http_client_pool import Deadlines, PoolLimits
from support.certificates import self_signed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario

    uvloop.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something that it does has been done; the scenario's own deadline bounds it."""
    while not condition():  # noqa: ASYNC110  # what is observed has no event
        await asyncio.sleep(0)


class Backend:
    """Answers each request on a connection with the next of its script; None closes, a callable is awaited."""

    def __init__(self, *script: bytes | Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]] | None) -> None:
        self._script = list(script)
        self.connections = 0
        self.requests: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                if step is None:
                    break
                if callable(step):
                    await step(writer)
                else:
                    writer.write(step)
        writer.close()


@contextlib.asynccontextmanager
async def calling(
    backend: Backend, limits: PoolLimits | None = None
) -> AsyncIterator[tuple[HttpPools, Callable[..., Coroutine[Any, Any, BackendReply]]]]:
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    pools = HttpPools(limits)

    async def send(method: bytes = b"GET", body: bytes = b"", timeout_s: float = 60.0) -> BackendReply:
        return await pools.send(origin, method, method + b" / HTTP/1.1\r\nHost: b\r\n\r\n", body, timeout_s)

    try:
        yield pools, send
    finally:
        pools.close()
        server.close()
        for writer in backend.writers:
            writer.transport.abort()


REPLIES = {
    "a length": (OK, 200, b"ok"),
    "a length of nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x\r\nk\r\n0\r\nT: t\r\n\r\n",
        200,
        b"ok",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified, with the length of what it stands for": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
        304,
        b"",
    ),
    "interim answers first": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        200,
        b"ok",
    ),
    "a status without a name": (b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", 299, b""),
}


@pytest.mark.parametrize(("answer", "status", "body"), REPLIES.values(), ids=REPLIES)
def test_an_answer_is_read_and_its_connection_kept(answer: bytes, status: int, body: bytes) -> None:
    async def scenario() -> None:
        backend = Backend(answer)
        async with calling(backend) as (_, send):
            for _ in range(3):
                reply = await send()
                assert (reply.status, reply.body) == (status, body)
                assert (b"T", b"t") not in reply.headers
                assert (b"Link", b"x") not in reply.headers

            assert backend.connections == 1

    run(scenario())


def test_headers_are_kept_as_sent() -> None:
    async def scenario() -> None:
        async with calling(Backend(b"HTTP/1.1 200 OK\r\nsEt: 1 \r\nSet:2\r\nContent-Length: 0\r\n\r\n")) as (_, send):
            assert (await send()).headers == [(b"sEt", b"1"), (b"Set", b"2"), (b"Content-Length", b"0")]

    run(scenario())


def test_an_answer_to_head_has_a_length_but_no_body() -> None:
    async def scenario() -> None:
        backend = Backend(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        async with calling(backend) as (_, send):
            for _ in range(3):
                assert (await send(b"HEAD")).body == b""

            assert backend.connections == 1

    run(scenario())


def test_an_answer_byte_by_byte_is_read() -> None:
    async def scenario() -> None:
        async def dribble(writer: asyncio.StreamWriter) -> None:
            for byte in OK:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)

        async with calling(Backend(dribble)) as (_, send):
            assert (await send()).body == b"ok"
            assert (await send()).body == b"ok"

    run(scenario())


def then_close(answer: bytes) -> Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    async def step(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return step


def test_a_body_without_a_length_lasts_until_the_backend_closes() -> None:
    async def scenario() -> None:
        async with calling(Backend(then_close(b"HTTP/1.1 200 OK\r\n\r\nall of it"))) as (pools, send):
            assert (await send()).body == b"all of it"
            assert pools.connections == 0

    run(scenario())


BROKEN = {
    "not HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    "nothing at all": then_close(b""),
    "half a head": then_close(b"HTTP/1.1 200 OK\r\nConte"),
    "half a body": then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"),
    "half the chunks": then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_what_is_no_whole_answer_is_unreachable(answer: Any) -> None:
    async def scenario() -> None:
        backend = Backend(answer)
        async with calling(backend) as (pools, send):
            with pytest.raises(BackendUnreachable):
                await send()

            assert backend.connections == 1, "a fresh connection's request is not repeated"
            assert pools.connections == 0

    run(scenario())


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 101\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n65\r\n", b"\r\n"]
)
def test_an_answer_over_the_limit_is_too_large(framing: bytes) -> None:
    async def scenario() -> None:
        backend = Backend(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 101)
        async with calling(backend, PoolLimits(body_bytes=100)) as (_, send):
            with pytest.raises(BackendReplyTooLarge):
                await send()

    run(scenario())


def test_an_answer_at_the_limit_is_not() -> None:
    async def scenario() -> None:
        backend = Backend(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
        async with calling(backend, PoolLimits(body_bytes=100)) as (_, send):
            assert len((await send()).body) == 100

    run(scenario())


def test_nobody_listening_is_unreachable_and_says_where() -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            pools = HttpPools()

            with pytest.raises(BackendUnreachable, match=f"http://127.0.0.1:{port}"):
                await pools.send(Origin("http", "127.0.0.1", port), b"GET", b"GET / HTTP/1.1\r\n\r\n", b"", 60.0)
            with pytest.raises(BackendUnreachable):
                await pools.send(Origin("http", "a" * 70, port), b"GET", b"GET / HTTP/1.1\r\n\r\n", b"", 60.0)
            pools.close()

    run(scenario())


def test_a_late_answer_reaches_nobody() -> None:
    async def scenario() -> None:
        async def silent(writer: asyncio.StreamWriter) -> None:
            pass

        backend = Backend(OK, silent, OK)
        async with calling(backend) as (pools, send):
            await send()  # so that there is a connection, on which the next request is sent at once
            with pytest.raises(BackendTimeout):
                await send(timeout_s=0.02)
            assert pools.connections == 0
            await until(lambda: len(backend.requests) == 2)
            backend.writers[0].write(OK.replace(b"ok", b"no"))

            assert (await send()).body == b"ok"
            assert backend.connections == 2

    run(scenario())


def test_deadlines_of_many_calls_do_not_depend_on_their_order() -> None:
    async def scenario() -> None:
        async def silent(writer: asyncio.StreamWriter) -> None:
            pass

        ended: list[float] = []

        async with calling(Backend(silent)) as (_, send):

            async def one(timeout_s: float) -> None:
                with pytest.raises(BackendTimeout):
                    await send(timeout_s=timeout_s)
                ended.append(timeout_s)

            await asyncio.gather(*(one(timeout_s) for timeout_s in (0.3, 0.1, 0.4, 0.2)))

        assert ended == [0.1, 0.2, 0.3, 0.4]

    run(scenario())


def test_what_is_overdue_at_once_ends_in_the_order_of_the_deadlines() -> None:
    class Waiting:
        def __init__(self, deadline: float) -> None:
            self.deadline = deadline

        def expire(self) -> None:
            ended.append(self.deadline)

    ended: list[float] = []

    async def scenario() -> None:
        deadlines = Deadlines()
        for number in range(100):
            deadlines.add(Waiting(number * 37 % 100))

        deadlines.expire(49.0)
        deadlines.stop()

    run(scenario())
    assert ended == list(range(50))


def test_a_short_deadline_does_not_wait_for_a_long_one_that_came_first() -> None:
    async def scenario() -> None:
        async def silent(writer: asyncio.StreamWriter) -> None:
            pass

        backend = Backend(silent)
        async with calling(backend) as (_, send):
            long = asyncio.ensure_future(send(timeout_s=600.0))
            await until(lambda: backend.requests)

            with pytest.raises(BackendTimeout):
                await send(timeout_s=0.02)

            assert not long.done()
            long.cancel()

    run(scenario())


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_an_idempotent_request_on_a_kept_connection_that_broke_is_sent_again(method: bytes) -> None:
    async def scenario() -> None:
        head_or_ok = b"HTTP/1.1 204 No Content\r\n\r\n"
        backend = Backend(head_or_ok, None, head_or_ok)
        async with calling(backend) as (_, send):
            await send(method)
            assert (await send(method)).status == 204
            assert backend.connections == 2
            assert len(backend.requests) == 3

    run(scenario())


def test_others_are_not_sent_twice() -> None:
    async def scenario() -> None:
        backend = Backend(OK, None, OK)
        async with calling(backend) as (_, send):
            await send(b"POST")
            with pytest.raises(BackendUnreachable):
                await send(b"POST")
            assert len(backend.requests) == 2

    run(scenario())


def test_a_request_is_sent_again_only_once_and_never_after_a_byte_of_an_answer() -> None:
    async def scenario() -> None:
        backend = Backend(OK, then_close(b"HTTP/1.1 200"), None)
        async with calling(backend) as (_, send):
            await send()
            with pytest.raises(BackendUnreachable):
                await send()
            assert len(backend.requests) == 2

    run(scenario())


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\0", b"x"])
def test_a_connection_with_bytes_that_nobody_asked_for_is_dropped(surplus: bytes) -> None:
    async def scenario() -> None:
        for answer in (OK + surplus, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n" + surplus):
            backend = Backend(answer, OK)
            async with calling(backend) as (_, send):
                await send()
                assert (await send()).body == b"ok"
                assert backend.connections == 2

        backend = Backend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", OK)
        async with calling(backend) as (_, send):
            await send(b"HEAD")
            assert (await send()).body == b"ok"
            assert backend.connections == 2

        backend = Backend(OK)
        async with calling(backend) as (pools, send):
            await send()
            backend.writers[0].write(surplus)
            await until(lambda: pools.connections == 0)
            assert (await send()).body == b"ok"

    run(scenario())


def test_a_backend_that_says_close_is_taken_at_its_word() -> None:
    async def scenario() -> None:
        for answer in (OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), OK.replace(b"1.1", b"1.0")):
            backend = Backend(answer)
            async with calling(backend) as (pools, send):
                await send()
                assert pools.connections == 0

    run(scenario())


def test_the_most_recently_used_connection_is_taken_first() -> None:
    async def scenario() -> None:
        backend = Backend(OK)
        async with calling(backend) as (pools, send):
            await asyncio.gather(*(send() for _ in range(5)))
            assert pools.connections == 5

            for _ in range(4):
                pools.sweep()
                await send()
            pools.sweep()
            assert pools.connections == 1, "the other four were idle all the time"

    run(scenario())


def test_an_idle_connection_is_closed_after_its_time_and_the_origin_forgotten() -> None:
    async def scenario() -> None:
        async with calling(Backend(OK)) as (pools, send):
            await send()

            for _ in range(3):
                pools.sweep()
            assert pools.connections == 1
            pools.sweep()
            pools.sweep()

            assert pools.connections == 0
            assert repr(pools) == "<HttpPools 0 origins, 0 connections, 0 idle>"

    run(scenario())


def test_calls_beyond_the_limit_wait_for_a_connection() -> None:
    async def scenario() -> None:
        backend = Backend(OK)
        async with calling(backend, PoolLimits(connections=3, idle=2)) as (pools, send):
            replies = await asyncio.gather(*(send() for _ in range(50)))

            assert [reply.body for reply in replies] == [b"ok"] * 50
            assert backend.connections == 3
            assert pools.connections == 2, "no more are kept"

    run(scenario())


def test_a_call_waits_for_a_connection_no_longer_than_its_deadline() -> None:
    async def scenario() -> None:
        release = asyncio.Event()

        async def held(writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.write(OK)

        backend = Backend(held)
        async with calling(backend, PoolLimits(connections=1)) as (_, send):
            first = asyncio.ensure_future(send())
            await until(lambda: backend.requests)
            with pytest.raises(BackendTimeout):
                await send(timeout_s=0.02)
            second = asyncio.ensure_future(send())
            release.set()

            assert (await first).body == b"ok"
            assert (await second).body == b"ok"
            assert backend.connections == 1

    run(scenario())


def test_a_cancelled_call_leaves_no_answer_behind() -> None:
    async def scenario() -> None:
        asked = asyncio.Event()

        async def held(writer: asyncio.StreamWriter) -> None:
            asked.set()

        backend = Backend(held, OK)
        async with calling(backend) as (pools, send):
            call = asyncio.ensure_future(send())
            await asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

            assert pools.connections == 0
            assert (await send()).body == b"ok"

    run(scenario())


def test_large_bodies_pass_both_ways() -> None:
    async def scenario() -> None:
        body = b"x" * 10_000_000

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            sent = await reader.readexactly(len(body))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 25)
        origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
        pools = HttpPools()
        head = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n" % len(body)

        assert (await pools.send(origin, b"POST", head, body, 60.0)).body == body
        pools.close()
        server.close()

    run(scenario())


def test_a_backend_that_does_not_speak_tls_is_unreachable() -> None:
    async def scenario() -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        pools = HttpPools()
        for verify in (True, False):
            origin = Origin("https", "127.0.0.1", server.sockets[0].getsockname()[1], verify_tls=verify)
            with pytest.raises(BackendUnreachable):
                await pools.send(origin, b"GET", b"GET / HTTP/1.1\r\n\r\n", b"", 60.0)
        pools.close()
        server.close()

    run(scenario())


@pytest.mark.parametrize("verify", [True, False])
def test_tls_is_verified_unless_told_otherwise(verify: bool, tmp_path: Any) -> None:
    certificate = self_signed(tmp_path)

    async def scenario() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        backend = Backend(OK)
        server = await asyncio.start_server(backend.serve, "127.0.0.1", 0, ssl=context)
        origin = Origin("https", "127.0.0.1", server.sockets[0].getsockname()[1], verify_tls=verify)
        pools = HttpPools()
        request = (origin, b"GET", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", b"", 60.0)

        if verify:
            with pytest.raises(BackendUnreachable, match=r"(?i)certificate"):
                await pools.send(*request)
        else:
            for _ in range(3):
                assert (await pools.send(*request)).body == b"ok"
            assert backend.connections == 1
        pools.close()
        server.close()
        for writer in backend.writers:
            writer.transport.abort()

    run(scenario())
