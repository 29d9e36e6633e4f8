"""What people decide, and what becomes of a release that waits for them."""

import json
from pathlib import Path

import pytest

from support.releases import GO, QUICK, Versions, a_story, release
from support.server import RunningServer, command


def test_an_approval_lets_a_release_go_on(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(
            steps="[{weight: 20, bake: 2s, approval: {needed: 2}}, {weight: 100}]",
            analysis=f"{QUICK}",
        )
        story.followed.until_phase("waiting")

        assert release(server, "approve", story.name, "--as", "ann").returncode == 0
        story.followed.tell("approve", "ann")  # says no more than once
        assert story.followed.until_phase("waiting")["regions"][0]["approvals"] == ["ann"]
        story.followed.tell("approve", "bob", "looks good")

        assert story.end()["phase"] == "promoted"


def test_an_approval_that_nobody_gives_expires(server: RunningServer, versions: Versions, tmp_path: Path) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(
            steps="[{weight: 20, bake: 2s, approval: {timeout: 2s, then: abort}}, {weight: 100}]",
            analysis=f"{QUICK}",
        )
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert report["why"] == "approval at 20 %: nobody gave it within 2s"
        assert story.serves == (story.old, story.first_deployment, False)


def test_a_stage_moved_by_hand_stops_the_release_until_somebody_decides(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(
            steps="[{weight: 20, bake: 2s}, {weight: 100}]", analysis=f"{QUICK}", more=f"gates: {{step: [{GO}]}}"
        )
        story.followed.until("Did", shifted=20)
        story.api.patch_stage("prod", ("replace", "/canarySettings/percentTraffic", "70"))
        (tmp_path / "go").touch()
        report = story.followed.until_phase("waiting")
        assert "the canary gets 70 % of the traffic, not 20 %" in report["why"]

        story.followed.tell("resume")

        assert story.end()["phase"] == "promoted"


@pytest.mark.parametrize(
    ("steps", "gate", "share"),
    [
        ("[{weight: 20, bake: 2s}, {weight: 100}]", "step", 20),
        ("[{weight: 20, bake: 3s}, {weight: 100, watch: 2s}]", "after", 100),
    ],
    ids=["in a bake", "in the watch"],
)
def test_what_somebody_set_by_hand_is_put_back_when_the_release_may_go_on(
    server: RunningServer, versions: Versions, tmp_path: Path, steps: str, gate: str, share: int
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps=steps, analysis=f"{QUICK}", more=f"gates: {{{gate}: [{GO}]}}")
        story.followed.until_percent(share)
        story.api.patch_stage("prod", ("replace", "/variables/colour", "red"))
        (tmp_path / "go").touch()
        report = story.followed.until_phase("waiting")
        assert "variable colour was added" in report["why"]

        story.followed.tell("resume")

        assert story.end()["phase"] == "promoted"
        stage = server.client("apigateway").get_stage(restApiId=story.api.id, stageName="prod")
        assert stage["variables"] == {"version": story.new}
        assert "canarySettings" not in stage


def test_a_rolled_back_release_is_tried_again_with_no_edit(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.new, failing=0.5)
        story.start()
        assert story.end()["phase"] == "rolled-back"
        versions.set(story.new, failing=0.0)

        story.followed.retry()
        story.followed.until_phase("running", "promoted")
        report = story.followed.until_phase("promoted")

        assert report["attempt"] == 2
        assert story.serves[0] == story.new


def test_a_promoted_release_is_rolled_back_by_one_command(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps="[{weight: 50, bake: 3s}, {weight: 100}]")
        assert story.end()["phase"] == "promoted"

        too_late = release(server, "abort", story.name)
        assert too_late.returncode == 2
        assert too_late.stderr.startswith(f"headgate: release {story.name} has ended: promoted (every step is done); ")
        assert release(server, "rollback", story.name, "--reason", "wrong prices").returncode == 0
        story.followed.until_phase("rolled-back")

        assert story.serves == (story.old, story.first_deployment, False)


def test_run_in_ci_ends_with_3_where_a_person_is_next_and_goes_on_when_it_is_run_again(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        file = story.file(steps="[{weight: 50, bake: 3s, approval: {}}, {weight: 100}]", analysis=f"{QUICK}")
        state = tmp_path / "state.db"
        run = ("release", "run", str(file), "--state", str(state), "--endpoint-url", server.url)

        waits = command(*run, timeout_s=60)
        told = command("release", "approve", story.name, "--state", str(state))
        ends = command(*run, "--json", timeout_s=60)

        assert waits.returncode == 3, waits.stderr
        assert f"{story.name} waits: approval at 50 %" in waits.stdout
        assert told.returncode == 0, told.stderr
        assert ends.returncode == 0, ends.stderr
        assert json.loads(ends.stdout.splitlines()[-1])["phase"] == "promoted"
        assert story.serves[0] == story.new


def test_run_in_ci_ends_with_1_when_it_was_rolled_back_and_with_2_for_a_bad_file(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.new, failing=0.5)
        state = ("--state", str(tmp_path / "state.db"), "--endpoint-url", server.url)

        bad = command("release", "run", str(story.file()), *state, timeout_s=60)
        (tmp_path / "wrong.yaml").write_text("release: r\nchange: {}\n", encoding="utf-8")
        wrong = command("release", "run", str(tmp_path / "wrong.yaml"), *state)

        assert bad.returncode == 1
        assert "rolled-back: errors-5xx" in bad.stdout
        assert wrong.returncode == 2
        assert f"{tmp_path / 'wrong.yaml'}:2: change: nothing is changed" in wrong.stderr


def test_a_command_that_means_nothing_says_why(server: RunningServer) -> None:
    answer = release(server, "approve", "no-such-release")

    assert answer.returncode == 2
    assert answer.stderr.startswith("headgate: there is no release 'no-such-release'; the latest are ")
