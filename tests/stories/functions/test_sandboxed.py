"""What a function meets in its sandbox, and the one that is kept in store."""

from pathlib import Path
from typing import Any

import pytest

from headgate.functions.spare import MOST_ENTRIES

from .conftest import alive, gone, sandboxed

Fixture = Any

_LOOKING = """
import os, sys, tempfile
def handler(event, context):
    return {
        "files": sorted(os.path.join(at, name)[len("/var/task/"):] for at, _, names in os.walk("/var/task")
                        for name in names if name.endswith(".py")),
        "storage_mb": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize // (1 << 20),
        "root": os.environ["LAMBDA_TASK_ROOT"], "cwd": os.getcwd(), "path": sys.path[0],
        "temporary": tempfile.gettempdir().rpartition("/")[0],
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
