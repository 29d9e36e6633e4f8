"""Whatever dies, a release comes to the same end, and no request fails for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.releases import GO, QUICK, Followed, Story, Versions, a_story
from support.server import RunningServer, closing, launch, wait_for_end

_PLANNED = {0.0, 20.0, 50.0}


def controller_of(server: RunningServer) -> int | None:
    """The process id of the server's release controller, while there is one."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "status").read_text(encoding="utf-8")
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if f"PPid:\t{server.process.pid}\n" in status and b"work" in arguments:
            return int(process.name)
    return None


def kill_the_controller_at_every_step(story: Story) -> int:
    """`kill -9` each time that the release has come to another step, until it is over; how often."""
    killed, at = 0, -1
    while True:
        report = story.followed.report()
        if report["phase"] in {"promoted", "rolled-back"}:
            return killed
        steps = sum(each["state"] == "done" for each in report["regions"][0]["steps"])
        pid = controller_of(story.server) if steps != at else None
        if pid is not None:
            at = steps
            os.kill(pid, signal.SIGKILL)
            killed += 1


def test_a_controller_killed_at_every_step_promotes_a_good_release(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(analysis=QUICK)
        killed = kill_the_controller_at_every_step(story)

        report = story.end()
        assert killed >= 5
        assert report["phase"] == "promoted"
        assert {each["shifted"] for each in story.followed.events("Did") if each.get("shifted") is not None} <= _PLANNED
        assert story.serves[0] == story.new


def test_a_controller_killed_at_every_step_rolls_a_bad_release_back(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        versions.set(story.new, failing=0.6)
        story.start(steps="[{weight: 50, bake: 60s}, {weight: 100}]")
        killed = kill_the_controller_at_every_step(story)

        assert killed >= 3
        assert story.end()["phase"] == "rolled-back"
        assert story.serves == (story.old, story.first_deployment, False)


def test_a_server_killed_in_the_middle_of_a_step_goes_on_with_it(versions: Versions, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    with closing(launch(*data)) as first:
        story = Story(first, versions, tmp_path)
        story.start(steps="[{weight: 50, bake: 3s}, {weight: 100}]", analysis=f"{QUICK}, no-data: promote")
        story.followed.until("Did", shifted=50)
        controller = controller_of(first)
        assert controller is not None
        first.process.kill()
        first.process.wait()
        wait_for_end(controller)  # it does not outlive its server

    with closing(launch(*data)) as second:
        report = Followed(second, story.name).until_phase("promoted", "rolled-back")

        assert report["phase"] == "promoted"
        stage = second.client("apigateway").get_stage(restApiId=story.api.id, stageName="prod")
        assert stage["variables"]["version"] == story.new
        assert "canarySettings" not in stage


def test_of_two_controllers_on_one_release_one_drives_it(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        file = story.file(
            steps="[{weight: 50, bake: 3s}, {weight: 100}]",
            analysis=QUICK,
            more=f"gates: {{before: [{GO}]}}",  # so that it is not over before the second begins
        )
        state = tmp_path / "state.db"
        run = [
            sys.executable, "-m", "headgate", "release", "run", str(file), "--state", str(state),
            "--endpoint-url", server.url,
        ]  # fmt: skip
        first = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert first.stdout is not None
        first.stdout.readline()  # it is started
        second = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
        (tmp_path / "go").touch()
        first.communicate(timeout=60)

        assert first.returncode == 0
        assert second.returncode == 2
        assert second.stderr.startswith(f"headgate: release {story.name} is driven by another process")
        assert story.serves[0] == story.new
