"""A stage and its function on AWS, moved and taken back: what requests see after each call, whatever dies."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from msgspec.structs import replace

from headgate.release.drivers.blue_green import BlueGreenDriver
from headgate.release.drivers.stage import StageDriver
from headgate.release.file import read_release
from headgate.release.plan import undo_parts
from headgate.release.rollout import Track
from unit.release.drivers.aws import Crash, FakeAws

_OLD, _NEW = ("old", "old", "1"), ("new", "new", "2")
_FILE = """
release: orders-2
api: orders
stage: prod
strategy: {strategy}
change: {{deployment: new, variables: {{prices: new}}, functions: {{orders: {{version: '2'}}}}}}
"""


class Moved:
    """A release of one stage, carried out as far as its process lives, and then taken back."""

    def __init__(self, strategy: str) -> None:
        self.aws = FakeAws()
        self.release = read_release(_FILE.format(strategy=strategy), "file")
        self.driver = StageDriver(self.release, self.aws)
        self.track = Track(
            region="us-east-1", steps=(), before=self.driver.snapshot(), deployment_id="new", versions={"orders": "2"}
        )
        self.promoting = False

    def go(self) -> None:
        for act in self._acts():
            act()

    def take_back(self) -> None:
        for part in undo_parts(self.release, promoted=self.promoting):
            self.driver.undo(self.track, part, promoted=self.promoting)

    def _acts(self) -> Iterator[Callable[[], None]]:
        if self.release.strategy == "canary":
            for percent in (0.0, 50.0):
                yield lambda percent=percent: self.driver.shift(self.track, percent)  # type: ignore[misc]
        self.promoting = True
        for part in ("traffic", "aliases", "clean"):
            yield lambda part=part: self.driver.promote(self.track, part)  # type: ignore[misc]


@pytest.mark.parametrize("strategy", ["canary", "all-at-once"])
def test_a_promotion_on_aws_shows_no_request_a_part_of_it(strategy: str) -> None:
    moved = Moved(strategy)
    moved.go()

    assert set(moved.aws.served) == {_OLD, _NEW}
    assert moved.aws.stage == {"deploymentId": "new", "variables": {"prices": "new", "alias": "live"}}
    assert moved.aws.aliases == {"live": "2"}


@pytest.mark.parametrize("strategy", ["canary", "all-at-once"])
def test_a_rollback_on_aws_from_between_any_two_calls_shows_no_request_a_part_of_it(strategy: str) -> None:
    whole = Moved(strategy)
    whole.go()

    for died_at in range(1, whole.aws.calls + 2):
        for dies_again_after in range(1, 12):
            moved = Moved(strategy)
            moved.aws.crash_at = died_at
            with suppress(Crash):
                moved.go()
            moved.aws.crash_at = moved.aws.calls + dies_again_after
            with suppress(Crash):
                moved.take_back()
            moved.aws.crash_at = 0
            moved.take_back()

            where = (died_at, dies_again_after)
            assert set(moved.aws.served) <= {_OLD, _NEW}, where
            assert moved.aws.stage == {"deploymentId": "old", "variables": {"prices": "old", "alias": "live"}}, where
            assert moved.aws.aliases == {"live": "1"}, where


def test_a_stage_that_nobody_calls_takes_no_alias_that_the_other_is_called_by() -> None:
    aws = FakeAws()
    release = read_release(_FILE.format(strategy="blue-green") + "green: green\n", "file")
    driver = BlueGreenDriver(release, aws)
    track = Track(region="us-east-1", steps=(), before=driver.snapshot(), deployment_id="new", versions={"orders": "2"})
    aws.stage["variables"]["alias"] = "headgate-live"  # as a release before has left it on green
    aws.aliases["headgate-live"] = "0"

    driver.shift(track, 0.0)

    assert aws.aliases == {"live": "1", "headgate-live": "2"}


def test_a_pin_on_aws_is_what_the_alias_that_a_variable_names_points_to() -> None:
    moved = Moved("canary")
    moved.driver.shift(moved.track, 50.0)
    pinned = _pins(moved)
    moved.aws.aliases["headgate-live"] = "1"
    elsewhere = _pins(moved)
    del moved.aws.stage["canarySettings"]["stageVariableOverrides"]["alias"]
    removed = _pins(moved)
    moved.driver.put_back(replace(moved.track, percent=50.0))

    assert (pinned, elsewhere, removed) == ({"orders:live": "2"}, {"orders:live": "1"}, {})
    assert _pins(moved) == {"orders:live": "2"}


def _pins(moved: Moved) -> dict[str, str]:
    stage = moved.driver.read().stage
    assert stage is not None
    assert stage.canary is not None
    assert set(stage.canary.overrides) == {"prices"}
    return dict(stage.canary.versions)
