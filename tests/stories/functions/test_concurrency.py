"""Many calls at once, and the life of environments."""

import asyncio
from typing import Any

import pytest

from headgate.functions.errors import Throttled

from .conftest import HOLD, at_once, gone

Fixture = Any

WHO = "import os, time\ndef handler(event, context): print('here'); time.sleep(event or 0); return os.getpid()"


def test_200_calls_at_once_all_get_their_own_answer(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=4) as at:
            spec = at.function("def handler(event, context): print(event); return [event, context.aws_request_id]")

            outcomes = await asyncio.gather(
                *(at.invoke(spec, n, request_id=f"id-{n}", want_log_tail=True) for n in range(200))
            )

            for number, outcome in enumerate(outcomes):
                assert outcome.payload == f'[{number}, "id-{number}"]'.encode()
                assert outcome.log_tail.split(b"\n")[1] == str(number).encode()

    run(story())


def test_one_environment_runs_one_call_at_a_time_and_is_reused(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(WHO)

            assert len({await at.answer(spec) for _ in range(20)}) == 1

    run(story())


def test_a_call_that_hangs_does_not_hold_others(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(WHO, timeout_s=60)
            hanging = asyncio.ensure_future(at.answer(spec, 60))
            await at.logs.line("here")

            assert await asyncio.gather(*(at.answer(spec) for _ in range(3)))
            assert not hanging.done()
            hanging.cancel()

    run(story())


def test_a_call_beyond_the_bound_waits_and_is_refused_at_its_deadline(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1, wait_s=0.1) as at:
            spec = at.function(WHO, timeout_s=60)
            hanging = asyncio.ensure_future(at.answer(spec, 60))
            await at.logs.line("here")

            with pytest.raises(Throttled):
                await at.answer(spec)
            hanging.cancel()

    run(story())


def test_a_call_beyond_those_that_may_wait_is_refused_at_once(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1, max_waiting=2) as at:
            spec = at.function(WHO)

            results = await asyncio.gather(*(at.answer(spec) for _ in range(5)), return_exceptions=True)

            assert [isinstance(result, Throttled) for result in results] == [False, False, True, True, True]

    run(story())


def test_a_call_whose_caller_has_gone_is_not_run(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1) as at:
            spec = at.function("def handler(event, context): print(f'ran {event}'); return event")
            calls = [asyncio.ensure_future(at.answer(spec, number)) for number in range(3)]
            await asyncio.sleep(0)
            calls[1].cancel()

            await asyncio.wait(calls)
            assert [line for line in at.logs.lines if line.startswith("ran")] == ["ran 0", "ran 2"]

    run(story())


def test_idle_environments_end_and_their_parent_with_them(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(idle_s=0.05) as at:
            spec = at.function(WHO)
            pid = await at.answer(spec)

            await gone(pid)
            while at.processes:  # noqa: ASYNC110 - nobody tells when a process has been reaped
                await asyncio.sleep(0.001)

            assert await at.answer(spec) != pid

    run(story())


def test_a_retired_function_finishes_its_calls(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1, drain_s=60) as at:
            spec = at.function(WHO)
            calls = [asyncio.ensure_future(at.answer(spec, 0.05)) for _ in range(3)]
            await at.logs.line("here")

            at.runtime.retire(spec.key)

            assert len(set(await asyncio.gather(*calls))) == 1
            assert await at.answer(spec)  # a request that began before its route changed

    run(story())


def test_closing_lets_calls_finish(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_environments=1, drain_s=60) as at:
            spec = at.function(WHO)
            calls = [asyncio.ensure_future(at.answer(spec, 0.05)) for _ in range(3)]
            await at.logs.line("here")

            await at.runtime.close()

            assert len(set(await asyncio.gather(*calls))) == 1
            with pytest.raises(Throttled):
                await at.answer(spec)

    run(story())


def test_a_full_server_ends_the_longest_idle_environment_of_another_function(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_total_environments=2) as at:
            first, second, third = at.function(WHO), at.function(WHO), at.function(WHO)
            pids = [await at.answer(spec) for spec in (first, second, third)]

            assert await at.answer(second) == pids[1]
            assert await at.answer(first) != pids[0]

    run(story())


@pytest.mark.parametrize(
    "code",
    [
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import socket\nkept = socket.socketpair()",
        "kept = open(__file__)",
        "import os, tempfile\nopen(os.path.join(tempfile.gettempdir(), 'kept'), 'w').close()",
    ],
    ids=["threads", "sockets", "files", "temporary files"],
)
def test_an_import_that_leaves_what_a_fork_must_not_share_runs_in_each_environment(
    code: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                f"{code}\n{HOLD}\nimport threading\nborn = os.getpid()\n"
                "def handler(event, context):\n"
                "  hold(event)\n  return [born == os.getpid(), threading.active_count(), os.getpid()]"
            )
            threads = 2 if "Thread" in code else 1

            one, other = await at_once(lambda port: at.answer(spec, port), 2)

            assert [one[:2], other[:2]] == [[True, threads]] * 2
            assert one[2] != other[2]

    run(story())


def test_forked_environments_share_the_import_but_not_its_random_numbers(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                f"{HOLD}\nimport random\nborn = os.getpid()\n"
                "def handler(event, context):\n  hold(event)\n  return [born, os.getpid(), random.random()]"
            )

            one, other = await at_once(lambda port: at.answer(spec, port), 2)

            assert one[0] == other[0]
            assert one[1] != other[1]
            assert one[2] != other[2]

    run(story())


def test_an_idle_event_loop_of_the_import_is_each_environment_s_own(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                HOLD
                + """
import asyncio, threading
born, loop = os.getpid(), asyncio.new_event_loop()
async def wait(port):
    woken = asyncio.Event()
    def wake():
        hold(port)
        loop.call_soon_threadsafe(woken.set)
    # Another thread wakes the loop by its pair of sockets: were they shared, another loop might wake.
    threading.Thread(target=wake).start()
    await woken.wait()
    return os.readlink(f"/proc/self/fd/{loop._ssock.fileno()}")
def handler(event, context):
    return [born == os.getpid(), loop.run_until_complete(asyncio.wait_for(wait(event), 20))]
"""
            )

            answers = await at_once(lambda port: at.answer(spec, port), 3)

            assert [answer[0] for answer in answers] == [False] * 3  # forked: the import ran once
            assert len({answer[1] for answer in answers}) == 3

    run(story())


@pytest.mark.parametrize("kept", ["loop.add_reader(os.pipe()[0], print)", "loop._ssock, loop._own = None, loop._ssock"])
def test_an_event_loop_that_waits_for_more_than_to_be_woken_is_not_forked(
    kept: str, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(
                f"import asyncio, os\nborn, loop = os.getpid(), asyncio.new_event_loop()\n{kept}\n"
                "def handler(event, context): return born == os.getpid()"
            )

            assert await at.answer(spec) is True

    run(story())


def test_a_prepared_function_has_its_environment_before_its_first_call(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function("print('imported')\ndef handler(event, context): pass")

            await at.runtime.prepare(spec)
            await at.logs.line("imported")
            await at.answer(spec)

            assert len([line for line in at.logs.lines if line.startswith("INIT_START")]) == 1

    run(story())
