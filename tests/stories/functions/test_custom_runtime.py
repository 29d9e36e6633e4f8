"""Functions that bring their own program: `provided.*`, and any code with an executable `bootstrap`."""

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.functions.response_stream import ResponseStream

from .conftest import alive, gone
from .programs import bootstrap, program

Fixture = Any
AWS_LAMBDA_RIC = Path(__file__).parents[3] / ".cache/aws-lambda-ric/node_modules/aws-lambda-ric/bin/index.mjs"

SHELL = """#!/bin/sh
# The loop of AWS's own tutorial, with the shell's tools alone.
while true; do
    headers=$(mktemp)
    event=$(curl -sS -LD "$headers" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
    id=$(grep -Fi Lambda-Runtime-Aws-Request-Id "$headers" | tr -d '[:space:]' | cut -d: -f2)
    echo "event is $event"
    answer="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response"
    curl -sS -o /dev/null "$answer" -d "{\\"got\\":$event}"
done
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")
def test_a_shell_script_is_a_runtime(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = bootstrap(at, SHELL)

            assert [await at.answer(spec, {"n": n}) for n in range(3)] == [{"got": {"n": n}} for n in range(3)]
            assert 'event is {"n": 1}' in at.logs.lines
            assert at.logs.lines[0] == "INIT_START Runtime Version: provided.al2023"

    run(story())


def test_the_environment_is_the_function_s(run: Fixture, stage: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "s3cr3t")

    async def story() -> None:
        async with stage() as at:
            spec = program(at, handler="any.thing", environment={"TABLE": "pets"})

            deed = """
with open(os.path.join(os.environ["TMPDIR"], "kept"), "w") as file: file.write("x")
fds = sorted(os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{fd}"))
answer = {"variables": dict(os.environ), "cwd": os.getcwd(), "fds": fds, "group": os.getpgid(0) == os.getpid()}
"""
            seen = await at.answer(spec, deed)

            variables = seen["variables"]
            assert (seen["cwd"], seen["group"]) == (str(spec.code_dir), True)
            assert variables["LAMBDA_TASK_ROOT"] == str(spec.code_dir)
            assert (variables["_HANDLER"], variables["TABLE"]) == ("any.thing", "pets")
            assert variables["AWS_LAMBDA_LOG_STREAM_NAME"] == at.logs.events[0][1]
            assert variables["TMPDIR"].startswith(str(at.work))
            assert not {"AWS_EXECUTION_ENV", "PYTHONPATH", "SERVER_SECRET"} & set(variables)
            assert seen["fds"] == ["/dev/null", "pipe", "pipe"]
        assert list(at.work.iterdir()) == []

    run(story())


def test_an_executable_bootstrap_is_run_whatever_the_runtime_is_called(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            assert await at.answer(program(at, runtime="python3.13"), "answer = os.environ['AWS_EXECUTION_ENV']") == (
                "AWS_Lambda_python3.13"
            )

    run(story())


@pytest.mark.parametrize(
    ("script", "error_type", "message"),
    [
        pytest.param("#!/bin/sh\nexit 3\n", "Runtime.ExitError", "exit status 3", id="ends at once"),
        pytest.param("#!/bin/sh\nkill -SEGV $$\n", "Runtime.ExitError", "segmentation fault", id="crashes"),
        pytest.param(
            "#!/absent/program\n", "Runtime.InvalidEntrypoint", "no such file or directory", id="no such shell"
        ),
        pytest.param("no program", "Runtime.InvalidEntrypoint", "exec format error", id="is no program"),
        pytest.param("#!/bin/sh\nexec sleep 60\n", "Sandbox.Timedout", "timed out after 0.30 seconds", id="never asks"),
    ],
)
def test_a_program_that_cannot_serve(script: str, error_type: str, message: str, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(init_s=0.3 if error_type == "Sandbox.Timedout" else 10) as at:
            failed = await at.failure(bootstrap(at, script, timeout_s=0.1))

            assert failed["errorType"] == error_type
            assert failed["errorMessage"].startswith("RequestId: id-1 Error: ")
            assert message in failed["errorMessage"]

    run(story())


def test_without_a_bootstrap_the_error_says_where_it_was_looked_for(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("", runtime="provided.al2023")

            failed = await at.failure(spec)

            where = spec.code_dir / "bootstrap"
            assert failed == {
                "errorType": "Runtime.InvalidEntrypoint",
                "errorMessage": f"RequestId: id-1 Error: Couldn't find valid bootstrap(s): [{where}]",
            }
            assert f"Couldn't find valid bootstrap(s): [{where}]" in at.logs.lines

    run(story())


def test_a_timeout_ends_the_program_and_all_that_it_started(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            # Before its call, whose time is short.
            start = """
            import subprocess
            here = subprocess.Popen(["sleep", "600"])
            away = subprocess.Popen(["sleep", "600"], start_new_session=True)
            print("pids", os.getpid(), here.pid, away.pid)
            serve()
            """
            spec = program(at, start, timeout_s=1)
            failed = await at.failure(spec, "threading.Event().wait()")

            pids = [int(pid) for pid in (await at.logs.line("pids")).split()[1:]]
            assert failed["errorMessage"] == "RequestId: id-1 Error: Task timed out after 1.00 seconds"
            for pid in pids:
                await gone(pid)
            assert await at.answer(spec, "answer = 1") == 1

    run(story())


def test_a_program_that_ends_in_a_call_costs_that_call_only(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at)
            first = await at.answer(spec, "answer = os.getpid()")

            failed = await at.failure(spec, "os._exit(5)")

            assert failed["errorMessage"] == "RequestId: id-2 Error: Runtime exited with error: exit status 5"
            assert not alive(first)
            assert await at.answer(spec, "answer = 1") == 1

    run(story())


def test_one_that_ends_while_idle_is_replaced(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at)
            pid = await at.answer(spec, "answer = os.getpid()")

            os.kill(pid, signal.SIGKILL)
            await gone(pid)

            assert await at.answer(spec, "answer = os.getpid()") != pid

    run(story())


def test_a_call_that_never_reached_a_program_is_given_to_another(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(
                at,
                f"""
                began, go = {str(at.folder / "began")!r}, {str(at.folder / "go")!r}
                if not os.path.exists(began):
                    open(began, "w").close()
                    lost = connect()
                    lost.sendall(get(NEXT))
                    lost.shutdown(socket.SHUT_WR)
                    lost.recv(1000)
                    print("lost")
                    while not os.path.exists(go): pass
                    sys.exit(3)
                serve()
                """,
            )
            await at.runtime.prepare(spec)
            await at.logs.line("lost")

            waiting = asyncio.ensure_future(at.answer(spec, "answer = 1"))
            await at.logs.line("START")
            (at.folder / "go").touch()

            assert await waiting == 1

    run(story())


def test_a_call_waits_for_a_program_that_works_on_after_its_answer(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at)
            deed = f"""
ask("POST", here + "/response", "1")
while not os.path.exists({str(at.folder / "go")!r}): pass
KEPT["after"] = True
"""
            assert (await at.invoke(spec, deed)).payload == b"1"  # at once, before the work is done

            waiting = asyncio.ensure_future(at.answer(spec, 'answer = KEPT["after"]'))
            (at.folder / "go").touch()

            assert await waiting is True

    run(story())


def test_one_that_never_asks_again_is_ended_at_its_call_s_deadline(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = program(at, timeout_s=1)

            assert (
                await at.invoke(spec, 'ask("POST", here + "/response", "1"); threading.Event().wait()')
            ).error is None

            assert await at.answer(spec, "answer = 2") == 2

    run(story())


def test_calls_at_once_have_an_environment_each(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=2) as at:
            spec = program(at)
            meet = f"""
open(os.path.join({str(at.folder)!r}, f"here-{{os.getpid()}}"), "w").close()
while len([name for name in os.listdir({str(at.folder)!r}) if name.startswith("here-")]) < 2: pass
answer = os.getpid()
"""
            first, second = await asyncio.gather(at.answer(spec, meet), at.answer(spec, meet))

            assert first != second

    run(story())


def test_memory_beyond_the_function_s_is_refused_by_the_kernel(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            deed = """
try: bytearray(600 << 20); answer = "had it"
except MemoryError: answer = "refused"
"""
            assert await at.answer(program(at, memory_mb=128), deed) == "refused"
            assert await at.answer(program(at, memory_mb=1024), deed) == "had it"

    run(story())


def _ignored(status: list[str]) -> int:
    """The signals that a process ignores, without those that the C library keeps for itself."""
    line = next(line for line in status if line.startswith("SigIgn"))
    return int(line.split()[1], 16) & (1 << 31) - 1


def test_signals_are_as_a_program_expects_them(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            status = await at.answer(program(at), 'answer = open("/proc/self/status").read()')

            # Of those of Python itself, which this program is: SIGPIPE and SIGXFSZ.
            assert _ignored(status.splitlines()) == 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
            shell = bootstrap(at, "#!/bin/sh\ngrep SigIgn /proc/self/status\nexit 1\n")
            await at.failure(shell)
            assert _ignored(at.logs.lines) == 0

    run(story())


def test_what_a_call_is_answered_need_not_be_json(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            outcome = await at.invoke(program(at), 'ask("POST", here + "/response", "plain")')

            assert (outcome.payload, outcome.error) == (b"plain", None)

    run(story())


@pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None, reason="awslambdaric is not installed (pip install awslambdaric)"
)
def test_aws_s_own_python_client_runs_unmodified(run: Fixture, stage: Fixture) -> None:
    paths = ":".join(path for path in sys.path if Path(path).is_dir())

    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = bootstrap(
                at, f"#!/bin/sh\nexport PYTHONPATH={paths}\nexec {sys.executable} -m awslambdaric index.handler\n"
            )
            (spec.code_dir / "index.py").write_text(
                "def handler(event, context):\n"
                "    if event == 'fail': raise ValueError('no')\n"
                "    return {'event': event, 'id': context.aws_request_id, 'big': 'x' * 2_000_000}\n"
            )

            for number in range(3):
                answer = await at.answer(spec, {"n": number})
                assert (answer["event"], len(answer["big"])) == ({"n": number}, 2_000_000)
            failed = await at.failure(spec, "fail")
            assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "no")
            broken = bootstrap(
                at, f"#!/bin/sh\nexport PYTHONPATH={paths}\nexec {sys.executable} -m awslambdaric absent.handler\n"
            )
            assert (await at.failure(broken))["errorType"] == "Runtime.ImportModuleError"

    run(story())


@pytest.mark.skipif(not AWS_LAMBDA_RIC.exists(), reason="aws-lambda-ric is not there (make aws-lambda-ric)")
def test_aws_s_own_node_client_runs_unmodified(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = bootstrap(
                at, f"#!/bin/sh\nexec {shutil.which('node')} {AWS_LAMBDA_RIC.resolve()} index.handler\n", memory_mb=512
            )
            (spec.code_dir / "index.js").write_text(
                "exports.handler = async (event, context) => {\n"
                "  if (event === 'fail') throw new TypeError('no');\n"
                "  return {event, id: context.awsRequestId, big: 'x'.repeat(2_000_000)};\n"
                "};\n"
                "exports.streamed = awslambda.streamifyResponse(async (event, stream) => {\n"
                "  stream.setContentType('text/x-own'); stream.write('one'); stream.end('two');\n"
                "});\n"
            )
            for number in range(3):
                answer = await at.answer(spec, {"n": number})
                assert (answer["event"], len(answer["big"])) == ({"n": number}, 2_000_000)
            failed = await at.failure(spec, "fail")
            assert (failed["errorType"], failed["errorMessage"]) == ("TypeError", "no")

            bootstrap_of_streamed = (spec.code_dir / "bootstrap").read_text().replace("index.handler", "index.streamed")
            streamed = bootstrap(at, bootstrap_of_streamed, memory_mb=512)
            shutil.copy(spec.code_dir / "index.js", streamed.code_dir)
            stream = ResponseStream()
            outcome = await at.invoke(streamed, stream=stream)
            stream.end(outcome)
            assert (stream.content_type, await stream.next(), outcome.error) == ("text/x-own", b"onetwo", None)

    run(story())
