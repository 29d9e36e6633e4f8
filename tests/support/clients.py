"""Plain HTTP/1.1 clients that keep their connection, and say exactly what they saw."""

import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from support.server import Answer

TIMEOUT_S: Final = 60


class KeptConnection:
    """One connection, used for one request after the other and never opened anew."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        self._connection.connect()
        self._connection.auto_open = 0

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        headers_seen: dict[str, str] = {}
        for name, value in response.getheaders():
            headers_seen[name] = f"{headers_seen[name]}, {value}" if name in headers_seen else value
        return Answer(response.status, headers_seen, content)

    def close(self) -> None:
        self._connection.close()


class Asking(threading.Thread):
    """Asks over one kept connection until it is told to stop, or until asking fails; keeps what `look` makes of it."""

    def __init__(self, url: str, path: str, look: Callable[[Answer], object]) -> None:
        super().__init__()
        self.seen: dict[object, int] = {}
        self.failure: Exception | None = None
        self._connection = KeptConnection(url)
        self._path = path
        self._look = look
        self._stopping = threading.Event()

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                looked = self._look(self._connection.ask(self._path))
                self.seen[looked] = self.seen.get(looked, 0) + 1
        except Exception as error:
            self.failure = error
        finally:
            self._connection.close()

    def stop(self) -> None:
        self._stopping.set()
        self.join(TIMEOUT_S)


def in_parallel(count: int, act: Callable[[int], object]) -> list[Any]:
    """What `count` threads made of `act(number)`, in order; an exception is what it made, too."""
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = act(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    return results


def wait_until_refused(url: str) -> None:
    """Until the server takes no new connection: it has read the signal that stops it."""
    parts = urlsplit(url)
    while True:
        try:
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass  # it was queued when the listener closed
