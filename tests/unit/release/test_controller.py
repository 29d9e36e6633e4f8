from collections.abc import Iterator
from contextlib import closing

import pytest

from headgate.release.events import Began, Command, Did, Ended, LegBegan, Undid
from headgate.release.fold import replay
from headgate.release.journal import Lease, LeaseLost
from headgate.release.rollout import Phase
from headgate.release.seen import Target
from headgate.release.service import ReleaseError
from unit.release.worlds import BROKEN, CANARY, HEALTHY, Play

_PLANNED = {0.0, 10.0, 50.0, 100.0}


@pytest.fixture
def play() -> Iterator[Play]:
    with closing(Play()) as play:
        yield play


def test_a_healthy_release_is_promoted_by_its_plan(play: Play) -> None:
    rollout = play.run()

    assert rollout.phase is Phase.PROMOTED
    assert play.weight == 100.0
    assert sorted(set(play.world.weights)) == sorted(_PLANNED)


def test_a_broken_release_is_rolled_back_at_its_first_weight() -> None:
    with closing(Play(scenario=BROKEN)) as play:
        rollout = play.run()

        assert rollout.phase is Phase.ROLLED_BACK
        assert "errors-5xx" in (rollout.rollback or "")
        assert play.weight == 0.0
        assert max(play.world.weights) == 10.0


@pytest.mark.parametrize(
    ("scenario", "end"), [(HEALTHY, Phase.PROMOTED), (BROKEN, Phase.ROLLED_BACK)], ids=["good", "bad"]
)
def test_killed_before_or_after_any_row_and_any_act_it_comes_to_the_same_end(scenario: object, end: Phase) -> None:
    with closing(Play(scenario=scenario)) as whole:  # type: ignore[arg-type]
        whole.run()
        touches = whole.world.touches
        weight = whole.weight

    for crash_at in range(1, touches + 1):
        with closing(Play(scenario=scenario, crash_at=crash_at)) as play:  # type: ignore[arg-type]
            rollout = play.run()

            assert play.crashes == 1, crash_at
            assert rollout.phase is end, crash_at
            assert play.weight == weight, crash_at
            assert set(play.world.weights) <= _PLANNED, crash_at


def test_an_act_has_a_row_before_and_a_row_after_it(play: Play) -> None:
    play.run()

    rows = [entry.event for entry in play.store.entries(play.name)]
    keys = [event.key for event in rows if isinstance(event, Began)]
    assert keys == [event.key for event in rows if isinstance(event, Did)]
    assert len(set(keys)) == len(keys)


def test_a_holder_whose_lease_was_taken_writes_nothing_more(play: Play) -> None:
    first = play.controller()
    play.clock.now += 100
    second = play.controller()
    second.step()
    rows = play.store.entries(play.name)

    with pytest.raises(LeaseLost):
        first.step()

    assert play.store.entries(play.name) == rows
    first.close()
    second.close()


def test_a_holder_whose_lease_was_taken_acts_no_more(play: Play) -> None:
    play.run(until=lambda _: play.weight == 50.0)
    first = play.controller()
    play.service.command(play.name, "abort", "ann")
    first.step()  # the rollback is decided, and its first act is next
    assert play.rollout.rollback is not None
    play.clock.now += 1e6
    second = play.controller()
    acts = len(play.world.moves)

    with pytest.raises(LeaseLost):
        first.step()

    assert len(play.world.moves) == acts
    first.close()
    second.close()


def test_an_abort_takes_the_traffic_back_before_anything_else(play: Play) -> None:
    play.run(until=lambda _: play.weight == 50.0)
    play.service.command(play.name, "abort", "ann", "it looks odd")
    rollout = play.run()

    rows = [entry.event for entry in play.store.entries(play.name)]
    assert [event.part for event in rows if isinstance(event, Undid)] == ["traffic", "clean"]
    assert rollout.rollback == "ann: abort (it looks odd)"
    assert play.weight == 0.0


def test_a_promoted_release_is_rolled_back_by_one_command_within_its_window(play: Play) -> None:
    play.run()
    play.service.command(play.name, "rollback", "ann", "wrong prices")
    rollout = play.run()

    assert rollout.phase is Phase.ROLLED_BACK
    assert play.weight == 0.0


def test_another_attempt_of_a_rolled_back_release_needs_no_edit() -> None:
    with closing(Play(scenario=BROKEN)) as play:
        play.run()
        play.world._scenario = HEALTHY
        play.service.retry(play.name, "ann")
        rollout = play.run()

        assert rollout.phase is Phase.PROMOTED
        assert rollout.started.attempt == 2
        ends = [entry.event.phase for entry in play.store.entries(play.name) if isinstance(entry.event, Ended)]
        assert ends == ["rolled-back", "promoted"]


def test_a_paused_release_raises_no_weight_and_still_rolls_back() -> None:
    with closing(Play(scenario=BROKEN)) as play:
        play.run(until=lambda _: play.weight == 10.0)
        play.service.command(play.name, "pause", "ann")
        rollout = play.run()

        assert rollout.phase is Phase.ROLLED_BACK
        assert max(play.world.weights) == 10.0


_WAVES = CANARY + "regions: [us-east-1, {wave: [eu-west-1, ap-south-1], after: 30m}]\n"


def test_waves_follow_one_another_after_their_pause_and_a_wave_s_regions_go_side_by_side() -> None:
    with closing(Play(_WAVES)) as play:
        rollout = play.run()

        ends = [entry.event.at for entry in play.store.entries(play.name) if isinstance(entry.event, LegBegan)]
        first = next(at for at, (region, _) in enumerate(play.world.moves) if region != "us-east-1")
        assert rollout.phase is Phase.PROMOTED
        assert {region for region, _ in play.world.moves[:first]} == {"us-east-1"}
        assert play.clock.now >= ends[0] + 1800
        second_wave = [region for region, weight in play.world.moves[first:] if weight == 10.0]
        assert set(second_wave) == {"eu-west-1", "ap-south-1"}


def test_one_region_s_failure_takes_all_regions_back_the_last_first() -> None:
    with closing(Play(_WAVES)) as play:
        play.world.scenarios["ap-south-1"] = BROKEN
        rollout = play.run()

        undone = [
            entry.event.region
            for entry in play.store.entries(play.name)
            if isinstance(entry.event, Undid) and entry.event.part == "traffic"
        ]
        assert rollout.phase is Phase.ROLLED_BACK
        assert (rollout.rollback or "").startswith("ap-south-1: errors-5xx")
        assert undone == ["ap-south-1", "eu-west-1", "us-east-1"]
        assert {play.world.driver(region).weight for region in undone} == {0.0}


def test_the_journal_alone_says_all_that_the_controller_knows(play: Play) -> None:
    play.run(until=lambda _: play.weight == 50.0)
    controller = play.controller()
    for _ in range(20):
        controller.step()

    assert replay(entry.event for entry in play.store.entries(play.name)) == controller.rollout
    controller.close()


def test_an_abandoned_release_leaves_all_as_it_is(play: Play) -> None:
    play.run(until=lambda _: play.weight == 50.0)
    play.service.command(play.name, "abandon", "ann", "by hand from here")
    rollout = play.run()

    assert rollout.phase is Phase.ABANDONED
    assert play.weight == 50.0


def test_functions_alone_are_moved_by_a_rolling_release() -> None:
    text = CANARY.replace("api: orders\nstage: prod\n", "strategy: rolling\n").replace(
        "change: {deployment: current, variables: {pricing: v2}}", "change: {functions: {orders: {version: '2'}}}"
    )
    with closing(Play(text)) as play:
        rollout = play.run()

        assert rollout.phase is Phase.PROMOTED
        alias = play.world.driver(play.track.region).read().aliases["orders:live"]
        assert alias.version == "2"
        assert not alias.weights


def test_a_command_that_comes_while_the_release_is_closed_is_carried_out(play: Play) -> None:
    close = play.store.close_release
    told = False

    def close_late(name: str, lease: Lease, number: int) -> bool:
        nonlocal told
        if not told:
            told = True
            play.service.command(play.name, "rollback", "ann")
        return close(name, lease, number)

    play.store.close_release = close_late  # type: ignore[method-assign]  # the moment between the last look and the end
    rollout = play.run()

    assert rollout.phase is Phase.ROLLED_BACK
    assert play.weight == 0.0


_CONTRACTING = CANARY + "rollback-window: 1m\nmigrate: {expand: 'true', contract: 'true'}\n"


@pytest.mark.parametrize("text", [CANARY, _CONTRACTING], ids=["a release", "one that contracts a schema"])
def test_an_abort_at_any_moment_takes_all_back_or_is_refused(text: str) -> None:
    with closing(Play(text)) as whole:
        whole.run()
        touches = whole.world.touches

    ends = set()
    for at in range(1, touches + 1):
        with closing(Play(text)) as play:
            refused = _told_at(play, at, "abort")
            rollout = play.run()

            assert rollout.phase is (Phase.PROMOTED if refused else Phase.ROLLED_BACK), at
            assert play.world.driver("us-east-1").weight == (100.0 if refused else 0.0), at
            ends |= {rollout.phase, *refused}
    ended = "release orders-2 has ended: promoted (every step is done)"
    contracted = "release orders-2 has contracted the schema: from there on it goes forward only"
    assert ends == {
        Phase.ROLLED_BACK,
        Phase.PROMOTED,
        contracted if text is _CONTRACTING else f"{ended}; headgate release rollback orders-2 takes it back",
    }


def test_a_pause_up_to_the_last_row_holds_the_release_or_is_refused() -> None:
    with closing(Play()) as whole:
        whole.run()
        touches = whole.world.touches

    for at in range(touches - 5, touches + 1):
        with closing(Play()) as play:
            refused = _told_at(play, at, "pause")
            play.run(until=lambda rollout: rollout.paused)
            if not refused:
                with closing(play.controller()) as controller:
                    for _ in range(5):
                        controller.step()

                assert not play.rollout.is_over, at
                play.service.command(play.name, "resume", "ann")
            assert play.run().phase is Phase.PROMOTED, at


def _told_at(play: Play, touch: int, verb: str) -> list[str]:
    """Somebody says it at one of the touches; the list gets the words of a refusal."""
    refused: list[str] = []

    def tell() -> None:
        try:
            play.service.command(play.name, verb, "ann")
        except ReleaseError as error:
            refused.append(str(error))

    play.world.meanwhile[touch] = tell
    return refused


def test_a_command_that_the_end_overtakes_is_refused_and_says_how_it_ended(play: Play) -> None:
    tell = play.store.tell

    def overtaken(name: str, command: Command, after: int) -> bool:
        play.store.tell = tell  # type: ignore[method-assign]
        play.run()
        return tell(name, command, after)

    play.store.tell = overtaken  # type: ignore[method-assign]  # the moment between the check and the row

    with pytest.raises(ReleaseError, match=r"release orders-2 has ended: promoted \(every step is done\); headgate"):
        play.service.command(play.name, "abort", "ann")

    assert play.rollout.phase is Phase.PROMOTED


def test_a_defect_in_reading_what_is_so_keeps_no_release_from_being_rolled_back(play: Play) -> None:
    play.run(until=lambda _: play.weight == 50.0)

    def broken() -> Target:
        raise ValueError("an answer that nobody expected")

    driver = play.world.driver(play.track.region)
    read, driver.read = driver.read, broken  # type: ignore[method-assign]
    with closing(play.controller()) as controller:
        play.service.command(play.name, "pause", "ann")
        controller.step()
    play.service.command(play.name, "abort", "ann")
    driver.read = read  # type: ignore[method-assign]
    play.run()

    assert play.rollout.phase is Phase.ROLLED_BACK
