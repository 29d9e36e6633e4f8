"""Node.js functions, on the bootstrap that comes with Headgate."""

import json
import re
import shutil
from typing import Any

import pytest

from .programs import node

Fixture = Any

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")


@pytest.mark.parametrize(
    ("name", "package", "source"),
    [
        pytest.param("index.js", None, "exports.handler = async (event) => [event]", id="CommonJS"),
        pytest.param("index.cjs", None, "exports.handler = async (event) => [event]", id="CommonJS by its suffix"),
        pytest.param(
            "index.mjs", None, "export const handler = async (event) => [event]", id="ES module by its suffix"
        ),
        pytest.param(
            "index.js",
            '{"type":"module"}',
            "export const handler = async (event) => [event]",
            id="ES module by package",
        ),
        pytest.param("index.mjs", None, "export default {handler: async (event) => [event]}", id="default export"),
        pytest.param(
            "index.mjs", None, "const made = await 1; export const handler = async (e) => [e]", id="top-level await"
        ),
        pytest.param(
            "index.js",
            None,
            "exports.handler = async (e) => { const m = await import('./m.mjs'); return [e] }",
            id="import",
        ),
        pytest.param("index/index.js", None, "exports.handler = async (event) => [event]", id="folder with an index"),
    ],
)
def test_a_handler_is_found_and_called(
    name: str, package: str | None, source: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(at, source, name)
            (spec.code_dir / "m.mjs").write_text("export default 1")
            if package is not None:
                (spec.code_dir / "package.json").write_text(package)

            assert await at.answer(spec, {"a": ["ü", 1.5, None]}) == [{"a": ["ü", 1.5, None]}]
            assert await at.answer(spec, 2) == [2]

    run(story())


def test_a_handler_in_a_folder_and_below_an_object(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(at, "exports.api = { get: async () => 'got' }", "src/app.js", handler="src/app.api.get")

            assert await at.answer(spec) == "got"

    run(story())


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        pytest.param("exports.handler = (e, c, callback) => callback(null, 1)", 1, id="callback"),
        pytest.param("exports.handler = (e, c, callback) => { setTimeout(() => callback(null, 2), 5) }", 2, id="later"),
        pytest.param("exports.handler = (e, c) => c.succeed(3)", 3, id="context.succeed"),
        pytest.param("exports.handler = (e, c) => c.done(null, 4)", 4, id="context.done"),
        pytest.param("exports.handler = () => Promise.resolve(5)", 5, id="promise"),
        pytest.param("exports.handler = async () => {}", None, id="nothing"),
        pytest.param("exports.handler = () => 6", None, id="a plain value is no answer"),
        pytest.param("exports.handler = async () => { await new Promise(() => {}) }", None, id="never settled"),
        pytest.param("exports.handler = async (e, c) => { c.succeed(7); return 8 }", 7, id="the first answer counts"),
        pytest.param("exports.handler = async () => () => 1", None, id="what JSON has no word for"),
    ],
)
def test_the_ways_to_answer(source: str, answer: Any, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(at, source)

            assert [await at.answer(spec), await at.answer(spec)] == [answer, answer]

    run(story())


def test_a_callback_waits_for_an_empty_event_loop_unless_told_not_to(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(
                at,
                """
                let late = 0;
                exports.handler = (event, context, callback) => {
                    context.callbackWaitsForEmptyEventLoop = event.wait;
                    const told = { get late() { return late } };
                    late = 0;
                    setTimeout(() => { late = 1 }, 20);
                    callback(null, told);
                }
                """,
            )

            assert await at.answer(spec, {"wait": True}) == {"late": 1}
            assert await at.answer(spec, {"wait": False}) == {"late": 0}

    run(story())


def test_the_context_has_lambda_s_fields(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(
                at,
                "exports.handler = async (e, context) => "
                "({...context, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID})",
            )

            outcome = await at.invoke(spec, request_id="rid", trace_id="Root=1", client_context='{"custom":{"k":"v"}}')

            told = json.loads(outcome.payload)
            assert 0 < told.pop("left") <= 20_000
            assert told == {
                "callbackWaitsForEmptyEventLoop": True,
                "functionName": "fn",
                "functionVersion": "$LATEST",
                "invokedFunctionArn": f"{spec.arn}:live",
                "memoryLimitInMB": "128",
                "awsRequestId": "rid",
                "logGroupName": "/aws/lambda/fn",
                "logStreamName": at.logs.events[0][1],
                "clientContext": {"custom": {"k": "v"}},
                "trace": "Root=1",
            }

    run(story())


def test_the_environment_is_node_s(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(
                at, "exports.handler = async () => ({...process.env, cwd: process.cwd()})", environment={"A": "b"}
            )

            seen = await at.answer(spec)

            assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs20.x"
            assert (seen["A"], seen["_HANDLER"], seen["cwd"]) == ("b", "index.handler", str(spec.code_dir))
            assert not {"PYTHONPATH", "LC_CTYPE", "HOME"} & set(seen)

    run(story())


@pytest.mark.parametrize(
    ("deed", "error_type", "message"),
    [
        pytest.param("throw new TypeError('no')", "TypeError", "no", id="throws"),
        pytest.param("callback(new RangeError('no'))", "RangeError", "no", id="callback"),
        pytest.param("context.fail(new Error('no'))", "Error", "no", id="context.fail"),
        pytest.param("return Promise.reject(new Error('no'))", "Error", "no", id="rejects"),
        pytest.param("throw 'no'", "string", "no", id="throws what is no error"),
        pytest.param(
            "const a = {}; a.a = a; return Promise.resolve(a)",
            "Error",
            "Unable to stringify response body",
            id="circle",
        ),
    ],
)
def test_an_error_has_a_type_a_message_and_a_trace(
    deed: str, error_type: str, message: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = node(at, f"exports.handler = (event, context, callback) => {{\n  {deed} }}")

            failed = await at.failure(spec)

            assert (failed["errorType"], failed["errorMessage"]) == (error_type, message)
            assert sorted(failed) == ["errorMessage", "errorType", "trace"]
            if error_type != "string":
                assert failed["trace"][0] == f"{error_type}: {message}"
            assert any(re.match(r".*\tid-1\tERROR\tInvoke Error \t\{", line) for line in at.logs.lines)
            await at.failure(spec)
            assert sum(line.startswith("INIT_START") for line in at.logs.lines) == 1

    run(story())


@pytest.mark.parametrize(
    ("deed", "error_type", "message"),
    [
        pytest.param("process.exit(7)", "Runtime.ExitError", "exit status 7", id="exits"),
        pytest.param(
            "process.exit(0)", "Runtime.ExitError", "without providing a reason", id="exits without a failure"
        ),
        pytest.param("process.kill(process.pid, 'SIGKILL')", "Runtime.ExitError", "signal: killed", id="kills itself"),
        pytest.param(
            "setTimeout(() => { throw new TypeError('late') }, 1); await new Promise(r => setTimeout(r, 5000))",
            "TypeError",
            "late",
            id="throws where nobody catches",
        ),
        pytest.param(
            "Promise.reject(new Error('late')); await new Promise(r => setTimeout(r, 5000))",
            "Runtime.UnhandledPromiseRejection",
            "Error: late",
            id="rejects where nobody catches",
        ),
        pytest.param("while (true);", "Sandbox.Timedout", "timed out after 1.00 seconds", id="loops"),
    ],
)
def test_what_ends_a_process_costs_its_own_call_only(
    deed: str, error_type: str, message: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            timeout: dict[str, Any] = {"timeout_s": 1} if error_type == "Sandbox.Timedout" else {}
            spec = node(
                at, f"exports.handler = async (event) => {{ if (event !== 'do it') return 1;\n {deed} }}", **timeout
            )
            assert await at.answer(spec) == 1

            failed = await at.failure(spec, "do it")

            assert failed["errorType"] == error_type
            assert message in failed["errorMessage"]
            assert await at.answer(spec) == 1

    run(story())


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        pytest.param(
            "", "absent.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'absent'", id="file"
        ),
        pytest.param(
            "require('absent')",
            "index.handler",
            "Runtime.ImportModuleError",
            "Cannot find module 'absent'",
            id="module",
        ),
        pytest.param(
            "exports.other = 1",
            "index.handler",
            "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported",
            id="name",
        ),
        pytest.param(
            "exports.handler = 1",
            "index.handler",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
            id="kind",
        ),
        pytest.param(
            "const = 1", "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected", id="syntax"
        ),
        pytest.param("", "index", "Runtime.MalformedHandlerName", "Bad handler", id="no dot"),
        pytest.param("", "../index.handler", "Runtime.MalformedHandlerName", "is not a valid handler name", id="up"),
        pytest.param("throw new EvalError('at start')", "index.handler", "EvalError", "at start", id="throws"),
    ],
)
def test_a_handler_that_cannot_be_loaded(
    source: str, handler: str, error_type: str, message: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            failed = await at.failure(node(at, source, handler=handler))

            assert failed["errorType"] == error_type
            assert message in failed["errorMessage"]
            assert any("Uncaught Exception" in line for line in at.logs.lines)

    run(story())


def test_the_console_writes_lambda_s_lines(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(
                at,
                """
                console.log("loading");
                exports.handler = async () => {
                    console.log("two\\nlines", {a: 1}); console.info("%d%%", 5); console.warn("w");
                    console.error("e"); console.debug("d"); process.stdout.write("plain\\n");
                }
                """,
            )

            tail = (await at.invoke(spec, want_log_tail=True)).log_tail.decode()

            lines = [
                line.split("\t")[1:] for line in at.logs.lines if re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z\t", line)
            ]
            assert lines == [
                ["undefined", "INFO", "loading"],
                ["id-1", "INFO", "two\nlines { a: 1 }"],
                ["id-1", "INFO", "5%"],
                ["id-1", "WARN", "w"],
                ["id-1", "ERROR", "e"],
                ["id-1", "DEBUG", "d"],
            ]
            assert tail.startswith("START RequestId: id-1")
            assert "\nplain\n" in tail
            assert at.logs.lines[0] == "INIT_START Runtime Version: nodejs20.x"

    run(story())


def test_the_console_writes_json_objects_from_their_level_on_where_that_is_set(run: Fixture, stage: Fixture) -> None:
    source = """
        exports.handler = async () => {
            console.info("left out");
            console.warn({ a: 1n === 1n });
            console.error("it %s:", "failed", new TypeError("no"));
            const circle = {}; circle.own = circle;
            console.error(circle);
            throw new RangeError("far");
        }
    """

    async def story() -> None:
        async with stage() as at:
            await at.failure(node(at, source, log_format="JSON", log_level="WARN"))

            told = [json.loads(line) for line in at.logs.lines if line.startswith("{")]
            assert [each.pop("timestamp")[10] for each in told] == ["T"] * 4
            assert told[0] == {"level": "WARN", "requestId": "id-1", "message": {"a": True}}
            assert (told[1]["level"], told[1]["errorType"], told[1]["errorMessage"]) == ("ERROR", "TypeError", "no")
            assert told[1]["message"].startswith("it failed: TypeError: no")
            assert "[Circular *1]" in told[2]["message"]
            assert (told[3]["errorType"], told[3]["errorMessage"]) == ("RangeError", "far")

    run(story())


def test_a_streaming_handler_s_pieces_are_put_together(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = node(
                at,
                """
                exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
                    if (event === "fail first") throw new TypeError("first");
                    stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201});
                    stream.write("one ");
                    if (event === "fail") throw new TypeError("half way");
                    stream.write("two ");
                    stream.end("three");
                });
                """,
            )

            outcomes = [await at.invoke(spec), await at.invoke(spec)]

            assert {each.payload for each in outcomes} == {b'{"statusCode":201}' + bytes(8) + b"one two three"}
            for event, message in (("fail first", "first"), ("fail", "half way")):
                failed = await at.failure(spec, event)
                assert (failed["errorType"], failed["errorMessage"]) == ("TypeError", message)
            assert (await at.invoke(spec)).error is None
            assert sum(line.startswith("INIT_START") for line in at.logs.lines) == 1

    run(story())


def test_a_large_event_and_a_large_answer(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = node(at, "exports.handler = async (event) => event + event", memory_mb=512)

            assert len(await at.answer(spec, "ü" * 1_000_000)) == 2_000_000
            failed = await at.failure(spec, "x" * 4_000_000)
            assert failed["errorType"] == "Function.ResponseSizeTooLarge"
            assert await at.answer(spec, "a") == "aa"

    run(story())
