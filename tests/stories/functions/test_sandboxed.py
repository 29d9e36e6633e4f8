"""What a function meets in its sandbox, and the one that is kept in store."""

import asyncio
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from headgate.functions.isolation import Isolation
from headgate.functions.spare import MOST_ENTRIES

from .conftest import HOLD, alive, gone, held, nobody, sandboxed, with_own_temporaries
from .programs import node, program

Fixture = Any

_LOOKING = """
import os, sys, tempfile
def handler(event, context):
    return {
        "files": sorted(os.path.join(at, name)[len("/var/task/"):] for at, _, names in os.walk("/var/task")
                        for name in names if name.endswith(".py")),
        "storage_mb": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize // (1 << 20),
        "root": os.environ["LAMBDA_TASK_ROOT"], "cwd": os.getcwd(), "path": sys.path[0],
        "temporary": "/".join(tempfile.gettempdir().split("/")[:2]),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "network": [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line],
    }
"""


def test_a_function_finds_its_code_and_its_temporary_folder_where_lambda_has_them(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed()) as at:
            seen = await at.answer(at.function(_LOOKING, ephemeral_storage_mb=7))

            assert (seen["root"], seen["cwd"], seen["path"]) == ("/var/task", "/var/task", "/var/task")
            assert (seen["temporary"], seen["storage_mb"]) == ("/tmp", 7)
            assert seen["files"] == ["index.py"]
            assert seen["processes"] == 2  # its parent and itself

    run(story())


# Keeps a byte more in a file with each call, in two places that are one where /tmp is the temporary folder.
_KEEPING = (
    HOLD
    + """
AT_IMPORT = tempfile.gettempdir()
def handler(event, context):
    if event == "end": os._exit(1)
    with open(f"{AT_IMPORT}/kept", "a") as file: file.write("x")
    if event: hold(event)
    with open("/tmp/kept", "a") as file: file.write("x")
    named = {key: value for key, value in os.environ.items() if key in ("TMPDIR", "TEMP", "TMP")}
    return [os.getpid(), tempfile.gettempdir(), named, os.listdir("/tmp"), os.path.getsize("/tmp/kept")]
"""
)


def test_an_environment_s_tmp_is_its_own_from_call_to_call_and_no_other_environment_sees_it(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(_KEEPING)

            first = await at.answer(spec)
            async with held(lambda port: at.answer(spec, port)) as again:
                beside = await at.answer(spec)

            assert first[1:] == ["/tmp", {}, ["kept"], 2]
            assert beside[1:] == ["/tmp", {}, ["kept"], 2]
            assert await again == [first[0], "/tmp", {}, ["kept"], 4]

    run(story())


def test_what_is_in_an_environment_s_tmp_goes_with_it(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(_KEEPING)

            async with held(lambda port: at.answer(spec, port)):
                before = await at.answer(spec)
                ended = await at.failure(spec, "end")
                after = await at.answer(spec)

            assert ended["errorType"] == "Runtime.ExitError"
            assert after[0] != before[0]
            assert after[-1] == 2

    run(story())


@pytest.mark.parametrize("hides", [False, True], ids=["as it is", "with mounts of its own"])
def test_what_an_environment_left_behind_ends_with_it_and_what_another_left_goes_on(
    hides: bool, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(
                HOLD
                + f"""
import ctypes
def handler(event, context):
    port, ends = event
    told, tells = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        if ends and {hides}: ctypes.CDLL(None).unshare(0x10020000)
        with socket.create_connection(("127.0.0.1", port)) as there:
            os.write(tells, b"x")
            there.send(there.recv(1))
        os._exit(0)
    os.wait()
    os.read(told, 1)
    if ends: os._exit(1)
    hold(port)
"""
            )
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.setblocking(False)
                port = listener.getsockname()[1]
                staying = asyncio.create_task(at.answer(spec, [port, False]))
                lives, _ = await loop.sock_accept(listener)
                holds, _ = await loop.sock_accept(listener)
                ending = asyncio.create_task(at.failure(spec, [port, True]))
                left, _ = await loop.sock_accept(listener)

            with lives, holds, left:
                for each in (lives, left):
                    each.setblocking(False)
                assert await loop.sock_recv(left, 1) == b""
                await loop.sock_sendall(lives, b"!")
                assert await loop.sock_recv(lives, 1) == b"!"
            assert (await ending)["errorType"] == "Runtime.ExitError"
            await staying

    run(story())


def test_a_tmp_has_room_for_a_file_for_each_4_kib_of_it_so_that_empty_ones_end_too(
    run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(
                """
                def handler(event, context):
                    try:
                        for number in range(event): open(f"/tmp/{number}", "w").close()
                    except OSError as error:
                        return [number, error.strerror]
                """,
                ephemeral_storage_mb=1,
            )

            made, said = await at.answer(spec, 1000)

            assert said == "No space left on device"
            assert 250 <= made <= 256  # the folder itself counts

    run(story())


def test_what_the_import_leaves_in_tmp_is_in_the_tmp_of_each_environment(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(
                HOLD
                + """
with open("/tmp/model", "w") as file: file.write(str(os.getpid()))
def handler(event, context):
    if event: hold(event)
    return [os.getpid(), os.listdir("/tmp"), int(open("/tmp/model").read())]
"""
            )

            async with held(lambda port: at.answer(spec, port)) as one:
                other = await at.answer(spec)

            for seen in (await one, other):
                assert seen[1:] == [["model"], seen[0]]
            assert other[0] != (await one)[0]

    run(story())


def test_a_function_may_name_its_temporary_folder_itself(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = at.function(_KEEPING, environment={"TMPDIR": "/nowhere"})

            assert (await at.answer(spec))[1:3] == ["/tmp", {"TMPDIR": "/nowhere"}]

    run(story())


def test_a_program_s_tmp_is_its_own(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = program(at, ephemeral_storage_mb=7)
            keep = """
with open("/tmp/kept", "a") as file: file.write("x")
seen = os.statvfs("/tmp")
answer = [os.listdir("/tmp"), os.path.getsize("/tmp/kept"), seen.f_blocks * seen.f_frsize >> 20, "TMPDIR" in os.environ]
"""
            hold = "socket.create_connection(('127.0.0.1', {port})).recv(1)\n"

            async with held(lambda port: at.answer(spec, hold.format(port=port) + keep)) as first:
                beside = await at.answer(spec, keep)

            assert [await first, beside] == [[["kept"], 1, 7, False]] * 2
            assert (await at.answer(spec, keep))[1] == 2

    run(story())


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH")
def test_node_s_tmp_is_its_own(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=with_own_temporaries(sandboxed())) as at:
            spec = node(
                at,
                """
                const fs = require("fs"), net = require("net"), os = require("os");
                exports.handler = async (port) => {
                    if (port) await new Promise((resolve) => net.connect(port, "127.0.0.1").on("close", resolve));
                    fs.appendFileSync("/tmp/kept", "x");
                    return [os.tmpdir(), fs.readdirSync("/tmp"), fs.statSync("/tmp/kept").size];
                };
                """,
            )

            async with held(lambda port: at.answer(spec, port)) as first:
                beside = await at.answer(spec)

            assert [await first, beside] == [["/tmp", ["kept"], 1]] * 2

    run(story())


def test_where_the_kernel_allows_no_mounts_each_environment_has_a_folder_in_one_tmp(
    run: Fixture, stage: Fixture
) -> None:
    isolation = sandboxed()
    assert isolation.sandbox is not None
    isolation = replace(isolation, sandbox=replace(isolation.sandbox, own_temporary=False))

    async def story() -> None:
        async with stage(isolation=isolation) as at:
            spec = at.function(
                HOLD
                + """
def handler(event, context):
    own = tempfile.gettempdir()
    with open(f"{own}/kept", "a") as file: file.write("x")
    if event: hold(event)
    return [own, os.environ["TMPDIR"], os.listdir(own), sorted(os.listdir("/tmp"))]
"""
            )

            async with held(lambda port: at.answer(spec, port)) as first:
                beside = await at.answer(spec)

            one, other = await first, beside
            assert one[0] != other[0]
            for seen in (one, other):
                assert seen[1:3] == [seen[0], ["kept"]]
                assert {"init", Path(one[0]).name, Path(other[0]).name} <= set(seen[3])

    run(story())


def test_an_environment_that_cannot_mount_its_tmp_after_all_does_not_start_and_its_log_says_why(
    run: Fixture, stage: Fixture
) -> None:
    if nobody() is None:
        pytest.skip("the kernel refuses this to root without capabilities, and this is not root")
    sandbox = with_own_temporaries(sandboxed()).sandbox

    async def story() -> None:
        async with stage(isolation=Isolation(sandbox)) as at:
            spec = at.function("def handler(event, context): return event")

            failure = await at.failure(spec)

            assert failure["errorType"] == "Runtime.ExitError"
            assert "The environment has no /tmp of its own: Operation not permitted" in at.logs.lines

    run(story())


def test_without_a_network_there_is_only_a_loopback_device(run: Fixture, stage: Fixture) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed(network=False)) as at:
            assert (await at.answer(at.function(_LOOKING)))["network"] == ["lo"]

    run(story())


@pytest.mark.parametrize(
    ("more_files", "fields", "takes_it"),
    [
        pytest.param(["data/one.py", "data/deeper/two.py"], {}, True, id="a few files and folders"),
        pytest.param([f"part{number}.py" for number in range(MOST_ENTRIES)], {}, False, id="too many files"),
        pytest.param([], {"ephemeral_storage_mb": 600}, False, id="storage of another size"),
    ],
)
def test_a_sandbox_in_store_becomes_that_of_a_function_that_fits_in_it(
    more_files: list[str], fields: dict[str, int], takes_it: bool, run: Fixture, stage: Fixture
) -> None:
    async def story() -> None:
        async with stage(isolation=sandboxed(), keep_spare_parent=True) as at:
            at.runtime.start_spare()
            (spare,) = at.processes
            spec = at.function(_LOOKING, **fields)
            _add(spec.code_dir, more_files)

            seen = await at.answer(spec)

            assert seen["files"] == sorted(["index.py", *more_files])
            assert seen["storage_mb"] == fields.get("ephemeral_storage_mb", 512)
            own = set(at.processes) - {spare}
            at.runtime.retire(spec.key)
            if takes_it:
                await gone(spare)
            else:
                await gone(own.pop())
                assert alive(spare)

    run(story())


def _add(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
