"""A real HTTP backend on a free port, for integrations to call."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from support.http_servers import QuietHandler, serving

_WAIT_S: Final = 60


class Backend:
    """What was asked of it, in order of arrival; and what it is told to do.

    By the first segment of the path: `/echo` answers with what it saw, `/bytes` with the body it got, `/chunked` with
    three chunks, `/status/N` with a status, `/marked` with headers that gateways rename or drop, `/close` with nothing
    and a closed connection, `/cut` with less than it promised, `/hold` only once `release` was called.
    """

    def __init__(self, url: str) -> None:
        self.url = url
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

    with serving(Handler) as url:
        Handler.backend = backend = Backend(url)
        try:
            yield backend
        finally:
            backend.release()


class _Handler(QuietHandler):
    backend: Backend

    def _answer(self) -> None:
        body = self.body()
        self.backend.arrive(self.path)
        match self.path.partition("?")[0].split("/")[1:]:
            case ["bytes", *_]:
                self.send(200, body, {"Content-Type": self.headers.get("Content-Type", "application/octet-stream")})
            case ["big", size, *_]:
                self.send(200, b"x" * int(size))
            case ["chunked", *_]:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"3\r\none\r\n5\r\n, two\r\n7\r\n, three\r\n0\r\n\r\n")
            case ["status", status, *_]:
                self.send(int(status))
            case ["marked", *_]:
                self.send(200, b"{}", {"Via": "1.1 cache", "X-Own": "kept", "Keep-Alive": "timeout=5", "ETag": '"v1"'})
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
                self.send(200, b"held")
            case _:
                self.send(200, self._seen(body), {"Content-Type": "application/json"})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _answer  # noqa: N815  the names that the base class calls

    def _seen(self, body: bytes) -> bytes:
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": list(self.headers.items()),
            "body": base64.b64encode(body).decode("ascii"),
        }
        return json.dumps(seen).encode()
