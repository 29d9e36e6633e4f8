"""Telemetry at work in one server: logs, traces and metrics; opened, fed, swept and closed."""

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from headgate.dataplane.compile_witness import Telling
from headgate.dataplane.observation import Meters
from headgate.model.metric import Sample
from headgate.server.traces import TracePart
from headgate.settings import Settings
from headgate.store.metric_database import NewerDatabase
from headgate.store.metric_store import DATABASE as METRICS_DATABASE
from headgate.store.metric_store import MetricStore, Taken
from headgate.telemetry import event_metrics, function_metrics, gateway_metrics
from headgate.telemetry.database_file import DatabaseFileError
from headgate.telemetry.event_metrics import EventMeters
from headgate.telemetry.exposition import Totals
from headgate.telemetry.function_metrics import FunctionMeters
from headgate.telemetry.insights.queries import Queries
from headgate.telemetry.log_buffer import LogBuffer
from headgate.telemetry.log_deliveries import Deliver, Deliveries
from headgate.telemetry.log_filters import Observed
from headgate.telemetry.log_store import Busy, LogBounds, LogStore
from headgate.telemetry.log_tail import LogTail
from headgate.telemetry.log_writing import now_ms
from headgate.telemetry.metric_sink import GatheredMetrics
from headgate.wiring.start_error import StartError

_log = logging.getLogger("headgate")

T = TypeVar("T")

_MIB: Final = 1024 * 1024
_EPHEMERAL_GROUP_MIB: Final = 64  # of events that a log group keeps with --ephemeral
_LOG_SWEEP_S: Final = 10.0


class TelemetryPart:
    """What is observed, each kind in a database of its own beside the store's.

    Made on the event loop: then lines and segments are taken. `listen`, `count` and `start_sweeping` follow, each when
    `app.Server.start` is that far.
    """

    def __init__(self, folder: Path, settings: Settings, deliver: Deliver) -> None:
        """`deliver` calls the function that log events are subscribed by. Raises StartError."""
        self._folder = folder
        self._metric_sink = GatheredMetrics(time.time)
        try:
            bounds = LogBounds(settings.log_max_mib * _MIB, _EPHEMERAL_GROUP_MIB * _MIB if settings.ephemeral else None)
            self.log_store: Final = LogStore(
                folder / "logs.db", bounds=bounds, durable=not settings.ephemeral, observed=self._observe_logs
            )
            self.log_buffer: Final = LogBuffer(self.log_store, self._metric_sink)
            self.log_buffer.start()
            self.traces: Final = TracePart(
                folder,
                max_bytes=settings.trace_max_mib * _MIB,
                durable=not settings.ephemeral,
                account_id=settings.account_id,
            )
        except DatabaseFileError as error:
            raise StartError(str(error)) from error
        self.telling: Final = Telling(self.log_buffer, secrets.token_hex(16), self.traces.own)
        self._log_deliveries = Deliveries(deliver)
        self.log_queries: Final = Queries(self.log_store.database)
        self.log_tail: Final = LogTail(self.log_buffer)
        self.totals: Final = Totals()
        self._sweeps: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<TelemetryPart {self.log_buffer}, {self.traces}>"

    async def listen(self, port: int) -> None:
        """Take functions' segments, by UDP. Raises StartError."""
        try:
            await self.traces.start(port)
        except OSError as error:
            raise StartError(f"cannot listen on UDP port {port}: {error.strerror or error}") from error

    def count(self, requests: Meters, function_calls: FunctionMeters, events: EventMeters) -> None:
        """Write what these meters count from now on, once a second. Raises StartError."""
        path = self._folder / METRICS_DATABASE
        sources = (
            _request_samples(requests),
            _samples(function_calls.take, function_metrics.samples_of),
            _samples(events.take, event_metrics.samples_of),
            self._metric_sink.take,
        )
        try:
            self.metrics = MetricStore(path, sources, self.totals.add, memories=requests.take_session_memories)
        except NewerDatabase as error:
            raise StartError(f"{path} has {error}") from error
        requests.remember_sessions(self.metrics.remembered)

    def start_sweeping(self) -> None:
        """Delete log events that are too old or too many, from now on."""
        self._sweeps = asyncio.create_task(self._sweep_logs())

    @property
    def gauges(self) -> dict[str, float]:
        """What was lost, for `GET /metrics`."""
        return {
            "headgate_log_events_dropped": self.log_buffer.dropped,
            **self.traces.gauges,
            "headgate_metric_points_lost": self.metrics.lost + self._metric_sink.lost,
        }

    def stop_sweeping(self) -> None:
        if self._sweeps is not None:
            self._sweeps.cancel()

    async def clear_logs(self) -> None:
        await self.log_buffer.flush()
        await self.log_store.clear()

    async def close(self) -> None:
        """Write what is gathered. The traces are closed before, while they can still be exported."""
        await self._log_deliveries.close()
        await self.log_queries.close()
        await self.log_buffer.close()
        self.log_store.close()
        await self.metrics.close()

    def _observe_logs(self, observed: Observed) -> None:
        """What metric filters and subscription filters made of new events."""
        self._metric_sink.put(observed.metrics)
        self._log_deliveries.put(observed.deliveries)

    async def _sweep_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_SWEEP_S)
            try:
                await self.log_store.sweep(now_ms())
            except (Busy, sqlite3.Error) as error:
                _log.warning("old log events are not deleted: %s", error)


def _request_samples(meters: Meters) -> Callable[[], Taken]:
    def take() -> Taken:
        seen, sessions = meters.take(), meters.take_sessions()
        return lambda at: gateway_metrics.samples_of(seen, at) + gateway_metrics.session_samples_of(sessions, at)

    return take


def _samples(take: Callable[[], T], samples_of: Callable[[T, int], list[Sample]]) -> Callable[[], Taken]:
    """What was counted, taken now, as the points of a second that is told later."""

    def taken() -> Taken:
        seen = take()
        return lambda at: samples_of(seen, at)

    return taken
