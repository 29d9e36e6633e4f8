"""One function version at work: its parent, its environments, and the calls that wait for one."""

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from headgate.functions import outcomes
from headgate.functions.call import PendingCall
from headgate.functions.environment import State
from headgate.functions.environment_process import EnvironmentProcess
from headgate.functions.errors import Throttled
from headgate.functions.isolation import Isolation
from headgate.functions.layers import python_paths
from headgate.functions.limits import RuntimeLimits
from headgate.functions.logs import EnvironmentLog, LogSink, log_stream_name, report
from headgate.functions.outcomes import StartFailure
from headgate.functions.parent import Parent, Settings
from headgate.functions.placement import Placement, place
from headgate.functions.pool import GROW_AFTER_S, Pool
from headgate.functions.runtime_api_environment import RuntimeApiEnvironment
from headgate.functions.runtimes import Launch
from headgate.functions.sandbox import SITE_PACKAGES
from headgate.functions.variables import function_variables
from headgate.model.arn import log_group_arn
from headgate.model.invocation import FunctionSpec
from headgate.model.provisioned import Provisioned

_log = logging.getLogger(__name__)

_MAX_REFILL_S: Final = 60.0


class Host(Protocol):
    """What all functions of a server share."""

    limits: RuntimeLimits
    logs: LogSink
    endpoint_url: str
    xray_address: str
    isolation: Isolation

    def next_number(self) -> int:
        """A number that no parent and no environment had before."""
        ...

    def take_parent(self, spec: FunctionSpec, launch: Launch) -> tuple[Parent, Path]:
        """A process for the function, and a folder of its own."""
        ...

    def end_parent(self, parent: Parent, folder: Path) -> None:
        """See to it that the process and its folder go."""
        ...

    def make_room(self) -> bool:
        """Whether one more environment may be started, after ending an idle one where that helps."""
        ...

    def function_ended(self, function: "Function") -> None: ...


class Function:
    """One function version. It grows with the calls that wait, and ends when it is retired or idle for long."""

    def __init__(self, spec: FunctionSpec, launch: Launch, host: Host) -> None:
        self.spec = spec
        self._launch = launch
        self.environments: dict[int, EnvironmentProcess] = {}
        self._host = host
        self._log_group_arn = log_group_arn(spec.region, spec.account_id, spec.log_group)
        self._limits = host.limits
        self._loop = asyncio.get_running_loop()
        self._pool: Pool[EnvironmentProcess, PendingCall] = Pool(
            self._limits.max_environments, self._limits.max_waiting
        )
        self._parent: Parent | None = None
        self._parent_is_ready = False
        self._parent_folder = Path()
        self._placement: Placement | None = None  # of the parent
        self._parent_log: EnvironmentLog | None = None
        self._init_timer: asyncio.TimerHandle | None = None
        self._import_first = not launch.program
        self._parentless: dict[int, EnvironmentProcess] = {}  # those that wait for the parent to be ready
        self._retired = False
        self._ended = False
        self._tick: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._kept = 0  # environments that stay started, whether there are calls or not
        self._refill_s = host.limits.refill_s
        self._refill_timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<function {self.spec.name}:{self.spec.version} {self._pool!r}>"

    # Calls.

    def submit(self, call: PendingCall) -> None:
        """Run a call, now or when an environment is free. Raises Throttled."""
        environment = self._pool.place(call)
        if environment is not None:
            environment.run(call)
            return
        self._grow()
        self._set_tick()

    def withdraw(self, call: PendingCall) -> None:
        """The caller has gone. A call that runs already runs on, as on Lambda."""
        self._pool.withdraw(call)

    def warm(self) -> None:
        """Start the first environment, if there is none."""
        if not self.environments and self._host.make_room():
            self._start_environment()

    def keep_started(self, environments: int) -> None:
        """Have so many environments started from now on, calls or not."""
        self._kept = environments
        self._pool.max_environments = max(self._limits.max_environments, environments)
        self._fill()
        self._set_idle_timer(self._limits.idle_s)

    @property
    def provisioned(self) -> Provisioned:
        """How many environments have started, and whether the last one that was wanted did not."""
        return Provisioned(
            started=self._pool.size - self._pool.starting, failing=self._refill_s > self._limits.refill_s
        )

    def retire(self) -> None:
        """End what is idle now, and the rest after its call; calls that wait already are run first."""
        self._retired = True
        self._kept = 0
        if not self._pool.waiting:
            for environment in list(self.environments.values()):
                environment.retire()
        if not self.environments:
            self._end()

    def kill(self) -> None:
        """End everything now."""
        self._retired = True
        for call in self._pool.take_all_waiting():
            call.refuse(Throttled("the server is stopping"))
        for environment in list(self.environments.values()):
            environment.exited(9)
        self._end()

    @property
    def longest_idle_since(self) -> float | None:
        """Since when its longest idle environment is so; None where all are kept."""
        return None if len(self.environments) <= self._kept else self._pool.longest_idle_since

    def end_longest_idle(self) -> None:
        """End the environment that is idle longest."""
        for environment in list(self._pool.idle_since(time.monotonic()))[:1]:
            environment.retire()

    # Growing and shrinking.

    def _grow(self) -> None:
        for _ in range(self._pool.to_start(time.monotonic(), self._pool.max_environments)):
            if not self._host.make_room():
                return
            self._start_environment()

    def _set_tick(self) -> None:
        """Look again soon while calls wait: whether to grow, and whom to refuse."""
        deadline = self._pool.next_deadline
        if deadline is None or self._tick is not None:
            return
        delay_s = GROW_AFTER_S
        if self._pool.size >= self._pool.max_environments:
            delay_s = max(delay_s, deadline - time.monotonic())
        self._tick = self._loop.call_later(delay_s, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        for call in self._pool.take_expired(time.monotonic()):
            call.refuse(Throttled(f"no environment was free for {self._limits.wait_s} seconds"))
        self._grow()
        self._set_tick()

    def _set_idle_timer(self, delay_s: float) -> None:
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(delay_s, self._on_idle)

    def _on_idle(self) -> None:
        self._idle_timer = None
        now = time.monotonic()
        for environment in self._pool.idle_since(now - self._limits.idle_s):
            if len(self.environments) <= self._kept:
                break
            environment.retire()
        if not self.environments and not self._pool.waiting and not self._kept:
            self._end()
        elif not self._ended and len(self.environments) > self._kept:
            since = self._pool.longest_idle_since
            self._set_idle_timer(self._limits.idle_s - (now - since if since is not None else 0))

    def _fill(self) -> None:
        """Start what is missing of the environments that are kept."""
        self._refill_timer = None
        while not self._retired and self._pool.size < self._kept and self._host.make_room():
            self._start_environment()

    def _refill_later(self) -> None:
        if self._pool.size < self._kept and not self._retired and self._refill_timer is None:
            self._refill_timer = self._loop.call_later(self._refill_s, self._fill)

    def _start_environment(self) -> None:
        number = self._host.next_number()
        stream = log_stream_name(self.spec.version, uuid4().hex, time.time())
        log = EnvironmentLog(self._host.logs, self._log_group_arn, stream)
        log.write(f"INIT_START Runtime Version: {self._launch.version}")
        kind = RuntimeApiEnvironment if self._launch.program else EnvironmentProcess
        environment = kind(number, self.spec, log, self._limits, self)
        self.environments[number] = environment
        self._pool.started()
        if self._parent is None:
            self._start_parent(log)
        if self._parent is not None and self._parent_is_ready:
            self._start_in_parent(environment)
        else:
            self._parentless[number] = environment

    def _start_in_parent(self, environment: EnvironmentProcess) -> None:
        assert self._parent is not None
        assert self._placement is not None
        environment.start(self._parent, self._placement.folder / str(environment.number))

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        for timer in (self._tick, self._idle_timer, self._init_timer, self._refill_timer):
            if timer is not None:
                timer.cancel()
        self._drop_parent()
        self._host.function_ended(self)

    # What environments tell.

    def environment_free(self, environment: EnvironmentProcess, was: State) -> None:
        if was is State.STARTING:
            self._pool.ready()
            self._refill_s = self._limits.refill_s
        while (call := self._pool.free(environment, time.monotonic())) is not None:
            if not call.future.done():
                environment.run(call)
                return
        if self._retired:
            environment.retire()
        else:
            self._set_idle_timer(self._limits.idle_s)

    def environment_gone(self, environment: EnvironmentProcess, was: State) -> None:
        self.environments.pop(environment.number, None)
        self._parentless.pop(environment.number, None)
        self._pool.removed(environment, was_starting=was is State.STARTING)
        self._refill_later()
        if self._pool.waiting:
            self._grow()
            self._set_tick()
        elif not self.environments:
            if self._retired:
                self._end()
            else:
                self._set_idle_timer(self._limits.idle_s)

    def environment_failed_to_start(self, environment: EnvironmentProcess, why: StartFailure) -> None:
        self._refill_s = min(self._refill_s * 2, _MAX_REFILL_S)
        # Where no other environment could run them, all calls that wait would fail alike, each after its own start.
        serving = self._pool.size - self._pool.starting
        calls = [self._pool.take_first_waiting()] if serving else self._pool.take_all_waiting()
        log = environment.log
        log.write(f"INIT_REPORT Init Duration: {environment.age_s * 1000:.2f} ms\tPhase: init\tStatus: error\t")
        for call in calls:
            if call is None:
                continue
            invocation = call.invocation
            if invocation.want_log_tail:
                log.keep_tail()
            log.write(f"START RequestId: {invocation.request_id} Version: {self.spec.version}")
            log.write(f"END RequestId: {invocation.request_id}")
            log.write(report(invocation.request_id, 0, self.spec.memory_mb, environment.peak_memory_mb, None))
            call.resolve(outcomes.not_started(invocation.request_id, why, log.take_tail()))

    def call_not_taken(self, call: PendingCall) -> None:
        try:
            self.submit(call)
        except Throttled as refusal:
            call.refuse(refusal)

    # The parent, and what it tells.

    def _start_parent(self, log: EnvironmentLog) -> None:
        isolation = self._host.isolation
        self._parent, self._parent_folder = self._host.take_parent(self.spec, self._launch)
        self._placement = placement = place(self.spec, self._parent_folder, isolation)
        self._parent_log = log
        self._parent_is_ready = False
        self._init_timer = self._loop.call_later(self._limits.init_s, self._on_init_timeout)
        variables = function_variables(
            placement.spec,
            initialization="provisioned-concurrency" if self._kept else "on-demand",
            log_stream=log.stream,
            temporary=placement.folder / "init",
            runtime_dir=placement.runtime_dir,
            endpoint_url=self._host.endpoint_url,
            xray_address=self._host.xray_address,
        )
        settings = Settings(
            code_dir=str(placement.spec.code_dir),
            handler=self.spec.handler,
            memory_mb=self.spec.memory_mb + self._launch.extra_memory_mb,
            import_first=self._import_first,
            variables=variables,
            folder=str(placement.folder),
            site_packages=SITE_PACKAGES,
            server_pid=0 if isolation.sandbox is not None else os.getpid(),
            user=None if isolation.account is None else (isolation.account.uid, isolation.account.gid),
            max_processes=placement.max_processes,
            max_file_bytes=placement.max_file_bytes,
            layer_paths=python_paths(placement.spec),
            program=self._launch.program_at(placement, sandboxed=isolation.sandbox is not None),
        )
        self._parent.become(self, settings)

    def _drop_parent(self) -> None:
        """Let go of the parent; it ends, and all its environments with it."""
        if self._init_timer is not None:
            self._init_timer.cancel()
            self._init_timer = None
        if self._parent is not None:
            parent, self._parent = self._parent, None
            self._host.end_parent(parent, self._parent_folder)

    def _on_init_timeout(self) -> None:
        self._init_timer = None
        if self._parent is not None:
            self._parent.drain_output()
            self._parent.kill()
        self._start_failed(StartFailure(timed_out_s=self._limits.init_s))

    def _start_failed(self, why: StartFailure) -> None:
        """No environment that waited for the parent comes to be."""
        if self._parent_log is not None:
            self._parent_log.finish_line()
        self._drop_parent()
        for environment in list(self._parentless.values()):
            environment.init_failed(why)

    def parent_ready(self) -> None:
        if self._parent is None:
            return
        if self._init_timer is not None:
            self._init_timer.cancel()
            self._init_timer = None
        if self._parent_log is not None:
            self._parent_log.finish_line()
        self._parent_is_ready = True
        parentless, self._parentless = self._parentless, {}
        for environment in parentless.values():
            self._start_in_parent(environment)

    def parent_unforkable(self, why: str) -> None:
        _log.info("%s: each environment imports for itself, as the import left %s", self.spec.arn, why)
        self._import_first = False
        log = self._parent_log
        self._drop_parent()
        if log is not None and self._parentless:
            self._start_parent(log)

    def parent_failed(self, error_document: bytes) -> None:
        self._start_failed(StartFailure(document=error_document))

    def parent_output(self, output: bytes) -> None:
        if self._parent_log is not None:
            self._parent_log.output(output)

    def parent_ended(self, parent: Parent, exit_code: int) -> None:
        if parent is not self._parent:
            return  # as it was told to
        wait_status = -exit_code if exit_code < 0 else exit_code << 8
        self._start_failed(StartFailure(wait_status=wait_status))
        for environment in list(self.environments.values()):
            environment.exited(9)  # the kernel kills them with their parent

    def environment_exited(self, number: int, wait_status: int) -> None:
        environment = self.environments.get(number)
        if environment is not None:
            environment.exited(wait_status)
