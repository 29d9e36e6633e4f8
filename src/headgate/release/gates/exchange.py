"""One request and its answer, whole within a deadline, and ended at once when nobody waits for it any more."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final

from headgate.release.failures import Unavailable
from headgate.release.gates.cancelled import LOOK_S, Cancelled
from headgate.release.gates.connection import Answer, Connection
from headgate.release.gates.target import Target, request_bytes

KEPT_BYTES: Final = 65_536  # of a body; more is not read


def ask(
    method: str,
    target: Target,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    timeout_s: float,
    cancelled: threading.Event,
) -> Answer:
    """Send one request over a connection of its own; redirects are not followed.

    Raises Refused (it cannot be sent), Unavailable (no answer, or none in time) and Cancelled.
    """
    if cancelled.is_set():
        raise Cancelled
    request = request_bytes(method, target, headers, body)
    # Not asyncio.run, which would wait for the lookup of a name that nobody wants any more.
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(_ask(target, request, timeout_s, cancelled))


async def _ask(target: Target, request: bytes, timeout_s: float, cancelled: threading.Event) -> Answer:
    deadline = time.monotonic() + timeout_s
    exchange = asyncio.ensure_future(_exchange(target, request))
    try:
        while not exchange.done():
            if cancelled.is_set():
                raise Cancelled
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(f"{target.origin} gave no answer within {timeout_s:g} s")
            await asyncio.wait({exchange}, timeout=min(left, LOOK_S))
        return exchange.result()
    finally:
        exchange.cancel()
        await asyncio.wait({exchange})


async def _exchange(target: Target, request: bytes) -> Answer:
    connection = await connect(target, target.host, Connection(KEPT_BYTES, cut=True), tls_of(target))
    try:
        return await connection.begin(request)
    except Unavailable as error:
        raise Unavailable(f"{target.origin}: {error}") from error
    finally:
        connection.abort()
        await asyncio.sleep(0)  # in which the loop lets go of the socket


async def connect(target: Target, host: str, connection: Connection, context: ssl.SSLContext | None) -> Connection:
    """Open a connection to `host`, which is the target's or an address of it. Raises Unavailable."""
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection, host, target.port, ssl=context, server_hostname=target.host if context else None
        )
    except OSError as error:
        raise Unavailable(f"{target.origin}: {_reason(error)}") from error
    return connection


def tls_of(target: Target) -> ssl.SSLContext | None:
    return ssl.create_default_context() if target.scheme == "https" else None


def _reason(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "connection refused"
        case socket.gaierror():
            return "the name of the host is not known"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"no TLS: {error.reason or error}"
        case _:
            return error.strerror or str(error) or type(error).__name__
