"""Segments over UDP, as the X-Ray SDKs send them: a header line, then the document. Nothing is answered."""

import asyncio
import logging
from typing import Final

import orjson

from headgate.model.scope import Scope
from headgate.telemetry.traces.segments import BadSegment, parse_segment
from headgate.telemetry.traces.store import TraceStore

_log = logging.getLogger("headgate.traces")

_HOST: Final = "127.0.0.1"


class XrayDaemon(asyncio.DatagramProtocol):
    """What functions find at AWS_XRAY_DAEMON_ADDRESS. Whose a segment is says its trace."""

    def __init__(self, traces: TraceStore, account_id: str) -> None:
        """`account_id` is whose traces are that only the daemon has heard of."""
        self._traces = traces
        self._scope = Scope(account_id=account_id, region="")
        self.refused = 0
        """Packets that held no segment."""

    def __repr__(self) -> str:
        return f"<XrayDaemon, {self.refused} packets refused>"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002  the protocol's
        header, _, document = data.partition(b"\n")
        try:
            if orjson.loads(header).get("format") != "json":
                raise BadSegment("ParseError", "the header's format is not json")
            segment = parse_segment(document)
        except (orjson.JSONDecodeError, AttributeError, BadSegment) as error:
            self.refused += 1
            _log.debug("a packet of the X-Ray daemon's port holds no segment: %s", error)
            return
        self._traces.put(self._scope, segment, len(document))


async def listen(daemon: XrayDaemon, port: int) -> tuple[asyncio.DatagramTransport, int]:
    """Its socket and port; 0 picks a free one. Raises OSError."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: daemon, local_addr=(_HOST, port))
    return transport, transport.get_extra_info("sockname")[1]
