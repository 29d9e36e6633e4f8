"""Keep-alive pools of connections to backends, one pool per origin: the `HttpClient` of the data plane."""

import asyncio
import ssl
import time
from typing import Final

from headgate.dataplane.ports import BackendReply, BackendUnreachable, Origin
from headgate.server.http_client_connection import StaleConnection
from headgate.server.http_client_pool import SWEEPS_PER_IDLE_TIME, Deadlines, OriginPool, PoolLimits


class HttpPools:
    """Sends requests over kept connections, the most recently used first.

    A request is sent a second time only if its connection had served before, broke before the first byte of an answer
    (the backend closed it while idle) and the method is idempotent (RFC 9110 section 9.2.2).
    """

    def __init__(self, limits: PoolLimits | None = None) -> None:
        self.limits = limits or PoolLimits()
        self._pools: dict[Origin, OriginPool] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._deadlines = Deadlines()
        self._sweeping: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        idle = sum(len(pool.idle) for pool in self._pools.values())
        return f"<HttpPools {len(self._pools)} origins, {self.connections} connections, {idle} idle>"

    @property
    def connections(self) -> int:
        """Open connections, idle ones included."""
        return sum(len(pool.connections) for pool in self._pools.values())

    async def send(self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float) -> BackendReply:
        """Send one request and give its answer; see `ports.HttpClient.send`."""
        deadline = _now() + timeout_s
        deadlines = self._deadlines
        retries = 1 if method in _IDEMPOTENT else 0
        handed_over_dead = 0
        while True:
            pool = self._pools.get(origin)
            if pool is None:
                pool = self._new_pool(origin)
            connection = pool.idle.pop() if pool.idle else await pool.wait(deadline)
            if not connection.alive:  # it broke between being handed over and this line; nothing was sent
                handed_over_dead += 1
                if handed_over_dead > _DEAD_ENDS:
                    raise BackendUnreachable("the backend closes connections as soon as they are made")
                continue
            connection.deadline = deadline
            deadlines.add(connection)
            try:
                return await connection.begin(head, body, head_only=method == b"HEAD")
            except StaleConnection:
                if retries == 0:
                    raise BackendUnreachable("the backend closed the connection as the request was sent") from None
                retries -= 1
                pool.close_idle()  # the backend has dropped its idle connections; those kept here are not worth trying
            except (asyncio.CancelledError, GeneratorExit):
                connection.abort()  # its answer is nobody's now
                raise
            finally:
                deadlines.discard(connection)

    def close(self) -> None:
        """Close all connections; calls that wait for an answer fail with BackendUnreachable."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for pool in list(self._pools.values()):
            pool.close()
        self._pools.clear()
        self._deadlines.stop()

    def sweep(self) -> None:
        """Close connections that were idle for too long, forget origins that have none. Due four times in `idle_s`."""
        for origin, pool in list(self._pools.items()):
            pool.sweep()
            if pool.unused:
                del self._pools[origin]

    def _new_pool(self, origin: Origin) -> OriginPool:
        context = self._tls_context(verify=origin.verify_tls) if origin.scheme == "https" else None
        pool = self._pools[origin] = OriginPool(origin, self.limits, context, self._deadlines)
        if self._sweeping is None:
            self._sweep_later()
        return pool

    def _sweep_on(self) -> None:
        self.sweep()
        self._sweep_later()

    def _sweep_later(self) -> None:
        period_s = self.limits.idle_s / SWEEPS_PER_IDLE_TIME
        self._sweeping = asyncio.get_running_loop().call_later(period_s, self._sweep_on)

    def _tls_context(self, *, verify: bool) -> ssl.SSLContext:
        # Made when first needed: loading the certificate store takes tens of milliseconds.
        context = self._contexts.get(verify)
        if context is None:
            context = ssl.create_default_context()
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._contexts[verify] = context
        return context


# The clock of asyncio's loops and of uvloop's. Asking for the running loop costs a system call.
_now: Final = time.monotonic

_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
_DEAD_ENDS: Final = 3
