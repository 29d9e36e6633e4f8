"""A stage's history and its roll-back beside a release that moves the stage."""

import json
from pathlib import Path
from typing import Any

from support.releases import Versions, a_story, start_release
from support.server import RunningServer, command


def _headgate(server: RunningServer, *arguments: str) -> Any:
    return command(*arguments, environment={"AWS_ENDPOINT_URL": server.url})


def test_a_rollback_gives_way_to_a_release_that_is_on_its_way(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps="[{weight: 20, approval: {timeout: 1h, then: abort}}, {weight: 100}]")
        story.followed.until_phase("waiting")
        present = story.serves

        refused = _headgate(server, "rollback", story.name, "prod", story.first_deployment)

        assert refused.returncode == 2
        assert refused.stderr == (
            f"headgate: release {story.name} is on its way on stage prod: headgate release abort {story.name} "
            "brings back all that it moved\n"
        )
        assert story.serves == present

        story.followed.tell("abort")
        assert story.end()["phase"] == "rolled-back"


def test_a_release_s_moves_are_in_the_history_under_its_name(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        start_release(server, story.file(steps="[{weight: 50, bake: 2s}, {weight: 100}]"), "ann")
        assert story.end()["phase"] == "promoted"

        history = json.loads(_headgate(server, "history", story.name, "prod", "--json").stdout)

        assert history["serves"]["release"] == story.name
        assert history["previous"]["deploymentId"] == story.first_deployment
        weights = [each["after"]["canary"]["percentTraffic"] for each in history["moves"] if "canary" in each["after"]]
        assert 50.0 in weights
        by_release = {each["number"]: each["actor"] for each in history["moves"] if "release/" in each["userAgent"]}
        assert set(by_release.values()) == {"ann"}
        assert set(by_release) == set(range(2, len(history["moves"]) + 1))
        assert any("variables/version" in each["changed"] for each in history["moves"])
        text = _headgate(server, "history", story.name, "prod").stdout
        assert f"(release {story.name})" in text
