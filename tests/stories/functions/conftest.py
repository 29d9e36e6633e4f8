"""A runtime with real processes, and functions written where they are used."""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import textwrap
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import uvloop

from headgate.functions.isolation import Account, Isolation, IsolationError, probe
from headgate.functions.response_stream import ResponseStream
from headgate.functions.runtime import FunctionRuntime, RuntimeLimits
from headgate.functions.sandbox import Sandbox
from headgate.model.invocation import FunctionSpec, Invocation, Outcome

_ISOLATION: Final = Isolation()

# What a handler's code begins with so that a test can hold its calls: `hold(port)`, of a port that `held` gives.
HOLD: Final = """
import os, socket, tempfile
def hold(port):
    with socket.create_connection(("127.0.0.1", port)) as held: held.recv(1)
"""

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


class Logs:
    """Keeps what it is given, and lets a test wait for a line."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []
        self._came = asyncio.Event()

    def write(self, group: str, stream: str, timestamp_ms: int, *lines: str) -> None:
        self.events += [(group, stream, line) for line in lines]
        self._came.set()

    @property
    def lines(self) -> list[str]:
        return [line for _, _, line in self.events]

    async def line(self, prefix: str) -> str:
        """The first line that begins so, when it is there."""
        while True:
            for line in self.lines:
                if line.startswith(prefix):
                    return line
            self._came.clear()
            await self._came.wait()


class Stage:
    """A runtime at work, with short words for what tests do with it."""

    def __init__(self, folder: Path, limits: RuntimeLimits, isolation: Isolation) -> None:
        self.folder = folder
        self.logs = Logs()
        self.work = folder / "work"
        self.runtime = FunctionRuntime(work_dir=self.work, logs=self.logs, limits=limits, isolation=isolation)
        self._calls = 0
        self._others = set(children_of(os.getpid()))  # servers of other tests in this process

    @property
    def processes(self) -> list[int]:
        """The runtime's own children."""
        return [pid for pid in children_of(os.getpid()) if pid not in self._others]

    def function(self, code: str, **changed: Any) -> FunctionSpec:
        """A function of this code, whose handler is `handler`."""
        key = f"function-{len(list(self.folder.iterdir()))}"
        code_dir = self.folder / key
        code_dir.mkdir()
        code_dir.joinpath("index.py").write_text(textwrap.dedent(code))
        fields: dict[str, Any] = {
            "key": key,
            "name": "fn",
            "version": "$LATEST",
            "arn": "arn:aws:lambda:eu-west-1:000000000000:function:fn",
            "account_id": "000000000000",
            "region": "eu-west-1",
            "runtime": "python3.12",
            "handler": "index.handler",
            "code_dir": code_dir,
            "memory_mb": 128,
            "timeout_s": 20,
            "environment": {},
            "log_group": "/aws/lambda/fn",
        }
        return FunctionSpec(**(fields | changed))

    async def invoke(
        self, spec: FunctionSpec, event: Any = None, stream: ResponseStream | None = None, **fields: Any
    ) -> Outcome:
        """One call with an event."""
        self._calls += 1
        request_id = fields.pop("request_id", f"id-{self._calls}")
        payload = fields.pop("payload", json.dumps(event).encode())
        invoked = f"{spec.arn}:live"
        return await self.runtime.invoke(
            spec, Invocation(request_id=request_id, payload=payload, invoked_arn=invoked, **fields), stream=stream
        )

    async def answer(self, spec: FunctionSpec, event: Any = None) -> Any:
        """What a call that does not fail answers."""
        outcome = await self.invoke(spec, event)
        assert outcome.error is None, outcome
        return json.loads(outcome.payload)

    async def failure(self, spec: FunctionSpec, event: Any = None) -> dict[str, Any]:
        """The error document of a call that fails."""
        outcome = await self.invoke(spec, event)
        assert outcome.error == "Unhandled", outcome
        document = json.loads(outcome.payload)
        assert isinstance(document, dict)
        return document


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Any]:
    """`async with stage(max_environments=2) as at:` gives a Stage, and sees to it that nothing is left behind."""

    @asynccontextmanager
    async def open_stage(
        folder: Path = tmp_path, isolation: Isolation = _ISOLATION, **limits: Any
    ) -> AsyncIterator[Stage]:
        at = Stage(folder, RuntimeLimits(**({"drain_s": 0.0, "keep_spare_parent": False} | limits)), isolation)
        try:
            yield at
        finally:
            await at.runtime.close()
            assert at.processes == []

    return open_stage


@pytest.fixture
def run() -> Run[Any]:
    """Runs a story on the loop that the server uses. One that waits for what never comes fails."""

    async def limited(story: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(60):
            return await story

    return lambda story: uvloop.run(limited(story))


@asynccontextmanager
async def held(call: Callable[[int], Coroutine[Any, Any, T]]) -> AsyncIterator["asyncio.Task[T]"]:
    """A call that is made with a port, where it is held until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        running = asyncio.create_task(call(listener.getsockname()[1]))
        there, _ = await asyncio.get_running_loop().sock_accept(listener)
        with there:
            yield running


async def at_once(call: Callable[[int], Coroutine[Any, Any, T]], count: int) -> list[T]:
    """What so many calls give that are held until all of them run."""
    async with contextlib.AsyncExitStack() as all_held:
        running = [await all_held.enter_async_context(held(call)) for _ in range(count)]
    return [await each for each in running]


async def until(holds: Callable[[], bool]) -> None:
    """Until something is so, which events of the loop bring about; the story's own deadline ends what never comes."""
    while not holds():
        await asyncio.to_thread(int)


def nobody() -> Account | None:
    """The user that root runs functions as; None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(name="nobody", uid=entry.pw_uid, gid=entry.pw_gid)


def sandboxed(*, network: bool = True) -> Isolation:
    """bubblewrap; skips the test where it does not work."""
    found = shutil.which("bwrap")
    if found is None:
        pytest.skip("bubblewrap is not installed")
    try:
        return probe(Isolation(Sandbox(bwrap=found, network=network), nobody()))
    except IsolationError as why_not:
        pytest.skip(str(why_not))


def with_own_temporaries(isolation: Isolation) -> Isolation:
    """The same; skips the test where environments cannot mount a /tmp of their own."""
    if isolation.sandbox is None or not isolation.sandbox.own_temporary:
        pytest.skip("the kernel does not allow mounts here")
    return isolation


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def children_of(pid: int) -> list[int]:
    """The processes whose parent is this one; none of one that has ended."""
    found = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []
    for task in tasks:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += [int(child) for child in task.joinpath("children").read_text().split()]
    return found


async def gone(pid: int) -> None:
    """Wait until a process has ended; one that is not our child is waited for by its descriptor."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()  # a story has its own deadline
    finally:
        loop.remove_reader(fd)
        os.close(fd)
