"""The server: starts, serves and stops. It and `wiring` alone know all the parts. Begin reading here.

A request:  server.http1 -> dataplane.pipeline.serve -> functions or server.http_client
A change:   server.control_app -> control.dispatch -> store, which calls control.publishing before and after its commit
"""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from headgate import __version__
from headgate.control.cloudwatch.alarms import Alarms
from headgate.control.publishing import Publisher
from headgate.dataplane.mirror import Mirrors
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.signature import verifier
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.functions.isolation import Isolation
from headgate.model.call import Call, HttpAnswer
from headgate.server.bridge import MotoBridge
from headgate.server.cloudwatch_ports import AlarmPorts
from headgate.server.control_app import ControlApp
from headgate.server.deployment_pages import DeploymentPages
from headgate.server.descriptors import allow_many
from headgate.server.forward import EndpointForwarder
from headgate.server.http_client import HttpPools
from headgate.server.http_client_pool import PoolLimits
from headgate.server.http_limits import HttpLimits
from headgate.server.listener import GatewayServer
from headgate.server.metrics_pages import MetricsPages
from headgate.settings import Settings
from headgate.telemetry.log_tail import LogTail
from headgate.wiring.functions import LEFT_CALLS_S, FunctionPart
from headgate.wiring.listening import ControlListener, bind, url_of
from headgate.wiring.ports import GatewayPorts
from headgate.wiring.releases import open_releases
from headgate.wiring.services import dispatcher
from headgate.wiring.state import State
from headgate.wiring.telemetry import TelemetryPart

_log = logging.getLogger("headgate")

_GC_THRESHOLDS: Final = (20_000, 20, 50)

_ENDPOINT_ANSWER_BYTES: Final = 256 * 1024 * 1024  # objects of S3 are larger than what an API's backend may answer


async def run(settings: Settings, isolated: Future[Isolation]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends at once.

    `isolated` is what keeps functions apart, which is found out meanwhile: see `wiring.state.choose_isolation`.
    """
    allow_many()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):  # before the start, which answers before it has ended
        loop.add_signal_handler(number, lambda: os._exit(130) if stopping.is_set() else stopping.set())
    server = Server(settings)
    await server.start(isolated)
    print(  # for whoever started it, on standard output; the log goes to standard error
        f"Headgate {__version__}\n"
        f"  control plane  {server.control_url}   (AWS_ENDPOINT_URL)\n"
        f"  gateway        {server.gateway_url}/_aws/execute-api/{{apiId}}/{{stage}}/\n"
        f"  data           {'nothing is kept (--ephemeral)' if settings.ephemeral else settings.data.resolve()}",
        flush=True,
    )
    # What the start has made stays: the collector need not look at it again, nor at each few hundred new objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    await stopping.wait()
    await server.stop()


class Server:
    """A running Headgate: `start` it, wait, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        self.settings: Final = settings
        self.port = settings.port
        self.gateway_port = settings.gateway_port
        self._started_at = time.time()
        self._stages = Stages()
        self._meters = Meters()
        self._mirrors = Mirrors()
        self._functions = FunctionPart(settings)
        self._alarms = Alarms()
        self._publisher = Publisher(
            self._stages,
            self._functions.directory,
            Buckets(),
            self._meters,
            self._functions,
            self._functions.urls,
            self._mirrors,
        )

    def __repr__(self) -> str:
        return f"<Server control :{self.port}, gateway :{self.gateway_port}, {self._stages}>"

    async def start(self, isolating: Future[Isolation]) -> None:
        """Serve. The listeners are bound first, so that a port in use is found before anything is touched.

        Raises StartError.
        """
        settings = self.settings
        control_socket = bind(settings.host, settings.port)
        self.port = control_socket.getsockname()[1]
        gateway_socket = bind(settings.gateway_host, settings.gateway_port)
        self.gateway_port = gateway_socket.getsockname()[1]

        # Where state rests, and what is written as requests and calls run.
        isolated = await asyncio.wrap_future(isolating)
        self._state = State(settings, isolated, self._alarms.beside(self._publisher.prepare))
        await self._state.unlock()
        self._telemetry = TelemetryPart(self._state.folder, settings, self._functions.deliver)
        self._publisher.telling = self._telemetry.telling
        await self._telemetry.listen(settings.xray_port)
        self._functions.make(self._state, self._telemetry, isolated, self.control_url)
        self._telemetry.count(self._meters, self._functions.meters, self._functions.event_meters)

        # What is reached: backends of APIs, and services that are not ours.
        self._http = HttpPools()
        self._endpoint_http = HttpPools(PoolLimits(body_bytes=_ENDPOINT_ANSWER_BYTES))
        if settings.otlp_endpoint:
            self._telemetry.traces.export_to(settings.otlp_endpoint, self._endpoint_http)
        self._bridge = MotoBridge(settings.endpoints, EndpointForwarder(self._endpoint_http))
        self._functions.connect(self._bridge)

        # What is stored is published, then served.
        (await self._state.store.read(self._publisher.load))()
        await self._functions.load()
        self._telemetry.start_sweeping()
        self._ports = GatewayPorts(
            self._http,
            self._functions.service,
            self._functions.urls,
            verifier(*settings.function_url_key.partition(":")[::2], "lambda"),
        )
        self._gateway = GatewayServer(self.answer, HttpLimits(), _log_defect)
        await self._gateway.start(settings.gateway_host, self.gateway_port, sock=gateway_socket)
        self._releases = open_releases(settings, self._state, self.control_url)
        self._control = ControlListener(self._control_app(), settings.drain_s)
        await self._control.start(control_socket)

        # What acts by itself, now that it can reach the control plane.
        self._functions.events.start()
        alarm_ports = AlarmPorts(
            self._bridge,
            self._endpoint_http,
            settings.alarm_webhooks,
            self._functions.directory.permits_service,
            self._functions.events.put,
            has_own_topics="sns" not in settings.endpoints,
        )
        await self._alarms.start(self._state.store, self._telemetry.metrics, alarm_ports)
        self._releases.start()

    def answer(self, call: Call) -> Coroutine[Any, Any, HttpAnswer]:
        """The gateway's handler."""
        return serve(call, self._stages, self._ports)

    async def stop(self) -> None:
        """Take nothing new, answer what was taken, end every process, close the store."""
        left_s = min(self.settings.drain_s, LEFT_CALLS_S)
        # Nothing new is begun, and what was taken is answered.
        self._functions.housekeeping.cancel()
        await self._releases.close()
        self._telemetry.log_tail.close()
        self._telemetry.stop_sweeping()
        self._control.should_exit = True
        await asyncio.gather(
            self._control.ended(),
            self._gateway.drain(self.settings.drain_s),
            self._functions.pollers.close(left_s),
        )
        # What acts by itself, then what it and the requests acted through, and what they wrote to.
        await self._alarms.stop()
        await self._mirrors.close()
        await self._functions.events.stop(left_s)
        await self._functions.runtime.close()
        await self._telemetry.traces.close()
        self._http.close()
        self._endpoint_http.close()
        await self._telemetry.close()
        self._bridge.close()
        await self._state.close()

    def _control_app(self) -> ControlApp:
        """What the control listener serves."""
        settings, store, telemetry = self.settings, self._state.store, self._telemetry
        return ControlApp(
            dispatcher(settings, store, self._functions, telemetry, self._bridge, self.gateway_port),
            self.answer,
            self,
            self.port,
            MetricsPages(telemetry.metrics, telemetry.totals, self._gauges, self._mirrors),
            self._releases.pages,
            DeploymentPages(store, settings.account_id, self._releases.open_on),
        )

    # What the server says of itself; see `server.control_app.Server`.

    @property
    def revision(self) -> int:
        return self._state.store.revision

    @property
    def ephemeral(self) -> bool:
        return self.settings.ephemeral

    @property
    def log_tail(self) -> LogTail:
        return self._telemetry.log_tail

    @property
    def control_url(self) -> str:
        return url_of(self.settings.host, self.port)

    @property
    def gateway_url(self) -> str:
        return url_of(self.settings.gateway_host, self.gateway_port)

    async def code(self, path: str, query: str) -> bytes | None:
        return await self._functions.code(path, query)

    async def reset(self) -> None:
        """Back to empty, the bridge included. Only an ephemeral server is asked to."""
        await self._state.store.write(lambda tx: tx.clear())
        self._functions.events.clear()
        await self._telemetry.clear_logs()
        await self._telemetry.traces.clear()
        await self._bridge.reset()
        await self._telemetry.metrics.clear()

    def _gauges(self) -> dict[str, float]:
        """What `GET /metrics` tells of the process itself."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return {
            "headgate_revision": self.revision,
            "headgate_gateway_connections": self._gateway.connections,
            **self._telemetry.gauges,
            "process_resident_memory_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
            "process_start_time_seconds": self._started_at,
        }


def _log_defect(error: BaseException, request_id: str) -> None:
    _log.error("request %s failed", request_id, exc_info=error)
