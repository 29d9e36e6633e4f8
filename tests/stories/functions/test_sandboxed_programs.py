"""Programs and other interpreters in a sandbox, where they find their things as on Lambda."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from headgate.functions.runtime import FunctionRuntime, RuntimeLimits, Runtimes

from .conftest import sandboxed
from .programs import node, program
from .test_interpreters import OTHERS

Fixture = Any


@pytest.mark.parametrize("network", [True, False], ids=["with the host's network", "without a network"])
def test_a_program_asks_for_its_calls_in_its_sandbox(network: bool, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed(network=network)) as at:
            spec = program(at)

            seen = await at.answer(spec, "answer = [os.getcwd(), sys.argv[0], os.environ['LAMBDA_TASK_ROOT']]")

            assert seen == ["/var/task", "/var/task/bootstrap", "/var/task"]
            assert await at.answer(spec, "answer = API.startswith('127.0.0.1:')") is True

    run(story())


def test_without_a_network_no_other_process_of_the_machine_reaches_its_runtime_api(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed(network=False)) as at:
            there = await at.answer(program(at), "answer = API")

            deed = f"""
try:
    answer = ask("GET", NEXT, api={there!r})[0]
except OSError:
    answer = "nobody is there"
"""
            assert await at.answer(program(at), deed) == "nobody is there"

    run(story())


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")
@pytest.mark.parametrize("network", [True, False], ids=["with the host's network", "without a network"])
def test_node_runs_in_its_sandbox(network: bool, run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed(network=network)) as at:
            spec = node(at, "exports.handler = async (event) => [event, __filename, process.env.LAMBDA_RUNTIME_DIR]")

            assert await at.answer(spec, 1) == [1, "/var/task/index.js", "/var/runtime"]

    run(story())


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")
def test_a_program_outside_of_the_system_is_shown(tmp_path: Path, run: Fixture, stage: Fixture) -> None:
    elsewhere = tmp_path / "programs"
    elsewhere.mkdir()
    shutil.copy(Path(shutil.which("node") or "").resolve(), elsewhere / "node")

    async def story() -> None:
        async with stage(isolation=sandboxed()) as at:
            named = Runtimes({"nodejs20.x": str(elsewhere / "node")}, at.runtime.isolation)
            at.runtime = _runtime(at, named)

            assert await at.answer(node(at, "exports.handler = async () => process.execPath")) == str(
                elsewhere / "node"
            )

    run(story())


@pytest.mark.skipif(not OTHERS, reason="there is no other Python (3.9 or newer) on this machine")
@pytest.mark.parametrize("runtime", OTHERS)
def test_another_interpreter_is_shown(runtime: str, run: Fixture, stage: Fixture) -> None:
    executable, version = OTHERS[runtime]

    async def story() -> None:
        async with stage(isolation=sandboxed()) as at:
            at.runtime = _runtime(at, Runtimes({runtime: executable}, at.runtime.isolation))
            spec = at.function(
                "import json, sys, ssl\ndef handler(event, context): return [sys.version.split()[0], __file__]",
                runtime=runtime,
            )

            assert await at.answer(spec) == [version, "/var/task/index.py"]

    run(story())


def _runtime(at: Any, runtimes: Runtimes) -> FunctionRuntime:
    limits = RuntimeLimits(drain_s=0.0, keep_spare_parent=False)
    return FunctionRuntime(
        work_dir=at.work, logs=at.logs, limits=limits, isolation=at.runtime.isolation, runtimes=runtimes
    )
