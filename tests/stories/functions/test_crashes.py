"""Whatever a function does to itself costs it its own call, and nobody else anything."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

import pytest

from .conftest import alive, descriptors, gone

Fixture = Any

# Each handler does something terrible when asked to, and answers otherwise.
TERRIBLE = """
import ctypes, os, signal, socket, sys, threading, time
def handler(event, context):
    if event != "do it":
        return [event, os.getpid()]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("doing it")
    {deed}
"""


@pytest.mark.parametrize(
    ("deed", "error_type", "how"),
    [
        pytest.param("os._exit(1)", "Runtime.ExitError", "exit status 1", id="ends its process"),
        pytest.param("sys.exit(7)", "Runtime.ExitError", "exit status 7", id="exits"),
        pytest.param("sys.exit(0)", "Runtime.ExitError", "without providing a reason", id="exits without a failure"),
        pytest.param("ctypes.string_at(0)", "Runtime.ExitError", "signal: segmentation fault", id="segfaults"),
        pytest.param("os.abort()", "Runtime.ExitError", "signal: aborted", id="aborts"),
        pytest.param("os.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: killed", id="kills itself"),
        pytest.param("os.kill(0, 9)", "Runtime.ExitError", "signal: killed", id="kills its process group"),
        pytest.param("os.kill(os.getppid(), 9); time.sleep(60)", "Runtime.ExitError", "", id="kills its parent"),
        pytest.param("while True: pass", "Sandbox.Timedout", "timed out after 1.00 seconds", id="loops"),
        pytest.param("ctypes.CDLL(None).pause()", "Sandbox.Timedout", "1.00 seconds", id="hangs in C"),
        pytest.param("time.sleep(60)", "Sandbox.Timedout", "1.00 seconds", id="sleeps"),
        pytest.param("os.closerange(0, 1024)", "Runtime.ExitError", "", id="closes all descriptors"),
        pytest.param(
            "[os.write(fd, b'\\xff' * 10) for fd in range(3, 64) if os.path.exists(f'/proc/self/fd/{fd}')]",
            "Runtime.ExitError",
            "",
            id="writes garbage to all descriptors",
        ),
        pytest.param(
            "x = []\n    while True: x.append(bytearray(1 << 20))", "Runtime.ExitError", "killed", id="eats memory"
        ),
        pytest.param("'x' * (1 << 30)", "Runtime.ExitError", "killed", id="eats memory at once"),
    ],
)
def test_a_call_that_does_something_terrible_takes_only_itself_with_it(
    deed: str, error_type: str, how: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            timeout = {"timeout_s": 1} if error_type == "Sandbox.Timedout" else {}
            spec = at.function(TERRIBLE.replace("{deed}", deed), **timeout)
            other = at.function(TERRIBLE.replace("{deed}", "pass"))
            before, neighbour = await at.answer(spec, "before"), await at.answer(other, "hello")

            document = await at.failure(spec, "do it")
            after = await at.answer(spec, "after")

            assert document["errorType"] == error_type
            assert how in document["errorMessage"]
            assert after[0] == "after"
            assert after[1] != before[1]
            assert (await at.answer(other, "hello")) == neighbour
            assert "doing it" in at.logs.lines

    run(story())


def test_an_environment_killed_in_a_call_costs_that_call_its_error_and_nothing_else(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(max_environments=3) as at:
            spec = at.function(
                """
                import os, time
                def handler(event, context):
                    if event == "hang":
                        print(f"pid {os.getpid()}")
                        time.sleep(60)
                    return event
                """
            )
            victim = asyncio.ensure_future(at.failure(spec, "hang"))
            pid = int((await at.logs.line("pid")).split()[1])
            others = [asyncio.ensure_future(at.answer(spec, number)) for number in range(50)]

            os.kill(pid, signal.SIGKILL)

            assert (await victim)["errorMessage"].endswith("Runtime exited with error: signal: killed")
            assert await asyncio.gather(*others) == list(range(50))

    run(story())


_LIE = """
import os, socket, struct, time
control = next(fd for fd in range(3, 64)
    if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"))
passed = os.open("/dev/null", os.O_RDONLY)
with socket.socket(fileno=os.dup(control)) as lying:
    # "forked", cut short, with a descriptor
    socket.send_fds(lying, [struct.pack("!IB3s", 3, 6, b"abc")], [passed])
time.sleep(60)
"""


def test_an_import_that_tells_the_server_garbage_ends_and_leaves_no_descriptor_with_it(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            before = descriptors()

            failed = await at.failure(at.function(_LIE))

            assert failed["errorType"] == "Runtime.ExitError"
            assert descriptors() == before

    run(story())


def test_an_environment_killed_while_idle_costs_nothing(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("import os\ndef handler(event, context): return os.getpid()")
            pid = await at.answer(spec)

            ended = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            # Waits without the event loop: the server has not heard of it, and sends the call to nobody.
            select.select([ended], [], [])
            os.close(ended)

            assert await at.answer(spec) != pid

    run(story())


def test_an_exit_that_arrives_after_the_answer_loses_no_answer(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, threading
                def handler(event, context):
                    threading.Timer(0, os._exit, [0]).start()
                    return event
                """
            )
            for number in range(20):
                outcome = await at.invoke(spec, number)
                # It may end before it answers; it must never answer another call.
                assert outcome.error is not None or json.loads(outcome.payload) == number

    run(story())


def test_processes_that_a_call_leaves_behind_end_with_its_environment(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, time
                def handler(event, context):
                    pid = os.fork()
                    if pid == 0:
                        if event == "escape":
                            os.setsid()
                            if os.fork(): os._exit(0)
                        print(f"left {os.getpid()}")
                        time.sleep(600)
                    return "fine"
                """
            )
            for event in ("stay", "escape"):
                at.logs.events.clear()
                assert await at.answer(spec, event) == "fine"
                left = int((await at.logs.line("left")).split()[1])
                assert alive(left)

                at.runtime.retire(spec.key)

                await gone(left)

    run(story())


@pytest.mark.parametrize("escape", [False, True], ids=["in its group", "out of its session"])
def test_processes_that_a_crash_leaves_behind_end_though_the_function_lives_on(
    escape: bool, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, time
                def handler(event, context):
                    if event == "neighbour":
                        print("here")
                        time.sleep(60)
                    told, tells = os.pipe()
                    if os.fork():
                        os.read(told, 1)
                        os._exit(1)
                    if event:
                        os.setsid()
                    print(f"left {os.getpid()}")
                    os.write(tells, b"x")
                    time.sleep(600)
                """,
                timeout_s=60,
            )
            if not escape:
                # Beside a living environment only the process group tells whose a process is.
                neighbour = asyncio.ensure_future(at.invoke(spec, "neighbour"))
                await at.logs.line("here")

            assert (await at.failure(spec, escape))["errorType"] == "Runtime.ExitError"

            await gone(int((await at.logs.line("left")).split()[1]))
            if not escape:
                assert not neighbour.done()
                neighbour.cancel()

    run(story())


def test_a_copy_of_the_process_that_returns_answers_no_call(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("import os\ndef handler(event, context):\n  os.fork()\n  return event")

            assert [await at.answer(spec, number) for number in range(20)] == list(range(20))

    run(story())


def test_an_answer_to_an_earlier_call_is_never_given_to_a_later_one(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, struct
                def handler(event, context):
                    if event == "forge":
                        for fd in range(3, 64):
                            try:
                                if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                                    answer = struct.pack("!IIB", 1, 0, 0) + b'"forged"'
                                    os.write(fd, struct.pack("!IB", len(answer), 9) + answer)
                            except OSError:
                                pass
                    return event
                """
            )
            assert await at.answer(spec, "first") == "first"
            # The forged answer has the number of the call before.
            assert (await at.failure(spec, "forge"))["errorType"] == "Runtime.ExitError"
            assert await at.answer(spec, "third") == "third"

    run(story())


def test_many_threads_fit_in_the_smallest_memory(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                from concurrent.futures import ThreadPoolExecutor
                import threading
                def handler(event, context):
                    barrier = threading.Barrier(40)
                    with ThreadPoolExecutor(40) as pool:
                        return sum(pool.map(lambda n: (barrier.wait(), n)[1], range(40)))
                """
            )
            assert await at.answer(spec) == 780

    run(story())


def test_limits_of_the_kernel_are_set(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                """
                import os, resource
                def handler(event, context):
                    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
                    return [status["NoNewPrivs"].strip(), status["CapEff"].strip(),
                            resource.getrlimit(resource.RLIMIT_CORE),
                            resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.getsid(0) == os.getpid()]
                """
            )
            assert await at.answer(spec) == ["1", "0" * 16, [0, 0], 1024, True]

    run(story())


SERVER = """
import asyncio, sys
from pathlib import Path
import msgspec
from headgate.functions.runtime import FunctionRuntime
from headgate.model.invocation import FunctionSpec, Invocation

class Logs:
    def write(self, group, stream, timestamp_ms, *lines):
        for line in lines:
            if line.startswith("pid"):
                print(line, flush=True)

async def main():
    spec = msgspec.json.decode(sys.argv[1], type=FunctionSpec, dec_hook=lambda kind, text: kind(text))
    runtime = FunctionRuntime(work_dir=Path(sys.argv[2]), logs=Logs())
    await runtime.invoke(spec, Invocation(request_id="id", payload=b"1", invoked_arn="arn"))

asyncio.run(main())
"""


@pytest.mark.parametrize("at_import", [False, True], ids=["in a call", "in the import"])
def test_functions_die_with_a_server_that_is_killed(at_import: bool, run: Fixture, stage: Fixture) -> None:
    import msgspec

    deed = """
    import os, time
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(600)
    print(f"pid {os.getpid()} {os.getppid()} {child}", flush=True)
    time.sleep(600)
    """.replace("\n    ", "\n")
    body = deed if at_import else "def handler(event, context):" + deed.replace("\n", "\n  ")

    async def story() -> None:
        async with stage() as at:
            spec = at.function(body, timeout_s=600)
            encoded = msgspec.json.encode(spec, enc_hook=str).decode()
            server = subprocess.Popen(  # noqa: ASYNC220 - killed below, not awaited
                [sys.executable, "-c", SERVER, encoded, str(at.work)], stdout=subprocess.PIPE, text=True
            )
            assert server.stdout is not None
            pids = [int(word) for word in server.stdout.readline().split()[1:]]
            child = pids.pop()

            server.kill()
            server.wait()
            server.stdout.close()

            for pid in pids:
                await gone(pid)
            if at_import:
                # Only its parent could end it, which the kernel has killed in the middle of the import.
                os.kill(child, signal.SIGKILL)
            await gone(child)

    run(story())


def test_closing_leaves_no_process_and_no_folder(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(keep_spare_parent=True) as at:
            spec = at.function(
                "import os, time\ndef handler(event, context): print('pid', os.getpid()); time.sleep(60)"
            )
            call = asyncio.ensure_future(at.failure(spec))
            pid = int((await at.logs.line("pid")).split()[1])
            parents = at.processes  # the function's and, once it has been started, the spare

            await at.runtime.close()

            assert (await call)["errorMessage"].endswith("signal: killed")
            assert parents
            assert not alive(pid)
            assert at.processes == []
            assert list(at.work.iterdir()) == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(story())
