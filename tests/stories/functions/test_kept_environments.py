"""Environments that are kept started: provisioned concurrency."""

import os
import signal
from collections.abc import Callable
from typing import Any

from .conftest import Run, until

_HANDLER = """
    import os
    def handler(event, context):
        return [os.getpid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


def test_environments_start_before_there_is_a_call_and_say_so(stage: Callable[..., Any], run: Run[None]) -> None:
    async def story() -> None:
        async with stage(max_environments=2) as at:
            spec = at.function(_HANDLER)

            await at.runtime.keep_started(spec, 4)
            await until(lambda: at.runtime.provisioned(spec.key).started == 4)

            assert (await at.answer(spec))[1] == "provisioned-concurrency"

    run(story())


def test_a_kept_environment_does_not_end_of_idleness_and_the_others_do(
    stage: Callable[..., Any], run: Run[None]
) -> None:
    async def story() -> None:
        async with stage(idle_s=0.001) as at:
            spec = at.function(_HANDLER)
            await at.runtime.keep_started(spec, 1)
            first, _ = await at.answer(spec)

            other = at.function(_HANDLER)
            await at.answer(other)
            await until(lambda: at.runtime.provisioned(other.key).started == 0)

            assert (await at.answer(spec))[0] == first

            await at.runtime.keep_started(spec, 0)
            await until(lambda: at.runtime.provisioned(spec.key).started == 0)

    run(story())


def test_a_kept_environment_that_dies_is_started_anew(stage: Callable[..., Any], run: Run[None]) -> None:
    async def story() -> None:
        async with stage(refill_s=0.001) as at:
            spec = at.function(_HANDLER)
            await at.runtime.keep_started(spec, 2)
            pid, _ = await at.answer(spec)

            os.kill(pid, signal.SIGKILL)
            # By its log: that there was one less in between may be over before anybody looks.
            await until(lambda: sum(line.startswith("INIT_START") for line in at.logs.lines) == 3)
            await until(lambda: at.runtime.provisioned(spec.key).started == 2)

            assert not at.runtime.provisioned(spec.key).failing

    run(story())


def test_environments_that_do_not_start_are_tried_again_and_reported(stage: Callable[..., Any], run: Run[None]) -> None:
    async def story() -> None:
        async with stage(refill_s=0.001) as at:
            spec = at.function("raise ValueError('no')")
            await at.runtime.keep_started(spec, 1)

            await until(lambda: sum(line.startswith("INIT_REPORT") for line in at.logs.lines) >= 3)

            there = at.runtime.provisioned(spec.key)
            assert there.failing
            assert there.started == 0

    run(story())


def test_a_retired_version_keeps_nothing(stage: Callable[..., Any], run: Run[None]) -> None:
    async def story() -> None:
        async with stage() as at:
            spec = at.function(_HANDLER)
            await at.runtime.keep_started(spec, 2)
            await at.answer(spec)

            at.runtime.retire(spec.key)

            assert at.runtime.provisioned(spec.key).started == 0

    run(story())
