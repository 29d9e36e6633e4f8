"""One function version at work: its environments, and the calls that wait for one."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol
from uuid import uuid4

from headgate.functions import outcomes
from headgate.functions.call import PendingCall
from headgate.functions.cores import Cores
from headgate.functions.environment import State
from headgate.functions.environment_process import EnvironmentProcess
from headgate.functions.errors import NotStarted, Throttled
from headgate.functions.logs import EnvironmentLog, LogSink, log_stream_name, report, tail_of
from headgate.functions.outcomes import StartFailure
from headgate.functions.pool import GROW_AFTER_S, GROW_ANYWAY_S, Pool
from headgate.functions.runtime_api_environment import RuntimeApiEnvironment
from headgate.functions.runtimes import Launch
from headgate.functions.warmed_parent import ParentHost, WarmedParent
from headgate.model.arn import log_group_arn
from headgate.model.invocation import FunctionSpec, Invocation, Outcome
from headgate.model.provisioned import Provisioned

_MAX_REFILL_S: Final = 60.0


class Host(ParentHost, Protocol):
    """What all functions of a server share."""

    logs: LogSink
    cores: Cores

    def next_number(self) -> int:
        """A number that no parent and no environment had before."""
        ...

    def make_room(self) -> bool:
        """Whether one more environment may be started, after ending an idle one where that helps."""
        ...

    @property
    def is_crowded(self) -> bool:
        """Whether a function without environments should end at once, and not keep its parent for the next call."""
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
        self._parent = WarmedParent(spec, launch, host, self)
        self._retired = False
        self._ended = False
        self.new_future: Final[Callable[[], asyncio.Future[Outcome]]] = self._loop.create_future
        self._tick: asyncio.TimerHandle | None = None
        self._tick_at = 0.0  # of time.monotonic
        self._idle_timer: asyncio.TimerHandle | None = None
        self._kept = 0  # environments that stay started, whether there are calls or not
        self._refill_s = host.limits.refill_s
        self._refill_timer: asyncio.TimerHandle | None = None
        self._grows_from = 0.0  # of time.monotonic; later after this server could not start an environment

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

    def runs_on(self, invocation: Invocation) -> asyncio.Future[Outcome | None] | None:
        """See `FunctionRuntime.runs_on`."""
        found = (environment.runs_on(invocation) for environment in self.environments.values())
        return next((outcome for outcome in found if outcome is not None), None)

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
        now, most = time.monotonic(), self._pool.max_environments
        if now < self._grows_from and self.environments:
            return
        wanted = self._pool.to_start(now, most)
        if wanted and self.environments and self._host.cores.taken(e.is_at_work for e in self.environments.values()):
            wanted = self._pool.to_start(now, most, GROW_ANYWAY_S)
        for _ in range(wanted):
            if not self._host.make_room():
                return
            self._start_environment()

    def _set_tick(self) -> None:
        """Look again soon while calls wait: whether to grow, and whom to refuse."""
        deadline = self._pool.next_deadline
        if deadline is None or (self._tick is not None and self._tick_at <= deadline):
            return
        now = time.monotonic()
        delay_s = GROW_AFTER_S
        if self._pool.size >= self._pool.max_environments:
            delay_s = max(delay_s, deadline - now)
        if self._tick is not None:
            self._tick.cancel()
        self._tick_at = now + delay_s
        self._tick = self._loop.call_later(delay_s, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        now = time.monotonic()
        for call in self._pool.take_given_up(now):
            call.refuse(TimeoutError())
        for call in self._pool.take_expired(now):
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
        log.keep_tail()  # what it says before it fails to start, if it does
        log.write(f"INIT_START Runtime Version: {self._launch.version}")
        kind = RuntimeApiEnvironment if self._launch.program else EnvironmentProcess
        environment = kind(number, self.spec, log, self._limits, self)
        self.environments[number] = environment
        self._pool.started()
        self._parent.start(environment, provisioned=bool(self._kept))

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        for timer in (self._tick, self._idle_timer, self._refill_timer):
            if timer is not None:
                timer.cancel()
        self._parent.drop()
        self._host.function_ended(self)

    # What environments tell.

    def environment_free(self, environment: EnvironmentProcess, was: State) -> None:
        if was is State.STARTING:
            environment.log.take_tail()
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
        self._parent.forget(environment)
        self._pool.removed(environment, was_starting=was is State.STARTING)
        self._refill_later()
        if self._pool.waiting:
            self._grow()
            self._set_tick()
        elif not self.environments:
            if self._retired or (self._host.is_crowded and not self._kept):
                self._end()
            else:
                self._set_idle_timer(self._limits.idle_s)

    def environment_failed_to_start(self, environment: EnvironmentProcess, why: StartFailure) -> None:
        self._refill_s = min(self._refill_s * 2, _MAX_REFILL_S)
        log = environment.log
        log.write(f"INIT_REPORT Init Duration: {environment.age_s * 1000:.2f} ms\tPhase: init\tStatus: error\t")
        # Where no other environment could run them, all calls that wait would fail alike, each after its own start.
        serving = self._pool.size - self._pool.starting
        if why.fault and serving:
            self._grows_from = time.monotonic() + self._limits.refill_s  # the others take the calls, in turn
            return
        calls = [self._pool.take_first_waiting()] if serving else self._pool.take_all_waiting()
        why_not = log.take_tail()
        for call in calls:
            if call is None:
                continue
            if why.fault:
                call.refuse(NotStarted(f"no execution environment could be started: {why.fault}"))
                continue
            request_id = call.invocation.request_id
            lines = (
                f"START RequestId: {request_id} Version: {self.spec.version}",
                f"END RequestId: {request_id}",
                report(request_id, 0, self.spec.memory_mb, environment.peak_memory_mb, None),
            )
            log.write(*lines)
            tail = tail_of(why_not, *lines) if call.invocation.want_log_tail else b""
            call.resolve(outcomes.not_started(request_id, why, tail))

    def call_not_taken(self, call: PendingCall) -> None:
        if call.future.done():
            call.refuse(TimeoutError())  # its caller has gone meanwhile
            return
        try:
            self.submit(call)
        except Throttled as refusal:
            call.refuse(refusal)

    # What the parent tells.

    def environment_exited(self, number: int, wait_status: int, peak_kib: int) -> None:
        environment = self.environments.get(number)
        if environment is not None:
            environment.exited(wait_status, peak_kib)

    def parent_lost(self) -> None:
        for environment in list(self.environments.values()):
            environment.exited(9)  # the kernel kills them with their parent
