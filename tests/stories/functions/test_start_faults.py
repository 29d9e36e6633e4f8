"""A server that cannot start an environment: calls are refused, none hangs, and nothing is left behind."""

import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.functions.errors import NotStarted
from headgate.functions.isolation import Isolation

from .conftest import alive, descriptors, gone

Fixture = Any

WHO = "import os\ndef handler(event, context): return [os.getpid(), os.getppid()]"
HOLD = (
    "import os\ndef handler(event, context): print('here'); os.read(os.open(event, os.O_RDONLY), 1); return os.getpid()"
)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Inside of the block this process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_while_no_process_can_be_started_each_call_is_refused_and_the_next_one_after_it_runs(
    tmp_path: Path, run: Fixture, stage: Fixture
) -> None:
    """As when a package is upgraded under a running server."""
    interpreter = tmp_path / "python"

    async def story() -> None:
        async with stage(isolation=Isolation(python=str(interpreter))) as at:
            spec = at.function(WHO)
            await asyncio.gather(at.invoke(spec), return_exceptions=True)  # opens what is opened but once
            before = descriptors()

            refused = await asyncio.gather(*(at.invoke(spec) for _ in range(3)), return_exceptions=True)
            refused.append((await asyncio.gather(at.invoke(spec), return_exceptions=True))[0])

            assert [type(error) for error in refused] == [NotStarted] * 4
            assert "No such file or directory" in str(refused[0])
            assert descriptors() == before
            assert list(at.work.glob("*/*")) == []
            interpreter.symlink_to(sys.executable)
            assert len(await at.answer(spec)) == 2

    run(story())


def test_without_descriptors_a_function_runs_its_calls_in_the_environments_that_it_has(
    tmp_path: Path, run: Fixture, stage: Fixture
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    async def story() -> None:
        async with stage(max_environments=2) as at:
            spec = at.function(HOLD)
            first = asyncio.ensure_future(at.answer(spec, str(gate)))
            await at.logs.line("here")
            writer = os.open(gate, os.O_WRONLY)

            with no_descriptor_left():
                second = asyncio.ensure_future(at.answer(spec, str(gate)))
                await at.logs.line("INIT_REPORT")  # of the environment that could not be started
            os.write(writer, b"12")

            assert await first == await second
            os.close(writer)

    run(story())


def test_a_first_environment_that_finds_no_descriptor_refuses_its_call(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(WHO)
            await at.runtime.runtimes.launch(spec)

            with no_descriptor_left(), pytest.raises(NotStarted, match="Too many open files"):
                await at.invoke(spec)

            assert len(await at.answer(spec)) == 2

    run(story())


def test_of_many_functions_no_more_keep_a_parent_than_there_may_be_environments(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(max_total_environments=2) as at:
            parents = [(await at.answer(at.function(WHO)))[1] for _ in range(4)]

            await gone(parents[0])
            await gone(parents[1])
            assert alive(parents[2])
            assert alive(parents[3])

    run(story())
