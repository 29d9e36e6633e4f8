"""An HTTP server that keeps what is posted to it, for tests to wait for."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

WAIT_S: Final = 60


class Posted(NamedTuple):
    path: str
    headers: dict[str, str]  # by lower-case name
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """What was posted, in order of arrival. It answers with `status`, or not at all while it is `silent`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.status = 200
        self.silent = False
        self.closing = threading.Event()
        self._arrived: queue.Queue[Posted] = queue.Queue()

    def arrive(self, posted: Posted) -> None:
        self._arrived.put(posted)

    def next(self, wanted: Callable[[Posted], bool] = lambda _: True) -> Posted:
        """The next that is wanted; what comes before it is passed over."""
        while not wanted(posted := self._arrived.get(timeout=WAIT_S)):
            pass
        return posted

    def until(self, wanted: Callable[[Posted], bool]) -> list[Posted]:
        """All that comes, up to the first that is wanted and with it."""
        found = [self._arrived.get(timeout=WAIT_S)]
        while not wanted(found[-1]):
            found.append(self._arrived.get(timeout=WAIT_S))
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(_Handler):
        receiver: Receiver

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.receiver = receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def log_message(self, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        silent, status = self.receiver.silent, self.receiver.status
        self.receiver.arrive(Posted(self.path, headers, body))
        if silent:
            self.receiver.closing.wait(WAIT_S)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
