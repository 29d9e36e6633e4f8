"""Calling functions: from the published directory to an execution environment, for the gateway and for Invoke."""

import asyncio
import logging
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from headgate.control.function_code import FetchCode, FunctionCode, folders_of
from headgate.control.function_traces import FunctionTracer, may_trace
from headgate.control.lambda_.errors import function_not_found, not_started, too_many_requests
from headgate.control.lambda_.ports import Invoked, Streamed
from headgate.dataplane.ports import BackendTimeout, FunctionMissing, FunctionReply, FunctionThrottled
from headgate.functions.concurrency import Gate
from headgate.functions.directory import FunctionDirectory, PublishedFunction, event_policy
from headgate.functions.errors import NotStarted
from headgate.functions.response_stream import ResponseStream
from headgate.functions.runtime import FunctionRuntime, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.event import EventPolicy
from headgate.model.function import FunctionVersion
from headgate.model.ids import new_request_id
from headgate.model.invocation import FunctionSpec, Invocation, Outcome
from headgate.model.provisioned import Provisioned
from headgate.telemetry.function_metrics import FunctionMeter, FunctionMeters

_log = logging.getLogger("headgate.functions")


class _Drawn(NamedTuple):
    """What a reference stood for when a call began; a publication later does not change it."""

    published: PublishedFunction
    version: FunctionVersion


class FunctionService:
    """Resolves a reference, sees to the version's code on disk, and runs the call."""

    def __init__(
        self,
        directory: FunctionDirectory,
        runtime: FunctionRuntime,
        code_root: Path,
        fetch_code: FetchCode,
        meters: FunctionMeters | None = None,
    ) -> None:
        self._directory = directory
        self._runtime = runtime
        self._code = FunctionCode(code_root, fetch_code)
        self._meters = meters or FunctionMeters()
        self.tracer: FunctionTracer | None = None
        """None: no call is traced."""
        self._specs: dict[str, asyncio.Future[FunctionSpec]] = {}
        self._folders: dict[str, frozenset[str]] = {}  # of code that these need, by key
        self._kept: dict[str, int] = {}  # environments that are kept started, by key
        self._tasks: set[asyncio.Task[None]] = set()
        self._draw: Final = random.random

    def permits(self, function: FunctionRef, source_arns: tuple[str, ...]) -> bool:
        return self._directory.permits(function, source_arns)

    async def invoke(
        self, function: FunctionRef, payload: bytes, trace_id: str, timeout_s: float, version: str = ""
    ) -> FunctionReply:
        """The gateway's call; see `dataplane.ports.Functions`."""
        published = self._directory.find(function)
        if published is None:
            raise FunctionMissing
        chosen = published.versions.get(version) if version else published.resolve(function.qualifier, self._draw())
        if chosen is None:
            raise FunctionMissing
        request_id = new_request_id()
        invocation = Invocation(request_id=request_id, payload=payload, invoked_arn=function.arn, trace_id=trace_id)
        try:
            outcome = await self._call(function, published, chosen, invocation, timeout_s)
        except Throttled as error:
            raise FunctionThrottled from error
        except TimeoutError as error:
            raise BackendTimeout from error
        return FunctionReply(outcome.payload, outcome.error is not None, request_id)

    async def invoke_by_hand(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        """Lambda's Invoke; see `control.lambda_.ports.LambdaPorts.invoke`."""
        try:
            invoked = await self.run(
                function,
                payload,
                request_id=new_request_id(),
                client_context=client_context,
                want_log_tail=want_log_tail,
            )
        except Throttled as error:
            raise _refused(error) from error
        if invoked is None:
            raise function_not_found(function)
        return invoked

    async def run(
        self,
        function: FunctionRef,
        payload: bytes,
        *,
        request_id: str,
        client_context: str = "",
        want_log_tail: bool = False,
    ) -> Invoked | None:
        """One call; see `control.lambda_.ports.EventFunctions.run`."""
        drawn = self._drawn(function)
        if drawn is None:
            return None
        invocation = Invocation(
            request_id=request_id,
            payload=payload,
            invoked_arn=function.arn,
            client_context=client_context,
            want_log_tail=want_log_tail,
        )
        outcome = await self._call(function, *drawn, invocation)
        return Invoked(executed_version=drawn.version.version, outcome=outcome, request_id=request_id)

    async def stream(self, function: FunctionRef, payload: bytes, trace_id: str) -> ResponseStream:
        """The gateway's call; see `dataplane.ports.Functions.stream`."""
        drawn = self._drawn(function)
        if drawn is None:
            raise FunctionMissing
        invocation = Invocation(
            request_id=new_request_id(), payload=payload, invoked_arn=function.arn, trace_id=trace_id
        )
        try:
            return await self._begun(function, drawn, invocation)
        except Throttled as error:
            raise FunctionThrottled from error

    async def stream_by_hand(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Streamed:
        """Lambda's InvokeWithResponseStream; see `control.lambda_.ports.LambdaPorts.invoke_streaming`."""
        drawn = self._drawn(function)
        if drawn is None:
            raise function_not_found(function)
        invocation = Invocation(
            request_id=new_request_id(),
            payload=payload,
            invoked_arn=function.arn,
            client_context=client_context,
            want_log_tail=want_log_tail,
        )
        try:
            stream = await self._begun(function, drawn, invocation)
        except Throttled as error:
            raise _refused(error) from error
        return Streamed(drawn.version.version, stream, invocation.request_id)

    async def _begun(self, function: FunctionRef, drawn: _Drawn, invocation: Invocation) -> ResponseStream:
        """A call that runs on by itself, whoever reads its response; given once that has begun. Raises Throttled."""
        stream = ResponseStream()
        self._in_background(self._streamed(function, drawn, invocation, stream))
        await stream.begun
        return stream

    async def _streamed(
        self, function: FunctionRef, drawn: _Drawn, invocation: Invocation, stream: ResponseStream
    ) -> None:
        try:
            stream.end(await self._call(function, *drawn, invocation, stream=stream))
        except Exception as error:
            stream.refuse(error)  # to whoever waits for its beginning

    def _drawn(self, function: FunctionRef) -> _Drawn | None:
        """The version that answers a call of the reference; None where there is nothing of that name."""
        published = self._directory.find(function)
        version = None if published is None else published.resolve(function.qualifier, self._draw())
        return None if published is None or version is None else _Drawn(published, version)

    async def _call(
        self,
        function: FunctionRef,
        published: PublishedFunction,
        version: FunctionVersion,
        invocation: Invocation,
        timeout_s: float | None = None,
        stream: ResponseStream | None = None,
    ) -> Outcome:
        """Run a call, counted by its gate and meter. Raises Throttled, and TimeoutError after `timeout_s`."""
        spec = published.specs.get(version.version)
        if spec is None:
            spec = published.specs[version.version] = await self._spec(version)
        trace = None
        if self.tracer is not None and may_trace(version, invocation.trace_id):
            trace = self.tracer.begin(function, version, invocation.trace_id)
            if trace is not None:
                invocation = replace(invocation, trace_id=trace.header)
        gate, meter = published.gate, self._meters.of(function, version.version)
        try:
            gate.enter()
        except Throttled:
            meter.refuse()
            if trace is not None:
                trace.throttled()
            raise
        began = meter.begin()
        call = self._runtime.invoke(spec, invocation, timeout_s, stream)
        try:
            outcome = await (call if trace is None else trace.observe(invocation.request_id, call))
        except Throttled:
            gate.running -= 1
            meter.leave()
            meter.refuse()
            raise
        except (TimeoutError, asyncio.CancelledError):
            # Its caller alone has gone. What runs on keeps its place until it ends, as on Lambda; what waited is over.
            late = self._runtime.runs_on(spec, invocation)
            if late is None:
                _ended_late(gate, meter, began, None)
            else:
                late.add_done_callback(lambda ended: _ended_late(gate, meter, began, ended.result()))
            raise
        except BaseException:
            gate.running -= 1
            meter.leave()
            raise
        gate.running -= 1
        meter.end(began, failed=outcome.error is not None)
        return outcome

    @property
    def folders(self) -> set[str]:
        """The names of the folders of code that calls use now, or may use without asking the store again."""
        return self._runtime.folders.union(*self._folders.values())

    def exists(self, function: FunctionRef) -> bool:
        return self._directory.resolve(function, 0.0) is not None

    def event_policy(self, function: FunctionRef) -> EventPolicy:
        """See `control.lambda_.ports.EventFunctions.event_policy`."""
        published = self._directory.find(function)
        return EventPolicy() if published is None else event_policy(published, function.qualifier)

    def keep_started(self, version: FunctionVersion, environments: int) -> None:
        """Have so many environments of a version started and kept, from now on. Does not wait for them."""
        key = spec_key(version)
        if environments:
            self._kept[key] = environments
        else:
            self._kept.pop(key, None)
        self._in_background(self._keep_started(key, version))

    def provisioned(self, version: FunctionVersion) -> Provisioned:
        return self._runtime.provisioned(spec_key(version))

    async def _keep_started(self, key: str, version: FunctionVersion) -> None:
        try:
            spec = await self._spec(version)
            # What is wanted by now: a later wish may have been fulfilled before this one.
            await self._runtime.keep_started(spec, self._kept.get(key, 0))
        except Throttled:
            return  # the server is stopping
        except Exception:
            _log.exception("environments of %s cannot be kept started", key)

    def retire(self, version: FunctionVersion) -> None:
        """A version was changed or deleted: its environments end.

        Where it had any, what it was changed into is started now, lest the next call wait for that.
        """
        key = spec_key(version)
        self._specs.pop(key, None)
        self._folders.pop(key, None)
        self._kept.pop(key, None)
        if self._runtime.retire(key):
            ref = FunctionRef(
                account_id=version.account_id,
                region=version.region,
                name=version.function_name,
                qualifier=version.version,
            )
            changed = self._directory.resolve(ref, 0.0)
            if changed is not None:
                self._in_background(self._prepare(changed))

    async def _prepare(self, version: FunctionVersion) -> None:
        try:
            spec = await self._spec(version)
            if spec_key(version) in self._specs:  # and not changed again meanwhile
                await self._runtime.prepare(spec)
        except Throttled:
            return  # the server is stopping
        except Exception:
            _log.exception("%s cannot be started", version.function_arn)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spec(self, version: FunctionVersion) -> FunctionSpec:
        """What the runtime is to run, with the code unpacked: at the first call of a version, and once."""
        key = spec_key(version)
        known = self._specs.get(key)
        if known is None:
            self._folders[key] = folders_of(version)
            known = self._specs[key] = asyncio.ensure_future(self._code.spec(key, version))
            known.add_done_callback(lambda done: self._forget_failed(key, done))
        if known.done():
            return known.result()
        return await asyncio.shield(known)  # shared: one caller that is cancelled takes nobody else's code away

    def _forget_failed(self, key: str, prepared: asyncio.Future[FunctionSpec]) -> None:
        """So that the next call tries again."""
        if (prepared.cancelled() or prepared.exception() is not None) and self._specs.get(key) is prepared:
            del self._specs[key]
            del self._folders[key]


def _ended_late(gate: Gate, meter: FunctionMeter, began: float, outcome: Outcome | None) -> None:
    """A call ended whose caller had gone before; None where it never ran."""
    gate.running -= 1
    if outcome is None:
        meter.leave()
    else:
        meter.end(began, failed=outcome.error is not None)


def _refused(error: Throttled) -> ApiError:
    """What a caller by hand is told of a call that was not run."""
    return not_started(str(error)) if isinstance(error, NotStarted) else too_many_requests(error.reason)


def spec_key(version: FunctionVersion) -> str:
    """One version at one revision: what is changed runs in new environments."""
    return f"{version.function_arn}:{version.version}:{version.revision_id}"
