"""The Runtime API as a program meets it, over real sockets."""

import asyncio
import base64
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from headgate.functions.response_stream import FULL_BYTES, ResponseStream

from .conftest import until
from .programs import program

Fixture = Any


def test_a_call_comes_with_its_headers(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(at, timeout_s=7)
            before = time.time() * 1000

            outcome = await at.invoke(
                spec, "answer = headers", request_id="id-7", trace_id="Root=1-a", client_context='{"custom":\n{"k":1}}'
            )

            told = json.loads(outcome.payload)
            assert told["content-type"] == "application/json"
            assert told["lambda-runtime-aws-request-id"] == "id-7"
            assert told["lambda-runtime-invoked-function-arn"] == f"{spec.arn}:live"
            assert told["lambda-runtime-trace-id"] == "Root=1-a"
            assert json.loads(told["lambda-runtime-client-context"]) == {"custom": {"k": 1}}
            assert before + 7_000 <= int(told["lambda-runtime-deadline-ms"]) <= time.time() * 1000 + 7_000

    run(story())


def test_an_answer_is_accepted_once(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at)

            deed = """
post = lambda what, body: ask("POST", f"{here}/{what}", body)
KEPT["told"] = post("response", '"first"'), post("response", "2"), post("error", "{}")
"""
            first = await at.invoke(spec, deed)
            seen, again, late = await at.answer(spec, 'answer = KEPT["told"]')

            assert first.payload == b'"first"'
            assert (seen[0], seen[2]) == (202, '{"status":"OK"}')
            invalid = {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}
            assert [(status, json.loads(body)) for status, _, body in (again, late)] == [(400, invalid)] * 2

    run(story())


@pytest.mark.parametrize(
    ("asked", "status", "error_type"),
    [
        pytest.param("'POST', f'{BASE}/invocation/other/response', '1'", 400, "InvalidRequestID", id="another call"),
        pytest.param("'GET', NEXT", 403, "InvalidStateTransition", id="the next call before this one is answered"),
        pytest.param("'POST', f'{BASE}/init/error', '{}'", 403, "InvalidStateTransition", id="a failed start"),
        pytest.param("'GET', '/2020-01-01/extension/event/next'", 404, "NotFound", id="what is not there"),
        pytest.param("'PUT', here + '/response', '1'", 405, "MethodNotAllowed", id="another method"),
    ],
)
def test_a_running_call_refuses(asked: str, status: int, error_type: str, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            told, _, body = await at.answer(program(at), f"answer = ask({asked})")

            assert (told, json.loads(body)["errorType"]) == (status, error_type)

    run(story())


def test_what_is_no_http_is_refused_and_costs_nothing_else(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            deed = """
it = connect(); it.sendall(b"\\x16\\x03\\x01 hello\\r\\n\\r\\n"); garbage = it.recv(100).decode()
it = connect(); it.sendall(b"GET / HTTP/1.1\\r\\nX: " + b"x" * 70_000 + b"\\r\\n\\r\\n"); long = it.recv(100).decode()
answer = [garbage, long]
"""
            refused = await at.answer(program(at), deed)

            assert [each.split("\r\n")[0] for each in refused] == ["HTTP/1.1 400 Bad Request"] * 2

    run(story())


def test_an_error_is_the_outcome_and_the_environment_goes_on(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at)
            document = {"errorMessage": "m", "errorType": "E", "stackTrace": ["a"]}

            failed = await at.failure(spec, f"print(ask('POST', here + '/error', {json.dumps(document)!r})[0])")

            assert failed == document
            assert await at.answer(spec, "answer = os.getpid()") == await at.answer(spec, "answer = os.getpid()")
            assert at.logs.lines.count("202") == 1
            assert sum(line.startswith("INIT_START") for line in at.logs.lines) == 1

    run(story())


def test_an_answer_of_the_largest_size_is_taken_and_a_larger_one_is_413(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(at)
            post = "print(ask('POST', here + '/response', b'\"' + b'x' * (6_291_556 - 2 + {}) + b'\"')[0])"

            fits, larger = await at.invoke(spec, post.format(0)), await at.invoke(spec, post.format(1))

            assert (len(fits.payload), fits.error) == (6_291_556, None)
            assert json.loads(larger.payload) == {
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            }
            assert await at.answer(spec, "answer = 1") == 1
            assert [line for line in at.logs.lines if line in {"202", "413"}] == ["202", "413"]

    run(story())


@pytest.mark.parametrize(
    ("declared", "first_line"),
    [(b"Content-Length: 3", "HTTP/1.1 100 Continue"), (b"Content-Length: 7000000", "HTTP/1.1 413 Payload Too Large")],
    ids=["goes on", "is refused before it is sent"],
)
def test_a_body_that_waits_for_the_server_s_word(
    declared: bytes, first_line: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            deed = f"""
it = connect()
it.sendall(f"POST {{here}}/response HTTP/1.1\\r\\nHost: x\\r\\nExpect: 100-continue\\r\\n".encode())
it.sendall(b"{declared.decode()}\\r\\n\\r\\n")
print(it.recv(1000).decode().splitlines()[0])
it.sendall(b"123")
"""
            outcome = await at.invoke(program(at), deed)

            await at.logs.line(first_line)
            assert (outcome.payload == b"123") is (outcome.error is None) is ("100" in first_line)

    run(story())


def test_a_chunked_body_in_single_bytes_is_put_together(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            deed = """
it = connect()
for byte in f"POST {here}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n".encode() + (
        b"3\\r\\n[1,\\r\\n2;x=y\\r\\n2]\\r\\n0\\r\\n\\r\\n"):
    it.sendall(bytes([byte]))
it.recv(1000)
"""
            assert await at.answer(program(at), deed) == [1, 2]

    run(story())


def test_an_answer_and_the_next_question_can_come_in_one_write(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(
                at,
                """
                it = connect()
                it.sendall(get(NEXT))
                while True:
                    head, _, event = it.recv(65536).rpartition(b"\\r\\n\\r\\n")
                    id = head.decode().split("Request-Id: ")[1].split("\\r\\n")[0]
                    post = f"POST {BASE}/invocation/{id}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: "
                    it.sendall(f"{post}{len(event)}\\r\\n\\r\\n{event.decode()}".encode() + get(NEXT))
                    accepted = b""
                    while not accepted.endswith(b'{"status":"OK"}'):
                        accepted += it.recv(1)
                """,
            )

            assert [await at.answer(spec, number) for number in range(5)] == [0, 1, 2, 3, 4]

    run(story())


_STREAM = """
it = connect()
it.sendall(f"POST {{here}}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n"
    "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n\\r\\n".encode())
for piece in {pieces}:
    it.sendall(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
it.sendall(b"0\\r\\n{trailers}\\r\\n")
print(it.recv(1000).decode().splitlines()[0])
"""


def test_a_streamed_answer_may_be_larger_and_is_put_together(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(at)
            large = await at.invoke(spec, _STREAM.format(pieces="[b'x' * 1_000_000] * 8", trailers=""))
            too_large = await at.failure(spec, _STREAM.format(pieces="[b'x' * 1_000_000] * 21", trailers=""))

            assert (len(large.payload), large.error) == (8_000_000, None)
            assert too_large["errorType"] == "Function.ResponseSizeTooLarge"
            await at.logs.line("HTTP/1.1 202 Accepted")
            await at.logs.line("HTTP/1.1 413 Payload Too Large")

    run(story())


def test_a_streamed_answer_that_fails_says_so_in_its_trailers(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            document = {"errorMessage": "half way", "errorType": "E"}
            body = base64.b64encode(json.dumps(document).encode()).decode()
            trailers = f"Lambda-Runtime-Function-Error-Type: E\\r\\nLambda-Runtime-Function-Error-Body: {body}\\r\\n"

            assert await at.failure(program(at), _STREAM.format(pieces="[b'half']", trailers=trailers)) == document

    run(story())


_SLOW_STREAM = """
it = connect()
it.sendall(f"POST {here}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n"
    "Content-Type: text/plain\\r\\nLambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n".encode())
it.sendall(b"3\\r\\none\\r\\n")
while not os.path.exists(PATH): threading.Event().wait(0.01)
it.sendall(b"3\\r\\ntwo\\r\\n0\\r\\n\\r\\n")
it.recv(1000)
"""


def test_a_streamed_answer_s_pieces_are_had_while_it_is_made(run: Fixture, stage: Fixture, tmp_path: Path) -> None:
    async def story() -> None:
        async with stage() as at:
            seen = tmp_path / "seen"
            stream = ResponseStream()
            deed = f"PATH = {str(seen)!r}\n{_SLOW_STREAM}"
            call = asyncio.ensure_future(at.invoke(program(at), deed, stream=stream))

            await stream.begun
            assert (stream.content_type, await stream.next()) == ("text/plain", b"one")
            seen.touch()  # only now the function sends the rest
            assert await stream.next() == b"two"

            outcome = await call
            stream.end(outcome)
            assert (outcome.payload, outcome.error, await stream.next()) == (b"", None, b"")

    run(story())


def test_a_streamed_answer_that_nobody_takes_holds_its_function_up_and_is_bounded(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            stream = ResponseStream()
            deed = _STREAM.format(pieces="[b'x' * 1_000_000] * 40", trailers="")
            call = asyncio.ensure_future(at.invoke(program(at), deed, stream=stream))
            call.add_done_callback(lambda ended: stream.end(ended.result()))
            held: list[int] = []
            while stream.outcome is None or stream.held_bytes:
                while not stream.full and stream.outcome is None:  # noqa: ASYNC110  # what is observed has no event
                    await asyncio.sleep(0)
                if not held:
                    assert not call.done()
                held.append(stream.held_bytes)
                await stream.next()

            assert max(held) < FULL_BYTES + 65_536
            assert sum(held) == 40_000_000

    run(story())


def test_a_streamed_answer_whose_caller_left_is_read_to_its_end(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(at)
            stream = ResponseStream()
            deed = _STREAM.format(pieces="[b'x' * 1_000_000] * 40", trailers="")
            call = asyncio.ensure_future(at.invoke(spec, deed, stream=stream))
            await stream.begun

            stream.abandon()

            assert (await call).error is None
            assert (stream.held_bytes, await stream.next()) == (0, b"")
            assert await at.answer(spec, "answer = 1") == 1

    run(story())


def test_a_question_whose_connection_was_lost_is_asked_anew(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(
                at,
                """
                lost = connect()
                lost.sendall(get(NEXT))
                lost.shutdown(socket.SHUT_WR)
                assert lost.recv(1000) == b""  # the server has seen it
                print("lost")
                serve()
                """,
            )
            await at.runtime.prepare(spec)
            await at.logs.line("lost")

            assert await at.answer(spec, "answer = 1") == 1

    run(story())


def test_only_one_connection_can_wait_for_the_next_call(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            go = at.folder / "go"
            spec = program(
                at,
                f"""
                waiting = connect()
                waiting.sendall(get(NEXT))
                while not os.path.exists({str(go)!r}): pass
                refused = ask("GET", NEXT)
                head, _, event = waiting.recv(65536).rpartition(b"\\r\\n\\r\\n")
                id = head.decode().split("Request-Id: ")[1].split("\\r\\n")[0]
                ask("POST", f"{{BASE}}/invocation/{{id}}/response", json.dumps(refused[0]))
                serve()
                """,
            )
            await at.runtime.prepare(spec)
            await until(lambda: at.runtime.provisioned(spec.key).started == 1)  # its question is there
            go.touch()

            assert await at.answer(spec) == 403

    run(story())


def test_an_error_at_the_start_is_every_waiting_call_s_answer(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            document = '{"errorMessage": "no database", "errorType": "Runtime.Configuration"}'
            spec = program(
                at,
                f"""
                print(ask("POST", f"{{BASE}}/init/error", {document!r})[0], flush=True)
                print(ask("GET", NEXT)[0], flush=True)
                print("last words", flush=True)
                sys.exit(3)
                """,
            )

            assert await at.failure(spec) == json.loads(document)
            assert [line for line in at.logs.lines if line in {"202", "403", "last words"}] == [
                "202",
                "403",
                "last words",
            ]

    run(story())


def test_one_that_says_why_it_cannot_start_and_stays_is_ended(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = program(at, 'ask("POST", f"{BASE}/init/error", "{}"); threading.Event().wait()')

            assert await at.failure(spec) == {}

    run(story())


def test_an_environment_s_port_closes_with_it(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            host, port = (await at.answer(program(at), "answer = API")).split(":")
            assert host == "127.0.0.1"
            socket.create_connection((host, int(port))).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))

    run(story())


def test_each_environment_has_a_port_of_its_own_and_acts_on_its_own_calls(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            mine, other = program(at), program(at)
            there = await at.answer(other, "answer = API")

            deed = f'answer = ask("POST", here + "/response", "1", api={there!r})[0]'

            assert await at.answer(mine, deed) == 400

    run(story())


def test_too_many_connections_are_closed_and_the_rest_go_on(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            deed = """
them = [connect() for _ in range(40)]
for each in them[:31]:
    each.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
served = [bool(each.recv(1000)) for each in them[:31]]
closed = []
for each in them[33:]:
    try:
        closed.append(each.recv(1000) == b"")
    except ConnectionResetError:
        closed.append(True)
for each in them:
    each.close()
import time
while True:
    try:
        ask("GET", "/")
        break
    except (OSError, http.client.HTTPException):
        pass  # until the server has seen that they are closed
answer = [all(served), all(closed)]
"""
            assert await at.answer(program(at), deed) == [True, True]

    run(story())
