"""Callers that have a say in their side: routed by a header, or kept where they are; and what is counted of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.apis import Api
from support.metrics import statistic
from support.server import RunningServer, closing, data_options, fetch, launch, running

_CALLERS: Final = 120


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


def _blue_and_green(server: RunningServer, name: str, *, green_status: int = 200) -> Api:
    """A stage that answers "blue", with a canary, without traffic, that answers "green"."""
    api = Api(server, name)
    api.mock(api.root, body="blue")
    api.deploy("prod")
    api.mock(api.root, body="green", status=green_status)
    api.deploy("prod", canarySettings={"percentTraffic": 0})
    return api


def _weigh(api: Api, percent: int) -> None:
    api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", str(percent)))


def _ask(api: Api, **headers: str) -> str:
    return fetch(api.url("prod"), headers=headers).body.decode()


def _intervals(api: Api, step: int = 60) -> list[dict[str, Any]]:
    page = fetch(f"{api.server.url}/_headgate/stages/{api.id}/prod/sides?step={step}").json
    intervals: list[dict[str, Any]] = page["intervals"]
    return intervals


def _counted(api: Api, name: str, stage: str) -> float:
    return statistic(api.server, "AWS/ApiGateway", "Count", ApiName=name, Stage=stage)


def test_a_header_leads_to_the_canary_and_counts_for_neither_side(server: RunningServer) -> None:
    api = _blue_and_green(server, "routed")
    api.patch_stage("prod", ("replace", "/canarySettings/routeHeader", "X-Canary=1"))

    routed = [_ask(api, **{"x-canary": "1"}) for _ in range(7)]
    others = [_ask(api, **{"x-canary": "0"}) for _ in range(5)]

    assert (set(routed), set(others)) == ({"green"}, {"blue"})
    [interval] = _intervals(api)
    assert (interval["base"]["count"], interval["canary"]["count"]) == (5, 0)
    assert sum(look["base"]["count"] for look in interval["looks"]) == 5
    assert (_counted(api, "routed", "prod/Canary"), _counted(api, "routed", "prod")) == (7, 5)
    totals = fetch(server.url + "/metrics").body.decode()
    assert f'headgate_requests_total{{api="{api.id}",stage="prod",side="routed"}} 7\n' in totals


@pytest.mark.parametrize("setting", ["authorization", "cookie:session"])
def test_a_caller_stays_on_its_side_while_the_weight_rises(server: RunningServer, setting: str) -> None:
    api = _blue_and_green(server, f"sticky-{setting.partition(':')[0]}")
    api.patch_stage("prod", ("replace", "/canarySettings/stickyHeader", setting))

    def asked(caller: int) -> set[str]:
        known = {"Cookie": f"theme=dark; session={caller}"} if ":" in setting else {"Authorization": f"Bearer {caller}"}
        return {_ask(api, **known) for _ in range(2)}

    seen = []
    for percent in (10, 25, 50, 100):
        _weigh(api, percent)
        seen.append([asked(caller) for caller in range(_CALLERS)])

    for sides in zip(*seen, strict=True):
        said = ["".join(side) for side in sides]  # two sides in one step would be two words in one
        assert said == sorted(said), said
        assert set(said) <= {"blue", "green"}
    green = [sum(side == {"green"} for side in step) for step in seen]
    assert green == sorted(green)
    assert (0 < green[0] < _CALLERS, green[-1]) == (True, _CALLERS)


def test_sessions_are_counted_once_over_a_ramp(server: RunningServer) -> None:
    api = _blue_and_green(server, "sessions", green_status=500)
    api.patch_stage("prod", ("replace", "/canarySettings/stickyHeader", "x-user"))

    failed: list[set[int]] = []
    for percent in (25, 50):
        _weigh(api, percent)
        answers = {caller: {_ask(api, **{"X-User": str(caller)}) for _ in range(2)} for caller in range(_CALLERS)}
        failed.append({caller for caller, said in answers.items() if "green" in said})
    _ask(api)  # nobody's: a request and no session

    first, second = (each for each in _intervals(api) if each["percentTraffic"])
    # Two callers may be in one of the 65,536 buckets: one session, then.
    assert first["canary"]["sessions"]["failed"] == pytest.approx(len(failed[0]), abs=2)
    assert second["canary"]["sessions"]["failed"] == pytest.approx(len(failed[1] - failed[0]), abs=2)
    assert second["canary"]["5XX"] >= 2 * len(failed[1])
    assert first["base"]["sessions"]["failed"] == second["base"]["sessions"]["failed"] == 0
    assert first["canary"]["sessions"]["count"] == 16_384
    assert first["base"]["sessions"]["count"] == second["base"]["sessions"]["count"] + 16_384 == 49_152
    assert second["canary"]["sessions"]["count"] == 32_768 - first["canary"]["sessions"]["failed"]
    sides = [first["base"]["sessions"]["latencyMs"]["count"], first["canary"]["sessions"]["latencyMs"]["count"]]
    assert sum(sides) == pytest.approx(_CALLERS, abs=2)
    assert second["base"]["sessions"]["latencyMs"] is None
    assert first["canary"]["sessions"]["firstFailed"] == first["canary"]["sessions"]["failed"]
    assert second["canary"]["sessions"]["firstFailed"] == 0
    assert len(failed[0]) - 2 <= first["canary"]["sessions"]["active"] <= 2 * len(failed[0])
    shown = {"count", "failed", "active", "firstFailed", "latencyMs"}
    assert set(first["looks"][0]["base"]["sessions"]) == shown


def test_a_session_that_failed_before_a_crash_is_not_counted_again_after_it(tmp_path: Path) -> None:
    with closing(launch(*data_options(tmp_path / "data"))) as first:
        api = _blue_and_green(first, "restarted", green_status=500)
        api.patch_stage("prod", ("replace", "/canarySettings/stickyHeader", "x-user"))
        _weigh(api, 50)
        before = {caller for caller in range(_CALLERS) if "green" in _ask(api, **{"X-User": str(caller)})}
        counted = _intervals(api)[-1]  # with it all that was counted is written
        first.kill()

    with closing(launch(*data_options(tmp_path / "data"))) as second:
        api.server = second
        after = {caller for caller in range(2 * _CALLERS) if "green" in _ask(api, **{"X-User": str(caller)})}
        again = _intervals(api)[-1]

    assert before < after
    assert counted["canary"]["sessions"]["failed"] == pytest.approx(len(before), abs=2)
    assert again["canary"]["sessions"]["failed"] == pytest.approx(len(after - before), abs=2)
    assert again["canary"]["sessions"]["count"] == 32_768 - counted["canary"]["sessions"]["failed"]
    assert again["base"]["sessions"]["latencyMs"]["count"] == pytest.approx(_CALLERS - len(after - before), abs=3)


def test_without_a_sticky_header_there_are_no_sessions(server: RunningServer) -> None:
    api = _blue_and_green(server, "plain")

    _ask(api)

    [interval] = _intervals(api)
    assert "sessions" not in interval["base"]
