"""Functions, deployments and variables move as one, in each strategy, and come back as one."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.apis import Api
from support.clients import KeptConnection
from support.functions import allow_gateway, create_function, zipped
from support.releases import GO, QUICK, Followed, start_release
from support.server import RunningServer

_HANDLER = """
import random
def handle(event, context):
    status = 500 if random.random() < {failing} else 200
    return {{"statusCode": status, "body": event["stageVariables"]["prices"] + " " + {version!r}}}
"""
_RAISING = """
import random
def handle(event, context):
    if random.random() < {failing}:
        raise ValueError("out of stock")
"""
_CANARY = "[{weight: 20, bake: 3s}, {weight: 50, bake: 3s}, {weight: 100, watch: WATCH}]"
_AT_ONCE = "[{weight: 100, watch: WATCH}]"


class Shop:
    """An API whose function says which code it is, and which variable it was called with."""

    _number = 0

    def __init__(self, server: RunningServer, folder: Path) -> None:
        Shop._number += 1
        self.server = server
        self.folder = folder
        self.function = f"shop-{Shop._number}"
        arn = create_function(server, self.function, _HANDLER.format(failing=0, version="code-1"), Timeout=30)
        client = server.client("lambda")
        self.version = client.publish_version(FunctionName=self.function)["Version"]
        client.create_alias(FunctionName=self.function, Name="live", FunctionVersion=self.version)
        allow_gateway(server, self.function, Qualifier="live")
        self.api = Api(server, self.function)
        self.api.function(self.api.root, f"{arn}:live", "GET")
        for stage in ("prod", "green"):
            self.api.deploy(stage, variables={"prices": "old"})
        self.release = Followed(server, self.function)
        self.seen: Counter[tuple[int, str]] = Counter()
        self._stopping = threading.Event()

    def start(self, strategy: str, steps: str, failing: float, more: str = "") -> None:
        (self.folder / "shop.zip").write_bytes(zipped(_HANDLER.format(failing=failing, version="code-2")))
        (self.folder / "r.yaml").write_text(
            f"release: {self.function}\napi: {self.api.id}\nstage: prod\n{strategy}\n"
            "change: {deployment: current, variables: {prices: new}, "
            f"functions: {{{self.function}: {{zip: shop.zip}}}}}}\n"
            f"steps: {steps}\nanalysis: {{{QUICK}, limits: {{error-rate: 10%}}}}\n{more}\n",
            encoding="utf-8",
        )
        start_release(self.server, self.folder / "r.yaml")

    @contextmanager
    def under_traffic(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._call) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def _call(self) -> None:
        url = self.api.url("prod")
        connection = KeptConnection(url)
        path = url.removeprefix(self.server.gateway)
        while not self._stopping.wait(0.01):
            answer = connection.ask(path)
            self.seen[answer.status, answer.body.decode()] += 1
        connection.close()

    @property
    def alias(self) -> str:
        return str(self.server.client("lambda").get_alias(FunctionName=self.function, Name="live")["FunctionVersion"])


@pytest.fixture
def shop(server: RunningServer, tmp_path: Path) -> Shop:
    return Shop(server, tmp_path)


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("strategy: canary", _CANARY),
        ("strategy: blue-green\ngreen: green", _AT_ONCE),
        ("strategy: all-at-once", _AT_ONCE),
    ],
    ids=["canary", "blue-green", "all-at-once"],
)
@pytest.mark.parametrize(("failing", "end"), [(0.0, "promoted"), (0.5, "rolled-back")], ids=["good", "bad"])
def test_no_request_sees_a_part_of_a_release(shop: Shop, strategy: str, steps: str, failing: float, end: str) -> None:
    with shop.under_traffic():
        # A bad one is not seen to the end: its watch lasts for as long as its failures need to come.
        shop.start(strategy, steps.replace("WATCH", "60s" if failing else "4s"), failing)
        report = shop.release.until_phase("promoted", "rolled-back")

    assert report["phase"] == end, report["why"]
    # Old with old and new with new, on every request: never a mixture, and no failure but the new code's own.
    assert set(shop.seen) <= {(200, "old code-1"), (200, "new code-2"), (500, "new code-2")}
    stage: dict[str, Any] = shop.api.stage("prod")
    assert stage["variables"] == {"prices": "new" if end == "promoted" else "old"}
    assert "canarySettings" not in stage
    assert (shop.alias == shop.version) is (end == "rolled-back")


def test_pins_that_somebody_changed_by_hand_stop_the_release_and_are_put_back(shop: Shop) -> None:
    pin = f"/canarySettings/functionVersions/{shop.function}:live"
    other = f"/canarySettings/baseFunctionVersions/{shop.function}:live"
    with shop.under_traffic():
        steps = "[{weight: 20, bake: 2s}, {weight: 100}]"
        shop.start("strategy: canary", steps, 0.0, more=f"gates: {{step: [{GO}]}}")
        shop.release.until("Did", shifted=20)
        changes: list[tuple[tuple[str, ...], str]] = [
            (("remove", pin), f"{shop.function}:live is no longer pinned to version 2 on the canary's side"),
            (("replace", other, shop.version), f"{shop.function}:live is pinned to version 1 on the stable side"),
        ]
        for change, words in changes:
            shop.api.patch_stage("prod", change)
            assert shop.release.until("Asked", topic="drift")["why"].endswith(words)
            shop.release.tell("resume")
            shop.release.until("Did", message="what the release wants is put back")
        (shop.folder / "go").touch()
        report = shop.release.until_phase("promoted", "rolled-back")

    assert report["phase"] == "promoted", report["why"]
    assert "canarySettings" not in shop.api.stage("prod")
    assert shop.alias != shop.version


@pytest.mark.parametrize(("failing", "end"), [(0.0, "promoted"), (0.5, "rolled-back")], ids=["good", "bad"])
def test_an_alias_s_weights_roll(shop: Shop, tmp_path: Path, failing: float, end: str) -> None:
    (tmp_path / "shop.zip").write_bytes(zipped(_RAISING.format(failing=failing)))
    (tmp_path / "r.yaml").write_text(
        f"release: {shop.function}\nstrategy: rolling\nchange: {{functions: {{{shop.function}: {{zip: shop.zip}}}}}}\n"
        "steps: [{weight: 30, bake: 4s}, {weight: 100}]\n"
        "analysis: {settle: 500ms, interval: 1s, compare: [errors-5xx], negligible: 5%}\n",
        encoding="utf-8",
    )
    stopping = threading.Event()
    client = shop.server.client("lambda")
    event = b'{"stageVariables": {"prices": "x"}}'

    def call() -> None:
        while not stopping.wait(0.01):
            client.invoke(FunctionName=f"{shop.function}:live", Payload=event)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        start_release(shop.server, tmp_path / "r.yaml")
        report = shop.release.until_phase("promoted", "rolled-back")
    finally:
        stopping.set()
        thread.join()

    assert report["phase"] == end, report["why"]
    alias = client.get_alias(FunctionName=shop.function, Name="live")
    assert (alias["FunctionVersion"] == shop.version) is (end == "rolled-back")
    assert "RoutingConfig" not in alias
