"""A real HTTP backend on a free port, for integrations to call."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_WAIT_S: Final = 30


class Backend:
    """What was asked of it, in order of arrival; and what it is told to do.

    By the first segment of the path: `/echo` answers with what it saw, `/bytes` with the body it got, `/chunked` with
    three chunks, `/status/N` with a status, `/marked` with headers that gateways rename or drop, `/close` with nothing
    and a closed connection, `/cut` with less than it promised, `/hold` only once `release` was called.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.released = threading.Event()
        self._arrived: list[str] = []
        self._changed = threading.Condition()

    def arrive(self, path: str) -> None:
        with self._changed:
            self._arrived.append(path)
            self._changed.notify_all()

    def count(self, prefix: str) -> int:
        """How many requests came for paths that begin so."""
        return sum(path.startswith(prefix) for path in self._arrived)

    def asked(self, prefix: str) -> set[str]:
        """The paths that begin so, each once."""
        with self._changed:
            return {path for path in self._arrived if path.startswith(prefix)}

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order of arrival."""
        return list(self._arrived)

    def wait_for(self, prefix: str, count: int) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count(prefix) >= count, timeout=_WAIT_S), self._arrived

    def release(self) -> None:
        """Let what is held go."""
        self.released.set()


@contextmanager
def serving_backend() -> Iterator[Backend]:
    class Handler(_Handler):
        backend: Backend

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.backend = backend = Backend(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield backend
    finally:
        backend.release()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # connections of a gateway's pool stay open

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that gave up on an answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    backend: Backend

    def log_message(self, *args: Any) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.backend.arrive(self.path)
        match self.path.partition("?")[0].split("/")[1:]:
            case ["bytes", *_]:
                self._send(200, body, {"Content-Type": self.headers.get("Content-Type", "application/octet-stream")})
            case ["big", size, *_]:
                self._send(200, b"x" * int(size), {})
            case ["chunked", *_]:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"3\r\none\r\n5\r\n, two\r\n7\r\n, three\r\n0\r\n\r\n")
            case ["status", status, *_]:
                self._send(int(status), b"", {})
            case ["marked", *_]:
                self._send(200, b"{}", {"Via": "1.1 cache", "X-Own": "kept", "Keep-Alive": "timeout=5", "ETag": '"v1"'})
            case ["close", *_]:
                self.close_connection = True
            case ["cut", *_]:
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"not a hundred bytes")
                self.close_connection = True
            case ["hold", *_]:
                self.backend.released.wait(_WAIT_S)
                self._send(200, b"held", {})
            case _:
                self._send(200, self._seen(body), {"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _answer  # noqa: N815  the names that the base class calls

    def _seen(self, body: bytes) -> bytes:
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": list(self.headers.items()),
            "body": base64.b64encode(body).decode("ascii"),
        }
        return json.dumps(seen).encode()

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
