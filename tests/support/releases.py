"""What stories of releases share: an API whose versions behave as asked, traffic that never stops, release files."""

import http.client
import random
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from support.apis import Api
from support.server import RunningServer, command

SENDERS: Final = 4
_PAUSE_S: Final = 0.01  # of a sender between two requests
_WAIT_S: Final = 120
OVER: Final = ("promoted", "rolled-back")


class Versions:
    """A backend whose versions are the first part of the path: each fails, and is slow, as often as it is told."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._failing: dict[str, float] = {}
        self._slow: dict[str, tuple[float, float]] = {}
        self._random = random.Random(7)
        self.outage = False  # of all versions alike

    def set(self, version: str, *, failing: float = 0.0, slow: float = 0.0, slow_s: float = 0.0) -> None:
        """Shares of its requests, 0 to 1."""
        self._failing[version] = failing
        self._slow[version] = (slow, slow_s)

    def answer(self, version: str) -> tuple[int, float]:
        """Status, and seconds that the answer takes."""
        slow, slow_s = self._slow.get(version, (0.0, 0.0))
        fails = self.outage or self._random.random() < self._failing.get(version, 0.0)
        return (500 if fails else 200), (slow_s if self._random.random() < slow else 0.0)


@contextmanager
def serving_versions() -> Iterator[Versions]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            version = self.path.split("/")[1]
            status, seconds = versions.answer(version)
            if seconds:
                time.sleep(seconds)  # what is slow takes its time: this is the backend, not the test
            body = version.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    versions = Versions(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield versions
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Traffic:
    """Callers that never stop, until the end of the block; what they saw by status and by version."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._path = parts.path
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.seen: Counter[tuple[int, str]] = Counter()
        self.broken: list[str] = []  # requests that got no answer at all
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    @property
    def total(self) -> int:
        with self._lock:
            return self.seen.total()

    def of(self, version: str) -> int:
        """How many requests a version answered."""
        with self._lock:
            return sum(count for (_, body), count in self.seen.items() if body == version)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        while not self._stopping.wait(_PAUSE_S):
            try:
                connection.request("GET", self._path)
                response = connection.getresponse()
                seen = response.status, response.read().decode()
            except OSError as error:
                connection.close()
                with self._lock:
                    self.broken.append(repr(error))
                continue
            with self._lock:
                self.seen[seen] += 1
        connection.close()


def an_api(server: RunningServer, versions: Versions, name: str = "orders") -> Api:
    """An API whose stage `prod` asks the backend's version that the stage variable `version` names; v1 serves."""
    api = Api(server, name)
    api.http_proxy(api.root, f"{versions.url}/${{stageVariables.version}}", "GET")
    api.deploy("prod", variables={"version": "v1"})
    return api


def a_file(folder: Path, text: str, name: str = "release.yaml") -> Path:
    file = folder / name
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def release(server: RunningServer, *arguments: str) -> Any:
    """`headgate release …` against a server."""
    return command("release", *arguments, environment={"AWS_ENDPOINT_URL": server.url})


def wait_for(server: RunningServer, name: str, *phases: str) -> dict[str, Any]:
    """Until the release is in one of these phases; its report."""
    from support.server import fetch

    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends:
        answer = fetch(f"{server.url}/_headgate/releases/{name}")
        if answer.status == 200 and answer.json["phase"] in phases:
            return dict(answer.json)
        time.sleep(0.1)
    raise AssertionError(f"release {name} is not {phases} after {_WAIT_S} s: {answer.body.decode()}")
