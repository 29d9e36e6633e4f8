"""What stories of releases share: an API whose versions behave as asked, traffic that never stops, release files."""

import http.client
import json
import random
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from support.apis import Api
from support.http_servers import QuietHandler, serving
from support.server import RunningServer, command

SENDERS: Final = 4
_PAUSE_S: Final = 0.01  # of a sender between two requests
_WAIT_S: Final = 120
OVER: Final = ("promoted", "rolled-back")


class Versions:
    """A backend whose versions are the first part of the path: each fails, and is slow, as often as it is told."""

    def __init__(self, url: str) -> None:
        self.url = url
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
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            version = self.path.split("/")[1]
            status, seconds = versions.answer(version)
            if seconds:
                time.sleep(seconds)  # what is slow takes its time: this is the backend, not the test
            self.send(status, version.encode())

    with serving(Handler) as url:
        versions = Versions(url)
        yield versions


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


QUICK: Final = "settle: 500ms, interval: 1s, compare: [errors-5xx], negligible: 5%"  # an analysis for short bakes


class Story:
    """An API of its own under traffic, and one release of it: to v2, by deployment and variable."""

    _number = 0

    def __init__(self, server: RunningServer, versions: Versions, folder: Path) -> None:
        Story._number += 1
        self.server = server
        self.folder = folder
        self.old = f"v1-{Story._number}"
        self.new = f"v2-{Story._number}"
        self.name = f"orders-{Story._number}"
        versions.set(self.old, failing=0.01)
        versions.set(self.new, failing=0.01)
        self.api = Api(server, self.name)
        self.api.http_proxy(self.api.root, f"{versions.url}/${{stageVariables.version}}", "GET")
        self.first_deployment = self.api.deploy("prod", variables={"version": self.old})
        self.traffic = Traffic(self.api.url("prod"))

    def file(
        self,
        steps: str = "[{weight: 20, bake: 3s}, {weight: 50, bake: 3s}, {weight: 100, watch: 2s}]",
        analysis: str = QUICK,
        more: str = "",
        change: str = "",
    ) -> Path:
        text = "\n".join(
            (
                f"release: {self.name}",
                f"api: {self.api.id}",
                "stage: prod",
                f"change: {change or f'{{deployment: current, variables: {{version: {self.new}}}}}'}",
                f"steps: {steps}",
                f"analysis: {{{analysis}}}",
                textwrap.dedent(more),
            )
        )
        file = self.folder / f"{self.name}.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    def start(self, **parts: str) -> None:
        """Hand it to the server."""
        answer = release(self.server, "start", str(self.file(**parts)))
        assert answer.returncode == 0, answer.stderr

    def end(self) -> dict[str, Any]:
        """The report once it is over."""
        return wait_for(self.server, self.name, *OVER)

    def tell(self, verb: str, *options: str) -> Any:
        return release(self.server, verb, self.name, *options)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        answer = release(self.server, "history", self.name, "--json")
        events = [json.loads(line) for line in answer.stdout.splitlines()]
        return [each for each in events if kind in {"", each["event"]}]

    @property
    def serves(self) -> tuple[str, str, bool]:
        """The stage's version and deployment, and whether there is a canary."""
        stage = self.api.stage("prod")
        return stage["variables"]["version"], stage["deploymentId"], "canarySettings" in stage

    def check_traffic(self) -> None:
        """No request failed because of Headgate: each was answered, and by a version."""
        assert self.traffic.broken == []
        assert {body for _, body in self.traffic.seen} <= {self.old, self.new}


@contextmanager
def a_story(server: RunningServer, versions: Versions, folder: Path) -> Iterator[Story]:
    """Under traffic until the end of the block, and then looked through for what failed because of Headgate."""
    story = Story(server, versions, folder)
    with story.traffic:
        yield story
    story.check_traffic()


def wait_until_shifted(story: Story, percent: float) -> None:
    """Until the change has this share of the traffic."""
    while not any(each.get("shifted") == percent for each in story.events("Did")):
        pass
