"""Functions that mean harm: each attempt is stopped where docs/isolation.md says that it is, and costs nobody else.

What the table says "nothing" of is not tried: there is nothing that would stop it.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from headgate.functions.isolation import Isolation, closed_to_others

from .conftest import children_of, nobody, sandboxed, with_own_temporaries
from .hostile import ATTEMPTS, BWRAP, HANDLER, IMPORTS, OWN_USER, SERVER_USER

Fixture = Any

_TABLE: Final = Path(__file__).parents[3] / "docs" / "isolation.md"
_COLUMNS: Final = (SERVER_USER, OWN_USER, BWRAP)


def _table() -> dict[str, dict[str, str]]:
    """The rows of the table: what stops each attempt, by column."""
    text = _TABLE.read_text(encoding="utf-8")
    lines = text[text.index("| attempt |") :].partition("\n\n")[0].splitlines()
    head, _, *rows = [line.strip(" |").split(" | ") for line in lines]
    assert head == ["attempt", *_COLUMNS]
    return {row[0]: dict(zip(_COLUMNS, row[1:], strict=True)) for row in rows}


def _stopped() -> Iterator[Any]:
    for name, cells in _table().items():
        for column, cell in cells.items():
            if not cell.startswith("nothing"):
                yield pytest.param(name, column, id=f"{name}: {column}")


def test_the_table_has_the_attempts_of_this_suite_and_each_cell_its_evidence() -> None:
    assert list(_table()) == list(ATTEMPTS)
    for name, cells in _table().items():
        evidence = ATTEMPTS[name].evidence
        if not isinstance(evidence, str):
            stopped = {column for column, cell in cells.items() if not cell.startswith("nothing")}
            assert stopped == set(evidence), name


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, as that of functions is; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def witness() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the server's user."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize(("name", "column"), list(_stopped()))
def test_an_attempt_is_stopped_by_what_the_table_says_and_costs_nobody_else(
    name: str,
    column: str,
    run: Fixture,
    stage: Fixture,
    place: Path,
    witness: "subprocess.Popen[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = ATTEMPTS[name]
    isolation = _isolation(column, network=attempt.network)
    if attempt.beside:
        isolation = with_own_temporaries(isolation)
    data, kept = place / "data", place / "kept"
    for folder in (data, kept):
        folder.mkdir(mode=0o700)
        folder.joinpath("headgate.db").write_text("everything")
    kept.chmod(0o777)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-of-the-server")
    body = textwrap.dedent(attempt.body)
    code = IMPORTS + (
        body
        if attempt.at_import
        else f"def attempt(told):\n{textwrap.indent(body, '    ')}\n    return None\n{HANDLER}"
    )

    async def story() -> None:
        async with stage(place, isolation=isolation) as at:
            neighbour = at.function("import os\ndef handler(event, context): return [event, os.getpid()]")
            first = await at.answer(neighbour, 1)
            (victim,) = (each for process in at.processes for each in _last_below(process))
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.setblocking(False)
                told = {
                    "server": os.getpid(),
                    "victim": victim,
                    "victim_code": str(neighbour.code_dir / "index.py"),
                    "database": str(data / "headgate.db"),
                    "kept": str(kept),
                    "secret": "the-secret-of-the-server",
                    "port": listener.getsockname()[1],
                }
                hostile = at.function(code, environment={"WITNESS": str(witness.pid)}, **attempt.fields)
                hostile = replace(hostile, key="hostile")
                if attempt.beside:
                    beside = asyncio.ensure_future(at.answer(hostile, told | {"beside": True}))
                    held, _ = await asyncio.get_running_loop().sock_accept(listener)

                outcome = await at.invoke(hostile, told)

                evidence = attempt.evidence if isinstance(attempt.evidence, str) else attempt.evidence[column]
                assert evidence in outcome.payload.decode(), outcome
                if attempt.beside:
                    held.close()
                    assert await beside == "it did: [['its own', 'more'], 'kept']"
                # A function that had a process before, and one that needs its first now.
                assert await at.answer(neighbour, 2) == [2, first[1]]
                assert await at.answer(at.function("def handler(event, context): return event"), 3) == 3
                if name == "leaving a process behind":
                    left, _ = await asyncio.get_running_loop().sock_accept(listener)

                at.runtime.retire("hostile")

                if name == "leaving a process behind":
                    with left:
                        left.setblocking(False)
                        assert await asyncio.get_running_loop().sock_recv(left, 1) == b""
        assert witness.poll() is None
        assert [each.name for each in kept.iterdir()] == ["headgate.db"]

    run(story())


def _last_below(pid: int) -> Iterator[int]:
    """The processes below this one that have none below themselves."""
    for child in children_of(pid):
        if children_of(child):
            yield from _last_below(child)
        else:
            yield child


def _isolation(column: str, *, network: bool) -> Isolation:
    """That of a column; skips the test where this machine does not have it."""
    if column == SERVER_USER:
        return Isolation()
    if column == BWRAP:
        return sandboxed(network=network)
    account = nobody()
    if account is None:
        pytest.skip("only root can become another user")
    readable = [python for python in (sys.executable, "/usr/bin/python3") if closed_to_others(python) is None]
    if not readable:
        pytest.skip("no interpreter here is readable for every user")
    return Isolation(account=account, python=readable[0])
