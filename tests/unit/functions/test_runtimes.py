"""Which program runs a function."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.functions.isolation import Isolation
from headgate.functions.placement import place
from headgate.functions.runtimes import Launch, Runtimes
from headgate.functions.sandbox import Sandbox
from headgate.model.invocation import FunctionSpec


def _spec(runtime: str, code_dir: Path) -> FunctionSpec:
    return FunctionSpec(
        key="k",
        name="fn",
        version="$LATEST",
        arn="arn:fn",
        account_id="000000000000",
        region="us-east-1",
        runtime=runtime,
        handler="index.handler",
        code_dir=code_dir,
        memory_mb=200,
        timeout_s=3,
        environment={},
        log_group="/g",
    )


def _launch(runtime: str, code_dir: Path, interpreters: Mapping[str, str] | None = None) -> Launch:
    return asyncio.run(Runtimes(interpreters).launch(_spec(runtime, code_dir)))


@pytest.mark.parametrize(
    ("runtime", "supported"),
    [
        ("python3.9", True),
        ("python3.13", True),
        ("python2.7", False),
        ("python3.", False),
        ("nodejs22.x", True),
        ("nodejs", False),
        ("provided", True),
        ("provided.al2023", True),
        ("java21", False),
        ("", False),
    ],
)
def test_python_node_and_provided_runtimes_are_supported(runtime: str, supported: bool) -> None:
    assert Runtimes().supports(runtime) is supported


def test_what_is_missing_for_node_is_said_with_what_to_install() -> None:
    absent = Runtimes({"nodejs22.x": "/absent/node"})

    assert "install Node.js" in absent.missing("nodejs22.x")
    assert '"nodejs22.x" = "/path/to/node"' in absent.missing("nodejs22.x")
    assert absent.missing("python3.13") == ""
    assert Runtimes({"nodejs22.x": sys.executable}).missing("nodejs22.x") == ""


def test_headgate_s_own_version_runs_on_its_own_interpreter(tmp_path: Path) -> None:
    launch = _launch(f"python3.{sys.version_info.minor}", tmp_path)

    assert (launch.interpreter, launch.program, launch.is_plain) == ("", (), True)


def test_a_named_interpreter_is_used_whatever_its_version(tmp_path: Path) -> None:
    script = tmp_path / "found"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)

    launch = _launch("python3.99", tmp_path, {"python3.99": str(script)})

    assert launch.interpreter == sys.executable  # what the script finds, not the script


@pytest.mark.parametrize("source", ["exit 127", "echo a; echo b; echo c; echo 2; echo 7; echo 18"], ids=str)
def test_what_is_no_python_is_not_used(source: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{source}\n")
    script.chmod(0o755)
    runtimes = Runtimes({"python3.99": str(script)})
    caplog.set_level("INFO")

    for _ in range(2):
        launch = asyncio.run(runtimes.launch(_spec("python3.99", tmp_path)))
        assert launch.interpreter == ""

    (record,) = caplog.records  # once for each function
    assert "arn:fn" in record.getMessage()
    assert "so it runs on Headgate's own Python" in record.getMessage()


def test_provided_runs_the_bootstrap_of_the_code(tmp_path: Path) -> None:
    assert _launch("provided.al2023", tmp_path).program == ("{task}/bootstrap",)


def test_so_does_any_function_whose_code_has_an_executable_one(tmp_path: Path) -> None:
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("")
    bootstrap.chmod(0o644)
    assert _launch("python3.13", tmp_path).program == ()

    bootstrap.chmod(0o755)

    assert _launch("python3.13", tmp_path).program == ("{task}/bootstrap",)


def test_a_bootstrap_of_the_layers_is_the_second_choice(tmp_path: Path) -> None:
    layers, code = tmp_path / "layers", tmp_path / "code"
    for folder in (layers, code):
        folder.mkdir()
    (layers / "bootstrap").touch(0o755)
    spec = replace(_spec("provided.al2023", code), layers_dir=layers)

    launch = asyncio.run(Runtimes().launch(spec))
    assert launch.program == ("{layers}/bootstrap",)
    outside, inside = place(spec, tmp_path, Isolation()), place(spec, tmp_path, Isolation(sandbox=Sandbox(bwrap="b")))
    assert launch.program_at(outside, sandboxed=False) == [str(layers / "bootstrap")]
    assert launch.program_at(inside, sandboxed=True) == ["/opt/bootstrap"]
    (code / "bootstrap").touch(0o755)

    assert asyncio.run(Runtimes().launch(spec)).program == ("{task}/bootstrap",)


def test_node_is_given_the_function_s_memory_for_its_heap(tmp_path: Path) -> None:
    program = _launch("nodejs20.x", tmp_path, {"nodejs20.x": sys.executable}).program

    assert program[0] == str(Path(sys.executable).resolve())
    assert program[-1] == "{node_runtime}/bootstrap.mjs"
    assert "--max-old-space-size=180" in program


def test_calls_that_come_together_ask_an_interpreter_once(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho once >> {asked}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    runtimes = Runtimes({"python3.11": str(python)})

    async def story() -> list[Launch]:
        return await asyncio.gather(*(runtimes.launch(_spec("python3.11", tmp_path)) for _ in range(4)))

    launches = asyncio.run(story())

    assert asked.read_text() == "once\n"
    assert len({launch.version for launch in launches}) == 1


def test_an_interpreter_that_could_not_be_run_is_asked_again(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    runtimes = Runtimes({"python3.11": str(python)})

    async def story() -> list[str]:
        found = []
        for mode in (0o644, 0o755):
            python.chmod(mode)
            found.append((await runtimes.launch(_spec("python3.11", tmp_path))).interpreter)
        return found

    assert asyncio.run(story()) == ["", sys.executable]
