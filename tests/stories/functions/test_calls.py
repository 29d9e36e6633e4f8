"""What a function is given, and what comes back."""

import asyncio
import json
import os
from typing import Any

import pytest

Fixture = Any


def test_the_event_goes_in_and_the_answer_comes_out(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            echo = at.function("def handler(event, context): return event")

            assert await at.answer(echo, {"a": ["ü", 1.5, None, True]}) == {"a": ["ü", 1.5, None, True]}
            assert (await at.invoke(at.function("def handler(event, context): pass"))).payload == b"null"

    run(story())


def test_the_same_on_the_stock_event_loop(stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            echo = at.function("def handler(event, context): return event")

            assert await asyncio.gather(*(at.answer(echo, n) for n in range(20))) == list(range(20))

    asyncio.run(story())


def test_the_context_has_lambda_s_fields(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                def handler(event, context):
                    names = ("aws_request_id function_name function_version invoked_function_arn memory_limit_in_mb "
                             "log_group_name log_stream_name").split()
                    told = {name: getattr(context, name) for name in names}
                    told["left"] = context.get_remaining_time_in_millis()
                    told["identity"] = [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]
                    told["custom"] = context.client_context.custom
                    return told
                """
            )
            outcome = await at.invoke(spec, request_id="rid", client_context='{"custom":{"k":"v"}}')
            told = json.loads(outcome.payload)

            stream = at.logs.events[0][1]
            assert 0 < told.pop("left") <= 20_000
            assert told == {
                "aws_request_id": "rid",
                "function_name": "fn",
                "function_version": "$LATEST",
                "invoked_function_arn": "arn:aws:lambda:eu-west-1:000000000000:function:fn:live",
                "memory_limit_in_mb": "128",
                "log_group_name": "/aws/lambda/fn",
                "log_stream_name": stream,
                "identity": [None, None],
                "custom": {"k": "v"},
            }

    run(story())


def test_the_environment_is_the_function_s_and_nothing_of_the_server_s(
    run: Fixture, stage: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "s3cr3t-of-the-server")

    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os
                def handler(event, context):
                    seen = {"variables": dict(os.environ), "cwd": os.getcwd()}
                    for name in ("environ", "cmdline"):
                        seen[name] = open(f"/proc/self/{name}", "rb").read().decode()
                    seen["fds"] = sorted(os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
                                         for fd in os.listdir("/proc/self/fd")
                                         if os.path.exists(f"/proc/self/fd/{fd}") and int(fd) < 100)
                    return seen
                """,
                environment={"TABLE": "pets", "USER_SECRET": "s3cr3t-of-the-user"},
            )

            seen = await at.answer(spec)

            assert "s3cr3t" not in seen["environ"] + seen["cmdline"]
            assert seen["cwd"] == str(spec.code_dir)
            variables = seen["variables"]
            assert variables["TABLE"] == "pets"
            assert variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
            assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
            assert variables["_HANDLER"] == "index.handler"
            assert "SERVER_SECRET" not in variables
            assert "AWS_ENDPOINT_URL" not in variables
            # Null device, two of the output pipe, the socket to the server; the listing's own is gone again.
            assert seen["fds"] == ["/dev/null", "pipe", "pipe", "socket"]

    run(story())


def test_the_temporary_folder_is_the_environment_s_own_and_goes_with_it(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, tempfile
                def handler(event, context):
                    with open(os.path.join(tempfile.gettempdir(), "kept"), "a") as file: file.write("x")
                    return [tempfile.gettempdir(), os.path.getsize(os.path.join(os.environ["TMPDIR"], "kept"))]
                """
            )

            first, second = await at.answer(spec), await at.answer(spec)

            assert first[0].startswith(str(at.work))
            assert [first[1], second] == [1, [first[0], 2]]
        assert list(at.work.iterdir()) == []

    run(story())


def test_a_function_that_is_woken_takes_no_core_from_the_server(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            asked = """
                import os
                policies = [os.sched_getscheduler(0)]
                def handler(event, context): return [*policies, os.sched_getscheduler(0)]
            """
            assert await at.answer(at.function(asked)) == [os.SCHED_BATCH, os.SCHED_BATCH]

    run(story())


def test_boto3_can_be_imported_when_the_function_brings_none(run: Fixture, stage: Fixture) -> None:
    pytest.importorskip("jmespath")

    async def story() -> None:
        async with stage() as at:
            # A small package stands for it: of the same folder, and imported in no time.
            spec = at.function("import jmespath\ndef handler(event, context): return jmespath.search('a', event)")

            assert await at.answer(spec, {"a": 1}) == 1

    run(story())


def test_big_events_and_answers_go_through(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("def handler(event, context): return event")
            event = "x" * 6_000_000

            assert await at.answer(spec, event) == event

    run(story())


def test_an_answer_above_the_limit_is_an_error(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("def handler(event, context): return 'x' * event")

            assert len((await at.invoke(spec, 6_291_554)).payload) == 6_291_556
            assert await at.failure(spec, 6_291_555) == {
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            }

    run(story())


def test_what_a_handler_raises_is_told_with_its_stack_trace(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                def handler(event, context):
                    return fail()
                def fail():
                    raise ValueError("no good")
                """
            )

            document = json.loads((await at.invoke(spec, request_id="rid")).payload)

            trace = document.pop("stackTrace")
            assert document == {"errorMessage": "no good", "errorType": "ValueError", "requestId": "rid"}
            assert [line.split(", ")[1:] for line in "".join(trace).splitlines() if "File" in line] == [
                ["line 3", "in handler"],
                ["line 5", "in fail"],
            ]

    run(story())


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        ("return {1, 2}", "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON"),
        ("raise KeyboardInterrupt('stop')", "KeyboardInterrupt", "stop"),
        ("class Odd(Exception):\n  def __str__(self): return 1/0\n raise Odd", "Odd", ""),
    ],
    ids=["no JSON", "a BaseException", "an exception without words"],
)
def test_errors_have_lambda_s_types(body: str, error_type: str, message: str, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            document = await at.failure(at.function(f"def handler(event, context):\n {body}"))

            assert document["errorType"] == error_type
            assert document["errorMessage"].startswith(message)

    run(story())


def test_decimals_are_numbers_and_letters_are_not_escaped(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("from decimal import Decimal\ndef handler(event, context): return ['ü', Decimal('1.5')]")

            assert (await at.invoke(spec)).payload == '["ü", 1.5]'.encode()

    run(story())


@pytest.mark.parametrize(
    ("code", "handler", "error_type", "message"),
    [
        ("", "nope.handler", "Runtime.ImportModuleError", "Unable to import module 'nope': No module named 'nope'"),
        (
            "import gone",
            "index.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'index': No module named 'gone'",
        ),
        ("", "index.h", "Runtime.HandlerNotFound", "Handler 'h' missing on module 'index'"),
        (
            "",
            "index",
            "Runtime.MalformedHandlerName",
            "Bad handler 'index': not enough values to unpack (expected 2, got 1)",
        ),
        ("def (", "index.h", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index': invalid syntax"),
        ("1 / 0", "index.h", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_handler_that_cannot_be_imported_is_the_answer(
    code: str, handler: str, error_type: str, message: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            document = await at.failure(at.function(code, handler=handler))

            assert document["errorType"] == error_type
            assert document["errorMessage"].startswith(message)
            assert document["requestId"] == ""
            assert any(line.startswith(f"[ERROR] {error_type}: {message}") for line in at.logs.lines)

    run(story())


def test_an_import_that_takes_too_long_times_out(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(init_s=0.3) as at:
            document = await at.failure(at.function("while True: pass", timeout_s=0.1))

            assert document["errorType"] == "Sandbox.Timedout"
            assert document["errorMessage"].endswith("Task timed out after 0.30 seconds")

    run(story())


def test_an_import_may_take_as_long_as_a_call_where_that_is_longer(run: Fixture, stage: Fixture) -> None:
    """Lambda ends a start after its limit, and makes it anew with the first call's timeout."""

    async def story() -> None:
        async with stage(init_s=0.05) as at:
            slow = "import time\ntime.sleep(0.2)\ndef handler(event, context): return event"
            threads = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"

            assert await at.answer(at.function(slow), "forked") == "forked"
            assert await at.answer(at.function(threads + slow), "on its own") == "on its own"

    run(story())


def test_an_import_that_exits_is_an_exit(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            document = await at.failure(at.function("import sys\nsys.exit(3)"))

            assert document["errorType"] == "Runtime.ExitError"
            assert document["errorMessage"].endswith("Runtime exited with error: exit status 3")

    run(story())


def test_all_calls_that_wait_for_a_failing_import_get_its_error(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("import gone")

            documents = await asyncio.gather(*(at.failure(spec) for _ in range(20)))

            assert {document["errorType"] for document in documents} == {"Runtime.ImportModuleError"}
            assert len([line for line in at.logs.lines if line.startswith("INIT_START")]) == 1

    run(story())
