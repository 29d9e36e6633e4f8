"""Gates, migrations and notifications where they stand: in a release on a real server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.client.releases import ReleaseFailed
from support.http_servers import QuietHandler, serving
from support.releases import Story, Versions, a_story
from support.server import RunningServer, running

_STEPS = "[{weight: 50, bake: 2s}, {weight: 100, watch: 1s}]"


@contextmanager
def a_receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's URL, and what it was told."""
    told: list[dict[str, Any]] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.body()))
            self.send(200)

    with serving(Handler) as url:
        yield f"{url}/hook", told


def test_gates_are_asked_where_they_stand_and_people_are_told(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_receiver() as (hook, told), a_story(server, versions, tmp_path) as story:
        for version in (story.old, story.new):
            versions.set(version)  # one failure of the gate's twenty requests would be a no
        story.start(
            steps=_STEPS,
            more=f"""
            gates:
              before:
                - {{http: {{get: /, status: 200}}, retries: 5}}
                - {{run: "echo $HEADGATE_RELEASE > ran", name: smoke}}
              step: [{{load: {{rps: 20, for: 1s}}}}]
              after: [{{webhook: "{hook}"}}]
            notify: [{{webhook: "{hook}"}}]
            """,
        )
        report = story.end()
        assert report["phase"] == "promoted", report["why"]
        ended = story.followed.until("Ended")
        story.followed.until("Told", about=ended["number"])  # notifications are delivered beside

        assert (tmp_path / "ran").read_text(encoding="utf-8") == f"{story.name}\n"
        (gate,) = [each for each in told if "key" in each and each.get("kind") is None]
        assert gate["release"] == story.name
        assert {"started", "shifted", "promoted"} <= {str(each.get("kind")) for each in told}


def test_a_gate_that_says_no_rolls_back_before_any_traffic(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps=_STEPS, more='gates: {before: [{run: "echo prices are wrong; exit 3"}]}')
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert "prices are wrong" in report["why"]
        assert story.traffic.of(story.new) == 0


def test_a_schema_expands_before_and_contracts_behind_a_release(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "expand.sql").write_text("ALTER TABLE orders ADD COLUMN currency TEXT;\n", encoding="utf-8")
    with a_story(server, versions, tmp_path) as story:
        story.start(
            steps=_STEPS,
            more="""
            migrate:
              expand: "echo expand >> log"
              verify: "echo verify >> log"
              contract: "echo contract >> log"
              sql: [expand.sql]
            rollback-window: 0
            """,
        )
        report = story.end()

        assert report["phase"] == "promoted", report["why"]
        assert (tmp_path / "log").read_text(encoding="utf-8") == "expand\nverify\ncontract\n"
        with pytest.raises(ReleaseFailed, match="has contracted the schema: from there on it goes forward only"):
            story.followed.tell("rollback")


def test_a_migration_that_takes_something_away_is_refused_before_any_traffic(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    (tmp_path / "expand.sql").write_text("ALTER TABLE orders DROP COLUMN total;\n", encoding="utf-8")
    with a_story(server, versions, tmp_path) as story:
        story.start(steps=_STEPS, more='migrate: {expand: "echo expand >> log", sql: [expand.sql]}')
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert "expand.sql:1" in report["why"]
        assert not (tmp_path / "log").exists()
        assert story.traffic.of(story.new) == 0


def test_a_missing_variable_refuses_a_release_before_any_traffic(
    server: RunningServer, versions: Versions, tmp_path: Path
) -> None:
    with a_story(server, versions, tmp_path) as story:
        story.start(steps=_STEPS, more="require: {variables: [database_url]}")
        report = story.end()

        assert report["phase"] == "rolled-back"
        assert "stage prod has no variable database_url, which the release requires" in report["why"]
        assert story.traffic.of(story.new) == 0


def test_a_server_runs_no_commands_unless_it_is_told_to(versions: Versions, tmp_path: Path) -> None:
    with running("--data", str(tmp_path / "data")) as server:
        story = Story(server, versions, tmp_path)

        with pytest.raises(ReleaseFailed, match="it runs commands, and this server may not"):
            story.start(more='gates: {before: [{run: "touch ran"}]}')
