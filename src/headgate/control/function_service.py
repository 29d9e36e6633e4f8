"""Calling functions: from the published directory to an execution environment, for the gateway and for Invoke."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from headgate.control.function_traces import FunctionTracer, may_trace
from headgate.control.lambda_.errors import function_not_found, too_many_requests
from headgate.control.lambda_.ports import Invoked
from headgate.dataplane.ports import BackendTimeout, FunctionMissing, FunctionReply, FunctionThrottled
from headgate.functions.bundle import unpack
from headgate.functions.directory import FunctionDirectory, event_policy
from headgate.functions.layers import merge, merged_name
from headgate.functions.runtime import FunctionRuntime, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.event import EventPolicy
from headgate.model.function import FunctionVersion
from headgate.model.ids import new_request_id
from headgate.model.invocation import FunctionSpec, Invocation
from headgate.model.provisioned import Provisioned
from headgate.telemetry.function_metrics import FunctionMeters

_log = logging.getLogger("headgate.functions")

FetchCode = Callable[[str], Awaitable[bytes | None]]
"""The zip with this SHA-256, in hexadecimal; None when there is none."""


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
        self._code_root = code_root
        self._fetch_code = fetch_code
        self._meters = meters or FunctionMeters()
        self.tracer: FunctionTracer | None = None
        """None: no call is traced."""
        self._specs: dict[str, asyncio.Future[FunctionSpec]] = {}
        self._kept: dict[str, int] = {}  # environments that are kept started, by key
        self._keeping: set[asyncio.Task[None]] = set()
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
        spec = published.specs.get(chosen.version)
        if spec is None:
            spec = published.specs[chosen.version] = await self._spec(chosen)
        trace = None
        if self.tracer is not None and may_trace(chosen, trace_id):
            trace = self.tracer.begin(function, chosen, trace_id)
        invocation = Invocation(
            request_id=new_request_id(),
            payload=payload,
            invoked_arn=function.arn,
            trace_id=trace_id if trace is None else trace.header,
        )
        gate, meter = published.gate, self._meters.of(function, chosen.version)
        try:
            gate.enter()
        except Throttled as error:
            meter.refuse()
            if trace is not None:
                trace.throttled()
            raise FunctionThrottled from error
        call = self._runtime.invoke(spec, invocation, timeout_s)
        try:
            outcome = await meter.observe(call if trace is None else trace.observe(invocation.request_id, call))
        except Throttled as error:
            raise FunctionThrottled from error
        except TimeoutError as error:
            raise BackendTimeout from error
        finally:
            gate.running -= 1
        return FunctionReply(outcome.payload, outcome.error is not None, invocation.request_id)

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
            raise too_many_requests(error.reason) from error
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
        published = self._directory.find(function)
        version = None if published is None else published.resolve(function.qualifier, self._draw())
        if published is None or version is None:
            return None
        spec = published.specs.get(version.version)
        if spec is None:
            spec = published.specs[version.version] = await self._spec(version)
        trace = None
        if self.tracer is not None and may_trace(version, ""):
            trace = self.tracer.begin(function, version, "")
        invocation = Invocation(
            request_id=request_id,
            payload=payload,
            invoked_arn=function.arn,
            trace_id="" if trace is None else trace.header,
            client_context=client_context,
            want_log_tail=want_log_tail,
        )
        gate, meter = published.gate, self._meters.of(function, version.version)
        try:
            gate.enter()
        except Throttled:
            meter.refuse()
            if trace is not None:
                trace.throttled()
            raise
        call = self._runtime.invoke(spec, invocation)
        try:
            outcome = await meter.observe(call if trace is None else trace.observe(request_id, call))
        finally:
            gate.running -= 1
        return Invoked(executed_version=version.version, outcome=outcome, request_id=request_id)

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
        task = asyncio.get_running_loop().create_task(self._keep_started(key, version))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

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
        """A version was changed or deleted: its environments end."""
        key = spec_key(version)
        self._specs.pop(key, None)
        self._kept.pop(key, None)
        self._runtime.retire(key)

    async def _spec(self, version: FunctionVersion) -> FunctionSpec:
        """What the runtime is to run, with the code unpacked: at the first call of a version, and once."""
        key = spec_key(version)
        known = self._specs.get(key)
        if known is None:
            known = self._specs[key] = asyncio.ensure_future(self._prepare(key, version))
            known.add_done_callback(lambda done: self._forget_failed(key, done))
        if known.done():
            return known.result()
        return await asyncio.shield(known)  # shared: one caller that is cancelled takes nobody else's code away

    def _forget_failed(self, key: str, prepared: asyncio.Future[FunctionSpec]) -> None:
        """So that the next call tries again."""
        if (prepared.cancelled() or prepared.exception() is not None) and self._specs.get(key) is prepared:
            del self._specs[key]

    async def _prepare(self, key: str, version: FunctionVersion) -> FunctionSpec:
        code_dir = await self._unpacked(version.code_digest, version)
        layers_dir = await self._layers(version)
        return FunctionSpec(
            key=key,
            name=version.function_name,
            version=version.version,
            arn=version.function_arn,
            account_id=version.account_id,
            region=version.region,
            runtime=version.runtime,
            handler=version.handler,
            code_dir=code_dir,
            memory_mb=version.memory_size,
            timeout_s=version.timeout,
            environment=version.environment.variables if version.environment else {},
            log_group=version.logging_config.log_group or f"/aws/lambda/{version.function_name}",
            ephemeral_storage_mb=version.ephemeral_storage.size,
            layers_dir=layers_dir,
        )

    async def _layers(self, version: FunctionVersion) -> Path | None:
        """The folder with all that the version's layers hold."""
        digests = version.layer_digests
        if not digests:
            return None
        merged = self._code_root / merged_name(digests)
        if not merged.is_dir():
            folders = [await self._unpacked(digest, version) for digest in digests]
            await asyncio.to_thread(merge, folders, merged)
        return merged

    async def _unpacked(self, sha256: str, version: FunctionVersion) -> Path:
        folder = self._code_root / sha256
        if folder.is_dir():
            return folder
        code = await self._fetch_code(sha256)
        if code is None:
            raise RuntimeError(f"the code {sha256} of {version.function_arn} is not in the store")
        return await asyncio.to_thread(unpack, code, self._code_root)


def spec_key(version: FunctionVersion) -> str:
    """One version at one revision: what is changed runs in new environments."""
    return f"{version.function_arn}:{version.version}:{version.revision_id}"
