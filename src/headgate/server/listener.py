"""The gateway's listener: takes connections, sweeps out the slow, and drains."""

import asyncio
import socket
import time
from typing import Final

import msgspec

from headgate.server.http1 import GatewayConnection
from headgate.server.http1_answer import date_line
from headgate.server.http1_connection import Handler, Hub, OnDefect
from headgate.server.http_limits import HttpLimits


class ServerStats(msgspec.Struct, frozen=True):
    """Counts since the start."""

    connections: int  # open now, with those whose client left while its call runs
    accepted: int  # connections
    turned_away: int  # connections beyond the limit
    requests: int  # answered by the handler
    refused: int  # requests refused by the listener itself, those turned away and defects included
    defects: int  # handlers that raised


class GatewayServer:
    """An HTTP/1.1 listener that calls `handler` once per complete request.

    The handler is a coroutine function; it is stepped by hand, see `GatewayConnection`. `on_defect` is given what a
    handler raised, and the request id that the client was told.
    """

    def __init__(self, handler: Handler, limits: HttpLimits, on_defect: OnDefect) -> None:
        self._hub = Hub(handler, limits, on_defect)
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        stats = self.stats
        state = "draining" if self._hub.draining else "serving" if self._server is not None else "not started"
        return f"<GatewayServer :{self._hub.port} {state}, {stats.connections} connections, {stats.requests} requests>"

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._hub.connections)

    @property
    def stats(self) -> ServerStats:
        hub = self._hub
        return ServerStats(
            connections=len(hub.connections),
            accepted=hub.accepted,
            turned_away=hub.turned_away,
            requests=hub.requests + sum(connection.served for connection in hub.connections),
            refused=hub.refused,
            defects=hub.defects,
        )

    async def start(
        self, host: str | None, port: int, *, reuse_port: bool = False, sock: socket.socket | None = None
    ) -> int:
        """Listen on host and port, or on `sock` if given; the bound port. Raises OSError, as when the port is taken."""
        loop = asyncio.get_running_loop()
        if sock is not None:
            self._server = await loop.create_server(lambda: GatewayConnection(self._hub), sock=sock, backlog=_BACKLOG)
        else:
            self._server = await loop.create_server(
                lambda: GatewayConnection(self._hub), host, port, backlog=_BACKLOG, reuse_port=reuse_port
            )
        bound: int = self._server.sockets[0].getsockname()[1]
        self._hub.port = str(bound)
        self._sweeping = loop.call_later(_SWEEP_S, self._sweep_on)
        return bound

    async def drain(self, deadline_s: float) -> None:
        """Stop accepting, answer every request of which a byte was read, and close; after `deadline_s` abort the rest.

        Calls whose client left are waited for too, until the deadline; then they are left to themselves.
        """
        hub = self._hub
        if self._server is not None:
            # Take what the kernel has accepted for us, and read what it holds, before judging who is idle.
            for _ in range(2):
                await asyncio.sleep(0)
            self._server.close()
        hub.draining = True
        for connection in list(hub.connections):
            connection.drain()
        hub.emptied.clear()
        if hub.connections:
            try:
                async with asyncio.timeout(deadline_s):
                    await hub.emptied.wait()
            except TimeoutError:
                for connection in list(hub.connections):
                    connection.abort()
                await asyncio.sleep(0)  # lets them learn of it
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def sweep(self, now: float) -> None:
        """Renew the Date line and judge every connection. `now` is monotonic, in seconds."""
        hub = self._hub
        hub.date_line = date_line(time.time())
        for connection in list(hub.connections):
            connection.sweep(now)

    def _sweep_on(self) -> None:
        loop = asyncio.get_running_loop()
        self.sweep(loop.time())
        self._sweeping = loop.call_later(_SWEEP_S, self._sweep_on)


_SWEEP_S: Final = 1.0
_BACKLOG: Final = 2_048
