"""Traces at work in one server: the store, the sampling rules in force, the daemon's port, and export if asked for."""

import asyncio
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from headgate import __version__
from headgate.control.xray.ports import XrayPorts
from headgate.control.xray.sampling_rules import load_rules
from headgate.dataplane.ports import BackendReplyTooLarge, BackendTimeout, BackendUnreachable, HttpClient, Origin
from headgate.dataplane.tracing import Traces
from headgate.model.scope import Scope
from headgate.server.xray_daemon import XrayDaemon, listen
from headgate.telemetry.traces.otlp_export import OtlpExport, Send
from headgate.telemetry.traces.sampling import Sampler
from headgate.telemetry.traces.store import TraceStore

DATABASE: Final = "traces.db"
_EXPORT_TIMEOUT_S: Final = 10.0


class TracePart:
    """Made and closed on the event loop's thread. Raises DatabaseFileError."""

    def __init__(self, folder: Path, *, max_bytes: int, durable: bool, account_id: str) -> None:
        self.store: Final = TraceStore(folder / DATABASE, max_bytes=max_bytes, durable=durable)
        self.sampler: Final = Sampler()
        self.ports: Final = XrayPorts(self.store, self.sampler)
        self.own: Final = Traces(self.sampler, self)
        """For the gateway and the functions."""
        self.daemon_port = 0
        self._daemon = XrayDaemon(self.store, account_id)
        self._transport: asyncio.DatagramTransport | None = None
        self._export: OtlpExport | None = None

    def __repr__(self) -> str:
        return f"<TracePart {self.store}, daemon :{self.daemon_port}>"

    async def start(self, daemon_port: int) -> None:
        """Listen for functions' segments. Raises OSError where the port is in use."""
        await load_rules(self.store, self.sampler)
        self._transport, self.daemon_port = await listen(self._daemon, daemon_port)

    def export_to(self, endpoint: str, http: HttpClient) -> None:
        """Send what the server itself traces to a collector, too; `endpoint` without `/v1/traces`."""
        self._export = OtlpExport(_sender(endpoint, http), __version__)

    def put(self, scope: Scope, segment: dict[str, Any]) -> None:
        """See `dataplane.tracing.TraceSink`."""
        self.store.put(scope, segment)
        if self._export is not None:
            self._export.put(segment)

    @property
    def gauges(self) -> dict[str, float]:
        return {
            "headgate_trace_segments_dropped": self.store.dropped,
            "headgate_trace_exports_dropped": 0 if self._export is None else self._export.dropped,
        }

    async def clear(self) -> None:
        await self.store.clear()
        self.sampler.clear()

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._export is not None:
            await self._export.close()
        await self.store.close()


def _sender(endpoint: str, http: HttpClient) -> Send:
    """OTLP over HTTP in its JSON form."""
    parts = urlsplit(endpoint)
    origin = Origin(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    head = (
        f"POST {parts.path.rstrip('/')}/v1/traces HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"User-Agent: headgate/{__version__}\r\nContent-Type: application/json\r\n"
    )

    async def send(body: bytes) -> int:
        whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii")
        try:
            return (await http.send(origin, b"POST", whole, body, _EXPORT_TIMEOUT_S)).status
        except BackendTimeout as error:
            raise TimeoutError(f"{endpoint} did not answer in {_EXPORT_TIMEOUT_S:.0f} s") from error
        except (BackendUnreachable, BackendReplyTooLarge) as error:
            raise OSError(f"{endpoint}: {error}") from error

    return send
