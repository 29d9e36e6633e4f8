"""Mirrored requests: which are sent once more, where to, how many at once, and that their caller sees nothing of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from headgate.dataplane.compile import compile_stage
from headgate.dataplane.mirror import MAX_RUNNING, Mirrors
from headgate.dataplane.observation import Meters
from headgate.dataplane.pipeline import serve
from headgate.dataplane.ports import BackendReply, BackendTimeout, Origin
from headgate.dataplane.snapshot import Stages
from headgate.dataplane.throttle import Buckets
from headgate.model.call import Response
from headgate.model.ids import DeploymentId
from headgate.model.stage import CanarySettings, MethodSetting
from unit.dataplane.builders import API, FakePorts, a_call, a_definition, a_stage, an_http_proxy


class _Backends(FakePorts):
    """The base's backend is at once; the canary's answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[str] = []
        self.canary_open = asyncio.Event()
        self.canary_open.set()
        self.failing = ""
        self.is_broken = False

    async def send(self, origin: Origin, method: bytes, head: bytes, body: bytes, timeout_s: float) -> BackendReply:
        if self.is_broken:
            raise ZeroDivisionError
        self.hosts.append(origin.host)
        if origin.host == "canary":
            await self.canary_open.wait()
        if origin.host == self.failing:
            raise BackendTimeout
        return BackendReply(200, [(b"X-From", origin.host.encode())], origin.host.encode())


class _Gateway:
    """A stage whose canary, without traffic of its own, is mirrored to."""

    def __init__(self, *, canary_path: str = "/pets", **settings: Any) -> None:
        self.ports = _Backends()
        self.mirrors = Mirrors()
        self.meters = Meters()
        self.stages = Stages()
        self.publish(canary_path=canary_path, **settings)

    def publish(
        self, *, canary_path: str = "/pets", canary: str = "dep2", percent: float = 0.0, **settings: Any
    ) -> None:
        methods = ("GET", "POST", "HEAD", "OPTIONS", "ANY")
        paths = {"ANY": "/any"}
        definitions = {
            name: a_definition(
                *((paths.get(each, path), an_http_proxy(f"http://{host}/", each)) for each in methods),
                deployment_id=name,
            )
            for name, host, path in (("dep1", "base", "/pets"), (canary, "canary", canary_path))
        }
        canary_settings = CanarySettings(
            deployment_id=DeploymentId(canary),
            percent_traffic=percent,
            **{"mirror_percent": 100.0, "mirror_compare": True, **settings},
        )
        stage = a_stage(
            canary_settings=canary_settings,
            method_settings={"*/*": MethodSetting(throttling_burst_limit=100, throttling_rate_limit=1.0)},
        )
        snapshot = compile_stage(stage, definitions, Buckets(), self.meters, self.mirrors)
        self.stages.publish({(API, "prod"): snapshot}, frozenset({API}))

    async def ask(self, method: str = "GET", path: str = "/pets") -> tuple[int, bytes]:
        call = a_call(f"/_aws/execute-api/{API}/prod{path}", method)
        response = await serve(call, self.stages, self.ports)
        assert isinstance(response, Response)
        return response.status, response.body

    def report(self) -> dict[str, Any]:
        mirror = self.mirrors.find(API, "prod")
        assert mirror is not None
        return mirror.report()

    async def settle(self) -> None:
        while self.report()["running"]:  # noqa: ASYNC110  turns of the loop, and no time
            await asyncio.sleep(0)


def _story(story: Callable[[_Gateway], Awaitable[None]], **settings: Any) -> None:
    async def told() -> None:
        await story(_Gateway(**settings))

    asyncio.run(told())


def test_the_caller_is_answered_before_the_copy_is_sent_and_by_the_base() -> None:
    async def story(gateway: _Gateway) -> None:
        answer = await gateway.ask()
        sent_before = list(gateway.ports.hosts)
        await gateway.settle()

        assert answer == (200, b"base")
        assert sent_before == ["base"]
        assert gateway.ports.hosts == ["base", "canary", "base"]

    _story(story)


def test_without_comparison_there_is_no_second_request_to_the_base() -> None:
    async def story(gateway: _Gateway) -> None:
        await gateway.ask()
        await gateway.settle()

        assert gateway.ports.hosts == ["base", "canary"]
        assert (gateway.report()["mirrored"], gateway.report()["compared"]) == (1, 0)

    _story(story, mirror_compare=None)


@pytest.mark.parametrize("path", ["/pets", "/any"])
def test_only_safe_methods_are_mirrored(path: str) -> None:
    async def story(gateway: _Gateway) -> None:
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            await gateway.ask(method, path)
        await gateway.settle()

        assert gateway.report()["mirrored"] == 3

    _story(story)


@pytest.mark.parametrize(("drawn", "mirrored"), [(19.9, 1), (20.0, 0)])
def test_a_share_is_drawn(drawn: float, mirrored: int) -> None:
    async def story(gateway: _Gateway) -> None:
        gateway.ports.drawn = drawn
        await gateway.ask()
        await gateway.settle()

        assert gateway.report()["mirrored"] == mirrored

    _story(story, mirror_percent=20.0)


def test_requests_of_the_canary_side_are_not_mirrored() -> None:
    async def story(gateway: _Gateway) -> None:
        assert await gateway.ask() == (200, b"canary")
        await gateway.settle()

        assert gateway.ports.hosts == ["canary"]

    _story(story, percent=100.0)


def test_copies_are_counted_in_no_meter_and_take_no_token() -> None:
    async def story(gateway: _Gateway) -> None:
        for _ in range(100):  # as many as the bucket has
            assert (await gateway.ask())[0] == 200
            await gateway.settle()

        assert sum(seen.count for seen in gateway.meters.take()) == 100
        assert (await gateway.ask())[0] == 429

    _story(story)


def test_copies_are_bounded_and_what_is_beyond_is_left_out_and_counted() -> None:
    async def story(gateway: _Gateway) -> None:
        gateway.ports.canary_open.clear()
        answers = [await gateway.ask() for _ in range(MAX_RUNNING + 8)]
        report = gateway.report()
        gateway.ports.canary_open.set()
        await gateway.settle()

        assert answers == [(200, b"base")] * (MAX_RUNNING + 8)
        assert (report["running"], report["dropped"]) == (MAX_RUNNING, 8)
        assert (gateway.report()["mirrored"], gateway.report()["compared"]) == (MAX_RUNNING, MAX_RUNNING)

    _story(story)


def test_a_canary_that_fails_or_has_no_such_method_is_a_difference_of_the_status() -> None:
    async def story(gateway: _Gateway) -> None:
        gateway.ports.failing = "canary"
        await gateway.ask()
        await gateway.settle()

        status = next(field for field in gateway.report()["fields"] if field["path"] == "status")
        assert status["examples"] == [{"primary": "200", "candidate": "504"}]
        assert gateway.report()["statuses"] == {"5XX": 1}

    async def unrouted(gateway: _Gateway) -> None:
        await gateway.ask()
        await gateway.settle()

        status = next(field for field in gateway.report()["fields"] if field["path"] == "status")
        assert status["examples"] == [{"primary": "200", "candidate": "403"}]

    _story(story)
    _story(unrouted, canary_path="/animals")


def test_a_refusal_of_the_base_is_compared_too() -> None:
    async def story(gateway: _Gateway) -> None:
        gateway.ports.failing = "base"
        assert (await gateway.ask())[0] == 504
        await gateway.settle()

        status = next(field for field in gateway.report()["fields"] if field["path"] == "status")
        assert (status["candidate"], status["noise"]) == (1, 0)

    _story(story)


def test_a_defect_in_a_copy_is_counted_and_nobody_s_answer() -> None:
    async def story(gateway: _Gateway) -> None:
        await gateway.ask()
        gateway.ports.is_broken = True  # what the copy meets is no refusal
        while gateway.report()["running"]:  # noqa: ASYNC110
            await asyncio.sleep(0)

        assert (gateway.report()["failed"], gateway.report()["mirrored"]) == (1, 0)

    _story(story)


def test_counts_stay_over_a_change_of_weight_and_go_with_the_canary_s_deployment() -> None:
    async def story(gateway: _Gateway) -> None:
        await gateway.ask()
        await gateway.settle()

        gateway.publish(percent=0.5)
        kept = gateway.report()["mirrored"]
        gateway.publish(canary="dep3")
        other = gateway.report()
        gateway.publish(mirror_percent=None)

        assert (kept, other["mirrored"], other["canaryDeploymentId"]) == (1, 0, "dep3")
        assert gateway.mirrors.find(API, "prod") is None

    _story(story)


def test_what_is_on_its_way_ends_with_the_server() -> None:
    async def story(gateway: _Gateway) -> None:
        gateway.ports.canary_open.clear()
        await gateway.ask()

        await gateway.mirrors.close()

        assert gateway.report()["running"] == 0

    _story(story)
