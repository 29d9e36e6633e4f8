"""The outside acts that parts declare as protocols, each given by the parts that can do them."""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate.control.lambda_.ports import Invoked, Streamed
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.dataplane.ports import Functions, HttpClient
from headgate.functions.directory import FunctionDirectory
from headgate.model.arn import FunctionRef
from headgate.model.call import Call
from headgate.model.function import FunctionVersion
from headgate.model.provisioned import Provisioned
from headgate.model.scope import Scope
from headgate.server.aws_calls import call_aws
from headgate.server.bridge import MotoBridge
from headgate.settings import Settings
from headgate.store.sqlite import SqliteStore
from headgate.telemetry.insights.queries import Queries
from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_store import LogStore
from headgate.wiring.functions import FunctionPart


class GatewayPorts:
    """The outside acts of a request; see `dataplane.ports.Ports`."""

    __slots__ = ("function_urls", "functions", "http", "verify_signature")

    def __init__(
        self,
        http: HttpClient,
        functions: Functions,
        function_urls: FunctionUrls,
        verify_signature: Callable[[Call, str], str | None],
    ) -> None:
        self.http: Final = http
        self.functions: Final = functions
        self.function_urls: Final = function_urls
        self.verify_signature: Final = verify_signature

    now = staticmethod(time.monotonic)  # asked four times a request: no call around the call

    def draw(self) -> float:
        return random.random() * 100.0


class LambdaService:
    """What Lambda's operations need; see `control.lambda_.ports`."""

    def __init__(
        self, store: SqliteStore, functions: FunctionPart, bridge: MotoBridge, settings: Settings, gateway_port: int
    ) -> None:
        self.store: Final = store
        self.concurrency: Final = settings.concurrency
        self.max_provisioned: Final = functions.runtime.limits.max_provisioned
        self.code_location: Final = functions.code_location
        self._functions = functions.service
        self._events = functions.events
        self._bridge = bridge
        self._account_id = settings.account_id
        self._runtimes = functions.runtime.runtimes
        self._gateway_port = gateway_port

    async def invoke(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Invoked:
        return await self._functions.invoke_by_hand(
            function, payload, client_context=client_context, want_log_tail=want_log_tail
        )

    async def invoke_streaming(
        self, function: FunctionRef, payload: bytes, *, client_context: str, want_log_tail: bool
    ) -> Streamed:
        return await self._functions.stream_by_hand(
            function, payload, client_context=client_context, want_log_tail=want_log_tail
        )

    async def invoke_later(self, function: FunctionRef, payload: bytes, *, client_context: str) -> str:
        return await self._events.put(function, payload, client_context=client_context)

    def provisioned(self, version: FunctionVersion) -> Provisioned:
        return self._functions.provisioned(version)

    async def fetch_object(self, bucket: str, key: str, version_id: str | None) -> bytes:
        scope = Scope(account_id=self._account_id, region="us-east-1")
        return await self._bridge.fetch_object(bucket, key, version_id, scope)

    def supports_runtime(self, runtime: str) -> bool:
        return self._runtimes.supports(runtime)

    def missing_for(self, runtime: str) -> str:
        return self._runtimes.missing(runtime)

    def function_url(self, url_id: str, region: str) -> str:
        return f"http://{url_id}.lambda-url.{region}.localhost:{self._gateway_port}/"

    async def call_aws(self, service: str, operation: str, params: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        return await call_aws(self._bridge, service, operation, params, scope)


class LogsService:
    """What CloudWatch Logs' operations work on; see `control.logs.ports`."""

    def __init__(self, store: LogStore, buffer: LogBuffer, queries: Queries, directory: FunctionDirectory) -> None:
        self.logs: Final = store
        self.buffer: Final = buffer
        self.queries: Final = queries
        self.may_deliver: Final = directory.permits_logs
