"""What the evidence says, on a real server with real traffic."""

import json
from pathlib import Path

import pytest

from support.releases import QUICK, Versions, a_story, release
from support.server import RunningServer


def test_a_good_release_is_promoted_step_by_step(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        assert release(server, "start", str(story.file())).returncode == 0
        report = story.end()

        assert report["phase"] == "promoted"
        rows = [json.loads(row) for row in release(server, "history", story.name, "--json").stdout.splitlines()]
        assert [row["shifted"] for row in rows if row.get("shifted") is not None] == [0, 20, 50]
        version, deployment, has_canary = story.serves
        assert version == story.new
        assert deployment != story.first_deployment
        assert not has_canary


def test_errors_roll_a_release_back(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.old, failing=0.05)
        versions.set(story.new, failing=0.20)
        story.start(steps="[{weight: 20, bake: 60s}, {weight: 100}]")
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert report["why"].startswith("errors-5xx: ")
        assert story.serves == (story.old, story.first_deployment, False)


def test_a_tail_of_slow_requests_rolls_a_release_back(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.new, slow=0.10, slow_s=1.0)
        story.start(
            steps="[{weight: 30, bake: 60s}, {weight: 100}]",
            analysis="settle: 500ms, interval: 1s, compare: [latency-p90, latency-p99]",
        )
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert report["why"].startswith("latency-p")


def test_an_outage_that_both_sides_share_is_survived(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps="[{weight: 20, bake: 8s}, {weight: 100, watch: 1s}]")
        story.traffic.until_more(5, story.new)  # the canary has traffic
        versions.outage = True
        try:
            story.traffic.until_more(300)  # hundreds of requests fail, on both sides alike
        finally:
            versions.outage = False
        report = story.end()

        assert report["phase"] == "promoted"


@pytest.mark.parametrize(("policy", "end"), [("promote", "promoted"), ("rollback", "rolled-back")])
def test_without_traffic_the_file_s_policy_decides(
    server: RunningServer, versions: Versions, tmp_path: Path, policy: str, end: str
) -> None:
    from support.releases import Story

    story = Story(server, versions, tmp_path)  # nobody calls it
    story.start(steps="[{weight: 20, bake: 2s}, {weight: 100}]", analysis=f"{QUICK}, no-data: {policy}")
    report = story.end()

    assert report["phase"] == end
    if end == "rolled-back":
        assert "0 requests on the" in report["why"]


def test_an_alarm_rolls_a_release_back(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        alarms = server.client("cloudwatch")
        alarms.put_metric_alarm(
            AlarmName=story.name, Namespace="Shop", MetricName="LostOrders", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )  # fmt: skip
        alarms.set_alarm_state(AlarmName=story.name, StateValue="OK", StateReason="nothing is lost")
        story.start(steps="[{weight: 20, bake: 60s}, {weight: 100}]", analysis=f"{QUICK}, alarms: [{story.name}]")
        story.followed.until("Did", shifted=20)
        alarms.set_alarm_state(AlarmName=story.name, StateValue="ALARM", StateReason="orders are lost")
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert report["why"] == f"alarm {story.name} is in ALARM"


def test_a_limit_holds_after_the_promotion_too(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(
            steps="[{weight: 50, bake: 3s}, {weight: 100, watch: 60s}]", analysis=f"{QUICK}, limits: {{error-rate: 5%}}"
        )
        story.followed.until_percent(100)
        versions.set(story.new, failing=0.5)
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert "limit 5 %" in report["why"]
        assert story.serves == (story.old, story.first_deployment, False)
