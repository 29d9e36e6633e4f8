"""Calling functions: from the published directory to an execution environment, for the gateway and for Invoke."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from headgate.control.lambda_.ports import Invoked
from headgate.dataplane.ports import BackendTimeout, FunctionMissing, FunctionReply, FunctionThrottled
from headgate.functions.bundle import unpack
from headgate.functions.directory import FunctionDirectory
from headgate.functions.runtime import FunctionRuntime, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.function import FunctionVersion
from headgate.model.ids import new_request_id
from headgate.model.invocation import FunctionSpec, Invocation
from headgate.telemetry.function_metrics import FunctionMeters

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
        self._specs: dict[str, asyncio.Future[FunctionSpec]] = {}
        self._draw: Final = random.random

    def permits(self, function: FunctionRef, source_arns: tuple[str, ...]) -> bool:
        return self._directory.permits(function, source_arns)

    async def invoke(self, function: FunctionRef, payload: bytes, trace_id: str, timeout_s: float) -> FunctionReply:
        """The gateway's call; see `dataplane.ports.Functions`."""
        version = self._directory.resolve(function, self._draw())
        if version is None:
            raise FunctionMissing
        spec = await self._spec(version)
        invocation = Invocation(
            request_id=new_request_id(), payload=payload, invoked_arn=function.arn, trace_id=trace_id
        )
        try:
            meter = self._meters.of(function, version.version)
            outcome = await meter.observe(self._runtime.invoke(spec, invocation, timeout_s))
        except Throttled as error:
            raise FunctionThrottled from error
        except TimeoutError as error:
            raise BackendTimeout from error
        return FunctionReply(outcome.payload, outcome.error is not None)

    async def invoke_by_hand(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        """Lambda's Invoke; see `control.lambda_.ports.LambdaPorts.invoke`."""
        version = self._directory.resolve(function, self._draw())
        if version is None:
            raise ApiError("ResourceNotFoundException", f"Function not found: {function.arn}", 404)
        spec = await self._spec(version)
        invocation = Invocation(
            request_id=new_request_id(),
            payload=payload,
            invoked_arn=function.arn,
            client_context=client_context,
            want_log_tail=want_log_tail,
        )
        try:
            meter = self._meters.of(function, version.version)
            outcome = await meter.observe(self._runtime.invoke(spec, invocation))
        except Throttled as error:
            raise ApiError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                429,
                fields={"Reason": "ConcurrentInvocationLimitExceeded"},
            ) from error
        return Invoked(executed_version=version.version, outcome=outcome)

    def retire(self, version: FunctionVersion) -> None:
        """A version was changed or deleted: its environments end."""
        key = spec_key(version)
        self._specs.pop(key, None)
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
        sha256 = version.code_digest
        code_dir = self._code_root / sha256
        if not code_dir.is_dir():
            code = await self._fetch_code(sha256)
            if code is None:
                raise RuntimeError(f"the code {sha256} of {version.function_arn} is not in the store")
            code_dir = await asyncio.to_thread(unpack, code, self._code_root)
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
        )


def spec_key(version: FunctionVersion) -> str:
    """One version at one revision: what is changed runs in new environments."""
    return f"{version.function_arn}:{version.version}:{version.revision_id}"
