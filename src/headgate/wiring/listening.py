"""Sockets that listen, and the control plane's HTTP server on one of them."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Final

import uvicorn

from headgate.server.control_app import ControlApp
from headgate.wiring.start_error import StartError

_BACKLOG: Final = 2_048  # connections that wait to be accepted


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bind(host: str, port: int) -> socket.socket:
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


class ControlListener(uvicorn.Server):
    """uvicorn as a part of this process: signals are the process's own business."""

    def __init__(self, app: ControlApp, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=ceil(drain_s),
            )
        )
        self._listening = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve from now on; returns once requests are answered."""
        self._serving = asyncio.create_task(self.serve(sockets=[listener]))
        await self._listening.wait()

    async def ended(self) -> None:
        """Returns once what was taken is answered; `should_exit` asks for the end."""
        if self._serving is not None:
            await self._serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
