"""An HTTP server that keeps what is posted to it, for tests to wait for."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from support.http_servers import QuietHandler, serving

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

    def __init__(self, url: str) -> None:
        self.url = url
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

    with serving(Handler) as url:
        Handler.receiver = receiver = Receiver(url)
        try:
            yield receiver
        finally:
            receiver.closing.set()


class _Handler(QuietHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        silent, status = self.receiver.silent, self.receiver.status
        self.receiver.arrive(Posted(self.path, headers, body))
        if silent:
            self.receiver.closing.wait(WAIT_S)
            self.close_connection = True
            return
        self.send(status)
