"""Functions at work in one server: their environments, their events, the queues polled for them, and their old code."""

import asyncio
import logging
import time
from functools import partial
from typing import Final

from headgate.control.code_links import CodeLinks
from headgate.control.function_service import FunctionService
from headgate.control.function_traces import FunctionTracer
from headgate.control.lambda_.event_queue import EventLimits, EventQueue
from headgate.control.lambda_.ports import Invoked
from headgate.control.old_code import COLLECT_EVERY_S, OldFolders, delete_old_code
from headgate.control.polling.poller import Functions, Pace
from headgate.control.polling.pollers import Pollers
from headgate.dataplane.function_url.published import FunctionUrls
from headgate.functions.directory import FunctionDirectory
from headgate.functions.isolation import Isolation
from headgate.functions.runtime import FunctionRuntime, RuntimeLimits, Runtimes
from headgate.model.arn import FunctionRef, parse_function_arn
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import FunctionVersion
from headgate.server.aws_calls import call_aws
from headgate.server.bridge import MotoBridge
from headgate.settings import Settings
from headgate.telemetry.event_metrics import EventMeters
from headgate.telemetry.function_metrics import FunctionMeters
from headgate.wiring.state import State
from headgate.wiring.telemetry import TelemetryPart

_log = logging.getLogger("headgate.functions")

LEFT_CALLS_S: Final = 5.0  # at most, at a stop, for function calls whose clients are gone
_LONG_POLL_S: Final = 5  # that a receive waits for a message: a stop waits for it too


class FunctionPart:
    """Made with what is published into it; `make`, `connect` and `load` follow, in this order.

    A stop is in several steps, which `app.Server.stop` takes: `housekeeping` is cancelled, then `pollers`, `events` and
    `runtime` are closed.
    """

    def __init__(self, settings: Settings) -> None:
        self.directory: Final = FunctionDirectory(settings.concurrency)
        self.urls: Final = FunctionUrls()
        self.meters: Final = FunctionMeters()
        self.event_meters: Final = EventMeters()
        self._links = CodeLinks()
        self._settings = settings

    def __repr__(self) -> str:
        return f"<FunctionPart {self.directory}>"

    def make(self, state: State, telemetry: TelemetryPart, isolated: Isolation, endpoint_url: str) -> None:
        """What runs a call. `endpoint_url` is the control plane's."""
        settings = self._settings
        self._state = state
        self._endpoint_url = endpoint_url
        self.runtime = FunctionRuntime(
            work_dir=state.functions_place / "run",
            logs=telemetry.log_tail,
            limits=RuntimeLimits(
                max_environments=settings.max_environments, drain_s=min(settings.drain_s, LEFT_CALLS_S)
            ),
            endpoint_url=endpoint_url,
            xray_address=f"127.0.0.1:{telemetry.traces.daemon_port}",
            runtimes=Runtimes(settings.interpreters, isolated),
            isolation=isolated,
        )
        self.service = FunctionService(
            self.directory,
            self.runtime,
            state.functions_place / "code",
            lambda sha256: state.store.read(lambda tx: tx.get_blob(sha256)),
            self.meters,
        )
        self.service.tracer = FunctionTracer(telemetry.traces.own)

    def connect(self, bridge: MotoBridge) -> None:
        """What calls functions for queues, and for who does not wait."""
        settings = self._settings
        self.pollers = Pollers(
            partial(call_aws, bridge),
            Functions(is_there=self.service.exists, invoke=self.call),
            # A receive that waits would hold up all that moto is asked for: it has one thread.
            Pace(wait_s=_LONG_POLL_S) if "sqs" in settings.endpoints else Pace(),
        )
        self.events = EventQueue(
            self._state.store,
            self.service,
            bridge,
            EventLimits(retry_delays_s=settings.event_retry_s),
            meters=self.event_meters,
        )

    async def load(self) -> None:
        """Take up the events that are stored, and delete code that nothing refers to, now and from time to time.

        From here on functions run, so now it is told what keeps them less apart than asked for.
        """
        for each in self.runtime.isolation.lacks:
            _log.warning("%s", each)
        await self.events.load()
        folders = OldFolders(self._state.functions_place / "code")
        in_use = await self._state.store.write(delete_old_code)
        await asyncio.to_thread(folders.discard_all, in_use)
        self.housekeeping = asyncio.create_task(self._delete_old_code(folders))

    async def _delete_old_code(self, folders: OldFolders) -> None:
        while True:
            await asyncio.sleep(COLLECT_EVERY_S)
            try:
                in_use = await self._state.store.write(delete_old_code)
                await folders.discard_unused(in_use, lambda: self.service.folders)
            except Exception:
                _log.exception("old code could not be deleted; it is tried again in %d seconds", COLLECT_EVERY_S)

    # What is published; see `control.publishing.FunctionKeeper`.

    def expect_call(self) -> None:
        self.runtime.start_spare()

    def retire(self, version: FunctionVersion) -> None:
        self.service.retire(version)

    def keep_started(self, version: FunctionVersion, environments: int) -> None:
        self.service.keep_started(version, environments)

    def poll(self, uuid: str, mapping: EventSourceMapping | None) -> None:
        self.pollers.publish(uuid, mapping)

    # Calls that no client waits for.

    async def call(self, function: FunctionRef, event: bytes) -> Invoked:
        return await self.service.invoke_by_hand(function, event, client_context="", want_log_tail=False)

    async def deliver(self, function_arn: str, payload: bytes) -> None:
        """See `telemetry.log_deliveries`."""
        function = parse_function_arn(function_arn)
        if function is not None:
            await self.call(function, payload)

    # Links to code.

    def code_location(self, digest: str, now: float) -> str:
        return self._endpoint_url + self._links.path(digest, now)

    async def code(self, path: str, query: str) -> bytes | None:
        """The zip that a link opens; None where the link is not valid."""
        digest = self._links.opened_by(path, query, time.time())
        return None if digest is None else await self._state.store.read(lambda tx: tx.get_blob(digest))
