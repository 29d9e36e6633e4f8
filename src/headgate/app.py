"""Wires the parts; the only module that knows them all. Begin reading here.

A request:  server.http1 -> dataplane.pipeline.serve -> functions or server.http_client
A change:   server.control_app -> control.dispatch -> store, which calls control.publishing before and after its commit
"""

import asyncio
import gc
import logging
import os
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Final

import uvicorn

from headgate import __version__
from headgate.control import apigateway, cloudwatch, lambda_, logs, sts, xray
from headgate.control.cloudwatch.alarms import Alarms
from headgate.control.code_links import CodeLinks
from headgate.control.dispatch import Dispatcher, OwnService
from headgate.control.function_service import FunctionService
from headgate.control.function_traces import FunctionTracer
from headgate.control.lambda_.event_queue import EventLimits, EventQueue
from headgate.control.lambda_.ports import Invoked, Streamed
from headgate.control.old_code import COLLECT_EVERY_S, delete_old_code, discard_old_folders
from headgate.control.polling.poller import Functions as PollerFunctions
from headgate.control.polling.poller import Pace
from headgate.control.polling.pollers import Pollers
from headgate.control.publishing import Publisher
from headgate.dataplane.compile_witness import Telling
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.dataplane.mirror import Mirrors
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import Functions, HttpClient
from headgate.dataplane.signature import verifier
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.functions import isolation
from headgate.functions.directory import FunctionDirectory
from headgate.functions.runtime import FunctionRuntime, RuntimeLimits, Runtimes
from headgate.model.arn import FunctionRef, parse_function_arn
from headgate.model.call import Call, HttpAnswer
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import FunctionVersion
from headgate.model.provisioned import Provisioned
from headgate.model.scope import Scope
from headgate.server.aws_calls import call_aws
from headgate.server.bridge import MotoBridge
from headgate.server.cloudwatch_ports import AlarmPorts, CloudWatchService
from headgate.server.control_app import ControlApp
from headgate.server.deployment_pages import DeploymentPages
from headgate.server.forward import EndpointForwarder
from headgate.server.http_client import HttpPools
from headgate.server.http_client_pool import PoolLimits
from headgate.server.http_limits import HttpLimits
from headgate.server.listener import GatewayServer
from headgate.server.metrics_pages import MetricsPages
from headgate.server.releases import ServerReleases
from headgate.server.traces import TracePart
from headgate.settings import Settings
from headgate.store.folder import DataFolder, DataFolderError
from headgate.store.key import find_key
from headgate.store.metric_database import NewerDatabase
from headgate.store.metric_store import DATABASE as METRICS_DATABASE
from headgate.store.metric_store import MetricStore, Taken
from headgate.store.release_store import DATABASE as RELEASES_DATABASE
from headgate.store.release_store import StateFileError
from headgate.store.sealing import Sealed
from headgate.store.sqlite import SqliteStore
from headgate.telemetry import function_metrics, gateway_metrics
from headgate.telemetry.database_file import DatabaseFileError
from headgate.telemetry.exposition import Totals
from headgate.telemetry.insights.queries import Queries
from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_deliveries import Deliveries
from headgate.telemetry.log_filters import Observed
from headgate.telemetry.log_store import Busy, LogBounds, LogStore
from headgate.telemetry.log_tail import LogTail
from headgate.telemetry.log_writing import now_ms
from headgate.telemetry.metric_sink import GatheredMetrics
from headgate.wire.services import load

_log = logging.getLogger("headgate")

_GC_THRESHOLDS: Final = (20_000, 20, 50)

_BACKLOG: Final = 2_048  # connections that wait to be accepted
_ENDPOINT_ANSWER_BYTES: Final = 256 * 1024 * 1024  # objects of S3 are larger than what an API's backend may answer
_LONG_POLL_S: Final = 5  # that a receive waits for a message: a stop waits for it too
_MIB: Final = 1024 * 1024
_EPHEMERAL_GROUP_MIB: Final = 64  # of events that a log group keeps with --ephemeral
_LOG_SWEEP_S: Final = 10.0
_LEFT_CALLS_S: Final = 5.0  # at most, at a stop, for function calls whose clients are gone


class StartError(Exception):
    """The server cannot start; the message is one line for whoever started it."""


class Server:
    """A running Headgate: `start` it, wait, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        self.settings: Final = settings
        self.port = settings.port
        self.gateway_port = settings.gateway_port
        self._started_at = time.time()
        self._stages = Stages()
        self._buckets = Buckets()
        self._meters = Meters()
        self._mirrors = Mirrors()
        self._function_meters = function_metrics.FunctionMeters()
        self._directory = FunctionDirectory(settings.concurrency)
        self._function_urls = FunctionUrls()
        self._code_links = CodeLinks()
        self._alarms = Alarms()

    def __repr__(self) -> str:
        return f"<Server control :{self.port}, gateway :{self.gateway_port}, {self._stages}>"

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def ephemeral(self) -> bool:
        return self.settings.ephemeral

    @property
    def gateway_url(self) -> str:
        return _url(self.settings.gateway_host, self.gateway_port)

    async def start(self) -> None:
        """Serve. The listeners are bound first, so that a port in use is found before anything is touched.

        Raises StartError.
        """
        settings = self.settings
        self._control_socket = _bind(settings.host, settings.port)
        self.port = self._control_socket.getsockname()[1]
        gateway_socket = _bind(settings.gateway_host, settings.gateway_port)
        self.gateway_port = gateway_socket.getsockname()[1]

        isolated = await asyncio.to_thread(self._isolation)
        self._root = Path(tempfile.mkdtemp(prefix="headgate-")) if settings.ephemeral else settings.data.resolve()
        try:
            self._folder = DataFolder(self._root)
        except DataFolderError as error:
            raise StartError(str(error)) from error
        self._publisher = Publisher(
            self._stages,
            self._directory,
            self._buckets,
            self._meters,
            self._retire,
            self._keep_started,
            self._function_urls,
            self._poll,
            self._mirrors,
        )
        place = isolation.workplace(self._root, isolated)
        prepare = self._alarms.beside(self._publisher.prepare)
        self._store = SqliteStore(self._folder.database, prepare, durable=not settings.ephemeral)
        self._store.sealing = Sealed(await self._key())
        self._metric_sink = GatheredMetrics(time.time)
        self._start_logs()
        self.log_tail = LogTail(self._log_buffer)
        try:
            await self._traces.start(settings.xray_port)
        except OSError as error:
            raise StartError(f"cannot listen on UDP port {settings.xray_port}: {error.strerror or error}") from error
        self._runtime = FunctionRuntime(
            work_dir=place / "run",
            logs=self.log_tail,
            limits=RuntimeLimits(
                max_environments=settings.max_environments, drain_s=min(settings.drain_s, _LEFT_CALLS_S)
            ),
            endpoint_url=_url(settings.host, self.port),
            xray_address=f"127.0.0.1:{self._traces.daemon_port}",
            runtimes=Runtimes(settings.interpreters, isolated),
            isolation=isolated,
        )
        self._function_service = FunctionService(
            self._directory,
            self._runtime,
            place / "code",
            lambda sha256: self._store.read(lambda tx: tx.get_blob(sha256)),
            self._function_meters,
        )
        self._function_service.tracer = FunctionTracer(self._traces.own)
        self._totals = Totals()
        try:
            self._metrics = MetricStore(
                self._root / METRICS_DATABASE,
                (self._take_requests, self._take_function_calls, self._metric_sink.take),
                self._totals.add,
            )
        except NewerDatabase as error:
            raise StartError(f"{self._root / METRICS_DATABASE} has {error}") from error
        self._http = HttpPools()
        self._endpoint_http = HttpPools(PoolLimits(body_bytes=_ENDPOINT_ANSWER_BYTES))
        if settings.otlp_endpoint:
            self._traces.export_to(settings.otlp_endpoint, self._endpoint_http)
        self._bridge = MotoBridge(settings.endpoints, EndpointForwarder(self._endpoint_http))
        self._pollers = Pollers(
            partial(call_aws, self._bridge),
            PollerFunctions(is_there=self._function_service.exists, invoke=self._invoke_for_queue),
            # A receive that waits would hold up all that moto is asked for: it has one thread.
            Pace(wait_s=_LONG_POLL_S) if "sqs" in settings.endpoints else Pace(),
        )
        self._events = EventQueue(
            self._store, self._function_service, self._bridge, EventLimits(retry_delays_s=settings.event_retry_s)
        )
        (await self._store.read(self._publisher.load))()
        await self._events.load()
        in_use = await self._store.write(delete_old_code)
        await asyncio.to_thread(discard_old_folders, place / "code", in_use)
        self._housekeeping = asyncio.create_task(self._delete_old_code())
        self._log_sweeps = asyncio.create_task(self._sweep_logs())

        if self._directory:
            self._runtime.start_spare()  # the first call of a function after a restart then need not wait for one
        self._ports = GatewayPorts(
            self._http,
            self._function_service,
            self._function_urls,
            verifier(*settings.function_url_key.partition(":")[::2], "lambda"),
        )
        self._gateway = GatewayServer(self.answer, HttpLimits(), _log_defect)
        await self._gateway.start(settings.gateway_host, self.gateway_port, sock=gateway_socket)
        await self._start_control()
        self._events.start()  # now that the functions can reach the control plane
        alarm_ports = AlarmPorts(
            self._bridge,
            self._endpoint_http,
            settings.alarm_webhooks,
            self._directory.permits_service,
            self._events.put,
            has_own_topics="sns" not in settings.endpoints,
        )
        await self._alarms.start(self._store, self._metrics, alarm_ports)
        self._releases.start()

    async def _key(self) -> bytes:
        """What secrets are sealed with. Raises StartError."""
        key_file = Path(self.settings.key_file) if self.settings.key_file else None
        try:
            return await self._store.write(lambda tx: find_key(tx, self._root, self.settings.key, key_file))
        except DataFolderError as error:
            self._store.close()
            self._folder.close()
            raise StartError(str(error)) from error

    def answer(self, call: Call) -> Coroutine[Any, Any, HttpAnswer]:
        """The gateway's handler."""
        return serve(call, self._stages, self._ports)

    async def stop(self) -> None:
        """Take nothing new, answer what was taken, end every process, close the store."""
        self._housekeeping.cancel()
        await self._releases.close()
        self.log_tail.close()
        self._log_sweeps.cancel()
        self._control.should_exit = True
        left_s = min(self.settings.drain_s, _LEFT_CALLS_S)
        await asyncio.gather(
            self._control_task, self._gateway.drain(self.settings.drain_s), self._pollers.close(left_s)
        )
        await self._alarms.stop()
        await self._mirrors.close()
        await self._events.stop(left_s)
        await self._runtime.close()
        await self._traces.close()
        self._http.close()
        self._endpoint_http.close()
        await self._close_logs()
        await self._metrics.close()
        self._bridge.close()
        self._store.close()
        await asyncio.to_thread(isolation.leave, self._root)
        self._folder.close()
        if self.ephemeral:
            await asyncio.to_thread(shutil.rmtree, self._root, ignore_errors=True)

    def _isolation(self) -> isolation.Isolation:
        """How functions are kept apart. Raises StartError."""
        settings = self.settings
        try:
            return isolation.choose(
                sandbox=settings.sandbox,
                network=settings.function_network,
                user=settings.function_user,
                data=settings.data.resolve(),
            )
        except isolation.IsolationError as error:
            raise StartError(str(error)) from error

    async def _delete_old_code(self) -> None:
        while True:
            await asyncio.sleep(COLLECT_EVERY_S)
            await self._store.write(delete_old_code)

    async def reset(self) -> None:
        """Back to empty, the bridge included. Only an ephemeral server is asked to."""
        await self._store.write(lambda tx: tx.clear())
        self._events.clear()
        await self._log_buffer.flush()
        await self._log_store.clear()
        await self._traces.clear()
        await self._bridge.reset()
        await self._metrics.clear()

    def _take_requests(self) -> Taken:
        seen, sessions = self._meters.take(), self._meters.take_sessions()
        return lambda at: gateway_metrics.samples_of(seen, at) + gateway_metrics.session_samples_of(sessions, at)

    def _take_function_calls(self) -> Taken:
        seen = self._function_meters.take()
        return lambda at: function_metrics.samples_of(seen, at)

    def _gauges(self) -> dict[str, float]:
        """What `GET /metrics` tells of the process itself."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return {
            "headgate_revision": self.revision,
            "headgate_gateway_connections": self._gateway.connections,
            "headgate_log_events_dropped": self._log_buffer.dropped,
            **self._traces.gauges,
            "headgate_metric_points_lost": self._metrics.lost + self._metric_sink.lost,
            "process_resident_memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
            "process_start_time_seconds": self._started_at,
        }

    async def code(self, path: str, query: str) -> bytes | None:
        """The zip that a link opens; None where the link is not valid."""
        digest = self._code_links.opened_by(path, query, time.time())
        return None if digest is None else await self._store.read(lambda tx: tx.get_blob(digest))

    def _start_logs(self) -> None:
        settings = self.settings
        bounds = LogBounds(settings.log_max_mib * _MIB, _EPHEMERAL_GROUP_MIB * _MIB if settings.ephemeral else None)
        try:
            self._log_store = LogStore(
                self._root / "logs.db", bounds=bounds, durable=not settings.ephemeral, observed=self._observe_logs
            )
        except DatabaseFileError as error:
            raise StartError(str(error)) from error
        self._log_buffer = LogBuffer(self._log_store, self._metric_sink)
        self._log_buffer.start()
        try:
            self._traces = TracePart(
                self._root,
                max_bytes=settings.trace_max_mib * _MIB,
                durable=not settings.ephemeral,
                account_id=settings.account_id,
            )
        except DatabaseFileError as error:
            raise StartError(str(error)) from error
        self._publisher.telling = Telling(self._log_buffer, secrets.token_hex(16), self._traces.own)
        self._log_deliveries = Deliveries(self._deliver_logs)
        self._log_queries = Queries(self._log_store.database)

    def _observe_logs(self, observed: Observed) -> None:
        """What metric filters and subscription filters made of new events."""
        self._metric_sink.put(observed.metrics)
        self._log_deliveries.put(observed.deliveries)

    async def _deliver_logs(self, function_arn: str, payload: bytes) -> None:
        function = parse_function_arn(function_arn)
        if function is not None:
            await self._function_service.invoke_by_hand(function, payload, client_context="", want_log_tail=False)

    async def _sweep_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_SWEEP_S)
            try:
                await self._log_store.sweep(now_ms())
            except (Busy, sqlite3.Error) as error:
                _log.warning("old log events are not deleted: %s", error)

    async def _close_logs(self) -> None:
        await self._log_deliveries.close()
        await self._log_queries.close()
        await self._log_buffer.close()
        self._log_store.close()

    def _retire(self, version: FunctionVersion) -> None:
        self._function_service.retire(version)

    def _keep_started(self, version: FunctionVersion, environments: int) -> None:
        self._function_service.keep_started(version, environments)

    def _poll(self, uuid: str, mapping: EventSourceMapping | None) -> None:
        self._pollers.publish(uuid, mapping)

    async def _invoke_for_queue(self, function: FunctionRef, event: bytes) -> Invoked:
        return await self._function_service.invoke_by_hand(function, event, client_context="", want_log_tail=False)

    def _code_location(self, digest: str, now: float) -> str:
        return _url(self.settings.host, self.port) + self._code_links.path(digest, now)

    def _function_url(self, url_id: str, region: str) -> str:
        return f"http://{url_id}.lambda-url.{region}.localhost:{self.gateway_port}/"

    def _start_releases(self) -> None:
        settings = self.settings
        try:
            self._releases = ServerReleases(
                self._root / RELEASES_DATABASE, _url(settings.host, self.port), commands=settings.release_commands
            )
        except StateFileError as error:
            raise StartError(str(error)) from error

    async def _start_control(self) -> None:
        self._start_releases()
        dispatcher = Dispatcher(
            services=load(("apigateway", "lambda", "cloudwatch", "logs", "xray", "sts")),
            own={
                "apigateway": OwnService(apigateway.OPERATIONS),
                "lambda": OwnService(
                    lambda_.OPERATIONS,
                    ports=_LambdaPorts(
                        self._store,
                        self._function_service,
                        self._events,
                        self._bridge,
                        self.settings,
                        self._runtime.limits,
                        self._code_location,
                        self._function_url,
                        self._runtime.runtimes,
                    ),
                ),
                "cloudwatch": OwnService(
                    cloudwatch.OPERATIONS,
                    ports=CloudWatchService(self._store, self._metrics, self.settings.alarm_webhooks),
                ),
                "logs": OwnService(
                    logs.OPERATIONS,
                    ports=_LogsPorts(self._log_store, self._log_buffer, self._log_queries, self._directory),
                ),
                "xray": OwnService(xray.OPERATIONS, ports=self._traces.ports),
                "sts": OwnService(sts.OPERATIONS, bridged_otherwise=True),
            },
            store=self._store,
            bridge=self._bridge,
            default_account=self.settings.account_id,
        )
        config = uvicorn.Config(
            ControlApp(
                dispatcher,
                self.answer,
                self,
                self.port,
                MetricsPages(self._metrics, self._totals, self._gauges, self._mirrors),
                self._releases.pages,
                DeploymentPages(self._store, self.settings.account_id, self._releases.open_on),
            ),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=ceil(self.settings.drain_s),
        )
        self._control = _ControlListener(config)
        self._control_task = asyncio.create_task(self._control.serve(sockets=[self._control_socket]))
        await self._control.listening.wait()


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

    def draw(self) -> float:
        return random.random() * 100.0

    def now(self) -> float:
        return time.monotonic()


class _LambdaPorts:
    """What Lambda's operations need; see `control.lambda_.ports`."""

    def __init__(
        self,
        store: SqliteStore,
        functions: FunctionService,
        events: EventQueue,
        bridge: MotoBridge,
        settings: Settings,
        limits: RuntimeLimits,
        code_location: Callable[[str, float], str],
        function_url: Callable[[str, str], str],
        runtimes: Runtimes,
    ) -> None:
        self.store: Final = store
        self.concurrency: Final = settings.concurrency
        self.max_provisioned: Final = limits.max_provisioned
        self.code_location: Final = code_location
        self.function_url: Final = function_url
        self._functions = functions
        self._events = events
        self._bridge = bridge
        self._account_id = settings.account_id
        self._runtimes = runtimes

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

    async def call_aws(self, service: str, operation: str, params: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        return await call_aws(self._bridge, service, operation, params, scope)


class _LogsPorts:
    """What CloudWatch Logs' operations work on; see `control.logs.ports`."""

    def __init__(self, store: LogStore, buffer: LogBuffer, queries: Queries, directory: FunctionDirectory) -> None:
        self.logs: Final = store
        self.buffer: Final = buffer
        self.queries: Final = queries
        self.may_deliver: Final = directory.permits_logs


class _ControlListener(uvicorn.Server):
    """uvicorn as a part of this process: signals are the process's own business."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends at once."""
    server = Server(settings)
    await server.start()
    print(  # for whoever started it, on standard output; the log goes to standard error
        f"Headgate {__version__}\n"
        f"  control plane  {_url(settings.host, server.port)}   (AWS_ENDPOINT_URL)\n"
        f"  gateway        {_url(settings.gateway_host, server.gateway_port)}/_aws/execute-api/{{apiId}}/{{stage}}/\n"
        f"  data           {'nothing is kept (--ephemeral)' if settings.ephemeral else settings.data.resolve()}",
        flush=True,
    )
    # What the start has made stays: the collector need not look at it again, nor at each few hundred new objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: os._exit(130) if stopping.is_set() else stopping.set())
    await stopping.wait()
    await server.stop()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError.

    It listens at once: of two servers that start together both can bind an address, and one can listen on it. Who
    connects before the server is ready waits for its answer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from error
    listener.setblocking(False)
    return listener


def _log_defect(error: BaseException, request_id: str) -> None:
    _log.error("request %s failed", request_id, exc_info=error)
