"""The warmed parent of one function version: started with the first environment, and anew after it was lost.

Environments that are wanted meanwhile wait until it has imported the handler, and fail together where it cannot.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Protocol

from headgate.functions.environment_process import EnvironmentProcess
from headgate.functions.isolation import Isolation
from headgate.functions.layers import python_paths
from headgate.functions.limits import RuntimeLimits
from headgate.functions.logs import EnvironmentLog
from headgate.functions.outcomes import StartFailure
from headgate.functions.parent import Parent
from headgate.functions.parent_command import Settings
from headgate.functions.placement import Placement, place
from headgate.functions.runtimes import Launch
from headgate.functions.sandbox import SITE_PACKAGES
from headgate.functions.variables import function_variables
from headgate.model.invocation import FunctionSpec

_log = logging.getLogger(__name__)


class ParentHost(Protocol):
    """What a parent needs of the server's runtime."""

    limits: RuntimeLimits
    endpoint_url: str
    xray_address: str
    isolation: Isolation

    def take_parent(self, spec: FunctionSpec, launch: Launch) -> tuple[Parent, Path]:
        """A process for the function, and a folder of its own."""
        ...

    def end_parent(self, parent: Parent, folder: Path) -> None:
        """See to it that the process and its folder go."""
        ...


class ForkOwner(Protocol):
    """Whose environments are forked: the function."""

    def environment_exited(self, number: int, wait_status: int, peak_kib: int) -> None: ...

    def parent_lost(self) -> None:
        """The parent ended unasked, and all environments with it."""
        ...


class WarmedParent:
    """The parent's place: there may be no process in it. It owns the process; see `parent.ParentOwner`."""

    def __init__(self, spec: FunctionSpec, launch: Launch, host: ParentHost, owner: ForkOwner) -> None:
        self._spec = spec
        self._launch = launch
        self._host = host
        self._owner = owner
        self._process: Parent | None = None
        self._is_ready = False
        self._folder = Path()
        self._placement: Placement | None = None
        self._log: EnvironmentLog | None = None  # of the environment that it was started for
        self._init_timer: asyncio.TimerHandle | None = None
        self._import_first = not launch.program
        self._start_s = host.limits.start_s(spec.timeout_s)
        self._provisioned = False
        self._waiting: dict[int, EnvironmentProcess] = {}  # for it to be ready

    def __repr__(self) -> str:
        state = "none" if self._process is None else "ready" if self._is_ready else "importing"
        return f"<warmed parent of {self._spec.name}: {state}, {len(self._waiting)} environments waiting>"

    def start(self, environment: EnvironmentProcess, *, provisioned: bool) -> None:
        """Start an environment, now or when it can be; `provisioned` says that it is to stay."""
        if self._is_ready:
            self._fork(environment)
            return
        self._waiting[environment.number] = environment
        if self._process is None:
            self._provisioned = provisioned
            self._start_process(environment.log)

    def forget(self, environment: EnvironmentProcess) -> None:
        """The environment is gone."""
        self._waiting.pop(environment.number, None)

    def drop(self) -> None:
        """Let go of the process; it ends, and all its environments with it."""
        self._cancel_init_timer()
        self._is_ready = False
        if self._process is not None:
            process, self._process = self._process, None
            self._host.end_parent(process, self._folder)

    def _start_process(self, log: EnvironmentLog) -> None:
        """Start it for the environments that wait."""
        try:
            self._make_process(log)
        except OSError as error:
            self.drop()
            waiting, self._waiting = self._waiting, {}
            for environment in waiting.values():
                self._cannot_start(environment, error)

    def _make_process(self, log: EnvironmentLog) -> None:
        isolation = self._host.isolation
        self._process, self._folder = self._host.take_parent(self._spec, self._launch)
        self._placement = placement = place(self._spec, self._folder, isolation, self._launch.shown)
        self._log = log
        self._is_ready = False
        loop = asyncio.get_running_loop()
        self._init_timer = loop.call_later(self._start_s, self._on_init_timeout)
        variables = function_variables(
            placement.spec,
            initialization="provisioned-concurrency" if self._provisioned else "on-demand",
            log_stream=log.stream,
            temporary=placement.temporary_of_import,
            runtime_dir=placement.runtime_dir,
            endpoint_url=self._host.endpoint_url,
            xray_address=self._host.xray_address,
        )
        settings = Settings(
            code_dir=str(placement.spec.code_dir),
            handler=self._spec.handler,
            memory_mb=self._spec.memory_mb + self._launch.extra_memory_mb,
            import_first=self._import_first,
            variables=variables,
            folder=str(placement.folder),
            site_packages=SITE_PACKAGES,
            server_pid=0 if isolation.sandbox is not None else os.getpid(),
            user=None if isolation.account is None else (isolation.account.uid, isolation.account.gid),
            max_processes=placement.max_processes,
            max_file_bytes=placement.max_file_bytes,
            temporary_mb=placement.temporary_mb,
            layer_paths=python_paths(placement.spec),
            program=self._launch.program_at(placement, sandboxed=isolation.sandbox is not None),
        )
        self._process.become(self, settings)

    def _fork(self, environment: EnvironmentProcess) -> None:
        assert self._process is not None
        assert self._placement is not None
        try:
            environment.start(self._process, self._placement.temporary_of(environment.number))
        except OSError as error:
            self._cannot_start(environment, error)

    def _cannot_start(self, environment: EnvironmentProcess, error: OSError) -> None:
        """This server has no descriptors, processes or disk left for it, or a program is not there any more."""
        _log.error("%s: no execution environment can be started: %s", self._spec.arn, error)
        # In a turn of its own: for the calls that go on waiting the function starts another environment at once.
        asyncio.get_running_loop().call_soon(environment.init_failed, StartFailure(fault=str(error)))

    def _cancel_init_timer(self) -> None:
        if self._init_timer is not None:
            self._init_timer.cancel()
            self._init_timer = None

    def _on_init_timeout(self) -> None:
        self._init_timer = None
        if self._process is not None:
            self._process.drain_output()
            self._process.kill()
        self._start_failed(StartFailure(timed_out_s=self._start_s))

    def _start_failed(self, why: StartFailure) -> None:
        """No environment that waited for it comes to be."""
        if self._log is not None:
            self._log.finish_line()
        self.drop()
        for environment in list(self._waiting.values()):
            environment.init_failed(why)

    # What the process tells.

    def parent_ready(self) -> None:
        if self._process is None:
            return
        self._cancel_init_timer()
        if self._log is not None:
            self._log.finish_line()
        self._is_ready = True
        waiting, self._waiting = self._waiting, {}
        for environment in waiting.values():
            self._fork(environment)

    def parent_unforkable(self, why: str) -> None:
        _log.info("%s: each environment imports for itself, as the import left %s", self._spec.arn, why)
        self._import_first = False
        log = self._log
        self.drop()
        if log is not None and self._waiting:
            self._start_process(log)

    def parent_failed(self, error_document: bytes) -> None:
        self._start_failed(StartFailure(document=error_document))

    def parent_output(self, output: bytes) -> None:
        if self._log is not None:
            self._log.output(output)

    def parent_ended(self, parent: Parent, exit_code: int) -> None:
        if parent is not self._process:
            return  # as it was told to
        wait_status = -exit_code if exit_code < 0 else exit_code << 8
        self._start_failed(StartFailure(wait_status=wait_status))
        self._owner.parent_lost()

    def environment_exited(self, number: int, wait_status: int, peak_kib: int) -> None:
        self._owner.environment_exited(number, wait_status, peak_kib)
