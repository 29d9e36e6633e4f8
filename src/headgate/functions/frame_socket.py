"""The server's end of the socket that an environment speaks frames on: bytes in and out, without a rule."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from headgate.functions.python_runtime import frames

_ANSWER_LIMIT_BYTES: Final = frames.MAX_ANSWER_BYTES + frames.ANSWER_HEAD.size
# More would make each read allocate fresh pages from the kernel, which takes longer than the rest of a call.
_READ_BYTES: Final = 65_536

Receive = Callable[[socket.socket], bytes]


class FrameOwner(Protocol):
    """Whom the socket tells what came."""

    def on_frame(self, kind: int, payload: bytes) -> None: ...

    def on_hung_up(self) -> None:
        """The other end is closed."""
        ...

    def on_garbled(self) -> None:
        """What came is no frame."""
        ...


def receive(source: socket.socket) -> bytes:
    """One read, where no descriptors are passed."""
    return source.recv(_READ_BYTES)


class FrameSocket:
    """Whoever makes one closes it. Used from one event loop."""

    __slots__ = ("_loop", "_owner", "_reader", "_receive", "_socket", "_unsent")

    def __init__(self, ours: socket.socket, owner: FrameOwner, receive: Receive) -> None:
        ours.setblocking(False)
        self._socket = ours
        self._owner = owner
        self._receive = receive
        self._reader = frames.FrameReader(_ANSWER_LIMIT_BYTES)
        self._unsent = memoryview(b"")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours.fileno(), self.read)

    def send(self, message: bytes) -> bool:
        """Send a frame, the rest of it later where it does not fit. False when there is nobody to read it."""
        try:
            sent = self._socket.send(message)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False
        if sent < len(message):
            self._unsent = memoryview(message)[sent:]
            self._loop.add_writer(self._socket.fileno(), self._on_writable)
        return True

    def read(self) -> bool:
        """Read what is there once, and tell the owner. False when there is nothing more."""
        if self._socket.fileno() < 0:
            return False
        try:
            received = self._receive(self._socket)
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        if not received:
            self._stop_watching()
            self._owner.on_hung_up()
            return False
        try:
            messages = self._reader.feed(received)
        except frames.FrameError:
            self._owner.on_garbled()
            return False
        for kind, payload in messages:
            self._owner.on_frame(kind, payload)
        return True

    def close(self) -> None:
        """Let go of the socket. Safe to do twice."""
        if self._socket.fileno() >= 0:
            self._stop_watching()
            self._socket.close()

    def _on_writable(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = memoryview(b"")  # it has ended, which reading says too
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())

    def _stop_watching(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        if self._unsent:
            self._unsent = memoryview(b"")
            self._loop.remove_writer(self._socket.fileno())
