"""Running functions: the one door to this package.

    runtime = FunctionRuntime(work_dir=..., logs=...)
    outcome = await runtime.invoke(spec, invocation)

Each function version has one warmed parent process and, forked from it, execution environments that run one call at a
time; `runtimes` says what runs in them. Everything happens in the running event loop: no thread of the server waits
for a function.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import time
from math import inf
from pathlib import Path
from typing import Final

from headgate.functions.call import PendingCall
from headgate.functions.cores import Cores
from headgate.functions.errors import Throttled
from headgate.functions.function import Function
from headgate.functions.isolation import Isolation
from headgate.functions.limits import RuntimeLimits
from headgate.functions.logs import LogSink
from headgate.functions.parent import Parent
from headgate.functions.parent_command import ParentCommand
from headgate.functions.response_stream import ResponseStream
from headgate.functions.runtimes import Launch, Runtimes
from headgate.functions.spare import Spare
from headgate.model.invocation import FunctionSpec, Invocation, Outcome
from headgate.model.provisioned import Provisioned

__all__ = ["FunctionRuntime", "LogSink", "RuntimeLimits", "Runtimes", "Throttled"]

_log = logging.getLogger(__name__)

_PARENT_END_S: Final = 2.0  # for killing and reaping its descendants
_DEFAULT_LIMITS: Final = RuntimeLimits()
_DEFAULT_ISOLATION: Final = Isolation()
_SPARE_AFTER_S: Final = 0.2  # so that it does not compete with the start that took the last one


class FunctionRuntime:
    """The functions of one server process. Used from one event loop; made anywhere."""

    def __init__(
        self,
        *,
        work_dir: Path,
        logs: LogSink,
        limits: RuntimeLimits = _DEFAULT_LIMITS,
        endpoint_url: str = "",
        xray_address: str = "127.0.0.1:2000",
        runtimes: Runtimes | None = None,
        isolation: Isolation = _DEFAULT_ISOLATION,
    ) -> None:
        """`work_dir` holds functions' temporary folders; `endpoint_url` is where AWS clients in functions call.

        `xray_address` is where their segments go, host and port.
        """
        self.limits = limits
        self.logs = logs
        self.endpoint_url = endpoint_url
        self.xray_address = xray_address
        self.runtimes: Final = runtimes or Runtimes(isolation=isolation)
        self.isolation = isolation
        self.cores = Cores()
        self._folder = work_dir / f"functions-{os.getpid()}-{id(self):x}"
        self._functions: dict[str, Function] = {}
        self._retired: set[Function] = set()
        self._numbers = itertools.count(1)
        self._spare: Spare | None = None
        self._spare_timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = False
        self._all_ended: asyncio.Event | None = None  # set by the last function, once `close` waits

    def __repr__(self) -> str:
        return f"<FunctionRuntime {list(self._functions.values())}>"

    async def invoke(
        self,
        spec: FunctionSpec,
        invocation: Invocation,
        timeout_s: float | None = None,
        stream: ResponseStream | None = None,
    ) -> Outcome:
        """Run one call. A failure of the function is an outcome too.

        `stream` is given a response that the function makes piece by piece; the outcome's payload is empty then.

        Raises Throttled where there is no room for the call, and TimeoutError when there is no outcome within
        `timeout_s`. When its caller gives up so, or is cancelled, a call that waits is withdrawn, and one that runs
        goes on to its own end.
        """
        function = self._functions.get(spec.key)
        if function is None:
            function = await self._opened(spec)
        now = time.monotonic()
        # No timer of its own: its function sees to it while it waits, and its environment while it runs.
        gives_up_at = inf if timeout_s is None else now + timeout_s
        call = PendingCall(invocation, function.new_future(), now, now + self.limits.wait_s, gives_up_at, stream)
        function.submit(call)
        try:
            return await call.future
        except asyncio.CancelledError:
            function.withdraw(call)
            raise

    def runs_on(self, spec: FunctionSpec, invocation: Invocation) -> asyncio.Future[Outcome | None] | None:
        """The outcome to come of a call that its caller has given up and that runs; None where it does not.

        Ask at once when `invoke` has raised. The outcome is None where the call never reached the function.
        """
        of_key = [function for function in self._retired if function.spec.key == spec.key]
        if (current := self._functions.get(spec.key)) is not None:
            of_key.append(current)
        found = (function.runs_on(invocation) for function in of_key)
        return next((outcome for outcome in found if outcome is not None), None)

    async def prepare(self, spec: FunctionSpec) -> None:
        """Begin to start the function's first environment, if it has none. Does not wait for it."""
        function = self._functions.get(spec.key)
        if function is None:
            function = await self._opened(spec)
        function.warm()

    async def keep_started(self, spec: FunctionSpec, environments: int) -> None:
        """Keep so many of the function's environments started, whether there are calls or not. Does not wait for them.

        0 ends that. Raises Throttled when the runtime is closing.
        """
        function = self._functions.get(spec.key)
        if function is None and environments:
            function = await self._opened(spec)
        if function is not None:
            function.keep_started(environments)

    def provisioned(self, key: str) -> Provisioned:
        """How many environments of a function version have started."""
        function = self._functions.get(key)
        return Provisioned(started=0) if function is None else function.provisioned

    def start_spare(self) -> None:
        """Start an interpreter in store, so that the next new function's first call does not wait for one.

        Happens by itself after each start of a function; call it when there is a first one.
        """
        if self._spare_timer is not None:
            self._spare_timer.cancel()
            self._spare_timer = None
        if self.limits.keep_spare_parent and not self._closing:
            if self._spare is not None and self._spare.parent.ended:
                self._end_spare()
            if self._spare is None:
                try:
                    self._spare = Spare(self.isolation, self.new_folder(self.next_number()))
                except OSError as error:
                    _log.warning("no interpreter is kept in store: %s", error)

    def _end_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self.end_parent(spare.parent, spare.home)

    def retire(self, key: str) -> bool:
        """End a function version's environments: idle ones now, busy ones after their call. Whether it had any.

        A request that began before its route changed may still call it: that starts it anew, and it ends when idle.
        """
        function = self._functions.pop(key, None)
        if function is None:
            return False
        had_any = bool(function.environments)
        self._retired.add(function)
        function.retire()
        return had_any

    async def close(self) -> None:
        """Let running calls finish, for `drain_s` at most, then end everything. No process and no folder is left."""
        self._closing = True
        if self._spare_timer is not None:
            self._spare_timer.cancel()
        for key in list(self._functions):
            self.retire(key)
        if self._retired:
            self._all_ended = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), self.limits.drain_s)
        for function in list(self._retired):
            function.kill()
        self._end_spare()
        while self._ending:
            await asyncio.wait(self._ending)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _opened(self, spec: FunctionSpec) -> Function:
        launch = await self.runtimes.launch(spec)
        if self._closing:
            raise Throttled("the server is stopping")
        function = self._functions.get(spec.key)  # another call may have been here meanwhile
        if function is None:
            function = self._functions[spec.key] = Function(spec, launch, self)
        return function

    # What functions ask of their host.

    def next_number(self) -> int:
        return next(self._numbers)

    def new_folder(self, number: int) -> Path:
        folder = self._folder / str(number)
        folder.mkdir(parents=True, mode=0o700)
        account = self.isolation.account
        if account is not None:
            self._folder.chmod(0o711)
            os.chown(folder, account.uid, account.gid)
        return folder

    def take_parent(self, spec: FunctionSpec, launch: Launch) -> tuple[Parent, Path]:
        if self._spare_timer is None:
            self._spare_timer = asyncio.get_running_loop().call_later(_SPARE_AFTER_S, self.start_spare)
        spare = self._spare
        if spare is not None and launch.is_plain and spare.serves(spec):
            self._spare = None
            return spare.parent, spare.home
        command = ParentCommand.of(spec, self.isolation, launch.interpreter, launch.shown)
        folder = self.new_folder(self.next_number())  # first: nobody would end the process if there is no room for it
        try:
            return Parent(command), folder
        except OSError:
            folder.rmdir()
            raise

    def end_parent(self, parent: Parent, folder: Path) -> None:
        task = asyncio.get_running_loop().create_task(_end(parent, folder))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def make_room(self) -> bool:
        functions = [*self._functions.values(), *self._retired]
        if sum(len(function.environments) for function in functions) < self.limits.max_total_environments:
            return True
        idle = [(since, function) for function in functions if (since := function.longest_idle_since) is not None]
        if not idle:
            return False
        min(idle, key=lambda entry: entry[0])[1].end_longest_idle()
        return True

    @property
    def folders(self) -> set[str]:
        """The names of the folders of code and layers that processes use."""
        specs = [function.spec for function in (*self._functions.values(), *self._retired)]
        return {folder.name for spec in specs for folder in (spec.code_dir, spec.layers_dir) if folder is not None}

    @property
    def is_crowded(self) -> bool:
        """Whether more functions have a parent process than there may be environments."""
        return len(self._functions) + len(self._retired) > self.limits.max_total_environments

    def function_ended(self, function: Function) -> None:
        self._retired.discard(function)
        if self._functions.get(function.spec.key) is function:
            del self._functions[function.spec.key]
        if self._all_ended is not None and not self._retired:
            self._all_ended.set()


async def _end(parent: Parent, folder: Path) -> None:
    await parent.close(_PARENT_END_S)
    # The process removes its folder itself, unless it was killed.
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
