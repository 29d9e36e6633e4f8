"""Python functions on an interpreter other than Headgate's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.functions.runtime import FunctionRuntime, RuntimeLimits, Runtimes

Fixture = Any

_ASK = "import sys; print(sys.executable); print(sys.version.split()[0])"


def _others() -> dict[str, tuple[str, str]]:
    """Interpreters of this machine that are others than this one, by their runtime: executable and version."""
    found = {}
    own = Path(sys.executable).resolve()
    names = ["/usr/bin/python3", *(f"python3.{minor}" for minor in range(9, 20))]
    named = os.environ.get("HEADGATE_TEST_INTERPRETERS", "")  # more of them, separated by colons
    for name in [*names, *filter(None, named.split(":"))]:
        path = shutil.which(name)
        if path is None:
            continue
        done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            executable, version = done.stdout.split()
            major, minor, _ = version.split(".", 2)
            if Path(executable).resolve() != own and major == "3" and int(minor) >= 9:
                found[f"python3.{minor}"] = (executable, version)
    return found


OTHERS = _others()

pytestmark = pytest.mark.skipif(not OTHERS, reason="there is no other Python (3.9 or newer) on this machine")

_CODE = """
import json, logging, os, sys
logging.getLogger().setLevel("INFO")
class Own(Exception): pass
def handler(event, context):
    print("printed")
    logging.info("logged")
    if event == "fail": raise Own("no")
    if event == "eat":
        kept = []
        while True: kept.append(bytearray(1 << 20))
    return [sys.executable, sys.version.split()[0], event, context.aws_request_id, os.getpid()]
"""


@pytest.mark.parametrize("runtime", OTHERS)
def test_a_function_runs_on_the_interpreter_that_is_named_for_its_runtime(
    runtime: str, run: Fixture, stage: Fixture
) -> None:
    executable, version = OTHERS[runtime]
    same_file = os.path.samefile

    async def story() -> None:
        async with stage(max_environments=2) as at:
            limits = RuntimeLimits(max_environments=2, drain_s=0.0, keep_spare_parent=False)
            at.runtime = FunctionRuntime(
                work_dir=at.work, logs=at.logs, limits=limits, runtimes=Runtimes({runtime: executable})
            )
            spec = at.function(_CODE, runtime=runtime)

            seen_executable, seen_version, event, request_id, pid = await at.answer(spec, {"a": "ü"})

            assert same_file(seen_executable, executable)
            assert (seen_version, event, request_id) == (version, {"a": "ü"}, "id-1")
            assert at.logs.lines[0] == f"INIT_START Runtime Version: python:{version}"
            assert "printed" in at.logs.lines
            assert any(line.startswith("[INFO]") and line.endswith("\tid-1\tlogged") for line in at.logs.lines)
            failed = await at.failure(spec, "fail")
            assert (failed["errorType"], failed["errorMessage"]) == ("Own", "no")
            assert "raise Own" in failed["stackTrace"][0]
            assert (await at.answer(spec))[4] == pid
            assert (await at.failure(spec, "eat"))["errorType"] == "Runtime.ExitError"
            broken = at.function("import absent", runtime=runtime)
            assert (await at.failure(broken))["errorType"] == "Runtime.ImportModuleError"

    run(story())
