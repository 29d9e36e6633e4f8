from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.model.release import Release
from headgate.release.actions import Do, LookAt, Note, Undo, Wait
from headgate.release.analysis.looks import Counts, Look
from headgate.release.decide import decide
from headgate.release.events import (
    Asked,
    Began,
    Command,
    Did,
    DidNot,
    Event,
    Looked,
    LookFailed,
    Moved,
    RollbackDecided,
    Snapshot,
    Undid,
)
from headgate.release.fold import after
from headgate.release.rollout import Phase, Rollout, begin
from headgate.release.seen import CanarySeen, Seen, StageSeen, Target
from headgate.release.service import ReleaseError
from headgate.release.simulation import Scenario
from headgate.release.steps import AskApproval, Bake, Check, Promote, PutBack, Shift, Watch
from unit.release.worlds import BEGIN, CANARY, Play, started

_HOME = "us-east-1"


def at_step(text: str, wanted: type, number: int = 0) -> Rollout:
    """A release that has come to its n-th step of a kind, all before it having gone well."""
    rollout = begin(started(text))
    while not (isinstance(track_step(rollout), wanted) and number == 0):
        if isinstance(track_step(rollout), wanted):
            number -= 1
        rollout = done(rollout)
    return rollout


def track_step(rollout: Rollout) -> object:
    return rollout.tracks[_HOME].step


def done(rollout: Rollout) -> Rollout:
    """The present step is over."""
    track = rollout.tracks[_HOME]
    events: list[Event] = [Began(at=BEGIN, region=_HOME, key="k", title="t")]
    snapshot = Snapshot(deployment_id="old") if track.before is None else None
    if not isinstance(track.step, Bake | AskApproval):
        events.append(Did(at=BEGIN, region=_HOME, key="k", snapshot=snapshot, deployment_id="new"))
    events.append(Moved(at=BEGIN, region=_HOME, to=track.at + 1, why="done"))
    return folded(rollout, *events)


def folded(rollout: Rollout, *events: Event) -> Rollout:
    for event in events:
        rollout = after(rollout, event)
    return rollout


def seen(percent: float | None, *, deployment: str = "old", canary: str = "new", **alarms: str) -> Seen:
    beside = None if percent is None else CanarySeen(deployment_id=canary, percent=percent, overrides={"pricing": "v2"})
    return Seen(targets={_HOME: Target(stage=StageSeen(deployment_id=deployment, canary=beside), alarms=alarms)})


def counted(percent: float, bad: int, until: float, requests: int = 1000) -> Looked:
    base = Counts(requests=requests, bad={"errors-5xx": 10})
    change = Counts(requests=requests, bad={"errors-5xx": bad})
    look = Look(since=BEGIN, until=until, percent=percent, base=base, canary=change)
    return Looked(at=until, region=_HOME, until=until, looks=(look,))


def test_the_same_question_has_the_same_answer() -> None:
    rollout = at_step(CANARY, Shift, 1)

    assert decide(rollout, seen(0.0), BEGIN + 1) == decide(rollout, seen(0.0), BEGIN + 1)


def test_a_failure_rolls_back_in_the_middle_of_a_bake() -> None:
    rollout = folded(at_step(CANARY, Bake), counted(10, bad=300, until=BEGIN + 20))

    (action,) = decide(rollout, seen(10.0), BEGIN + 21)

    assert isinstance(action, Note)
    assert isinstance(action.event, RollbackDecided)
    assert "errors-5xx" in action.event.why


def test_a_rollback_begins_with_the_traffic() -> None:
    rollout = folded(at_step(CANARY, Bake), RollbackDecided(at=BEGIN, why="bad"))

    (action,) = decide(rollout, Seen(), BEGIN + 1)

    assert isinstance(action, Undo)
    assert action.part == "traffic"


def test_a_rollback_goes_on_behind_an_act_that_fails_and_comes_back_to_it() -> None:
    rollout = folded(at_step(CANARY, Bake), RollbackDecided(at=BEGIN, why="bad"))
    rollout = folded(rollout, DidNot(at=BEGIN, region=_HOME, key="k", message="no answer", refused=False))

    (soon,) = decide(rollout, Seen(), BEGIN)
    (later,) = decide(rollout, Seen(), BEGIN + 1)

    assert isinstance(soon, Wait)
    assert isinstance(later, Undo)


def test_a_region_that_does_not_answer_holds_up_no_other_region_s_rollback() -> None:
    text = CANARY + "regions: [{wave: [us-east-1, eu-west-1]}]\n"
    rollout = begin(started(text))
    for region in ("us-east-1", "eu-west-1"):
        rollout = folded(
            rollout,
            Moved(at=BEGIN, region=region, to=1, why="done"),
            Did(at=BEGIN, region=region, key="k", snapshot=Snapshot(deployment_id="old")),
        )
    rollout = folded(rollout, RollbackDecided(at=BEGIN, why="bad"))
    rollout = folded(rollout, DidNot(at=BEGIN, region="eu-west-1", key="k", message="no answer", refused=False))

    (action,) = decide(rollout, Seen(), BEGIN)

    assert isinstance(action, Undo)
    assert action.region == "us-east-1"


def test_the_last_region_is_rolled_back_first() -> None:
    rollout = begin(started(CANARY + "regions: [us-east-1, eu-west-1]\n"))
    for region in ("us-east-1", "eu-west-1"):
        rollout = folded(
            rollout,
            Moved(at=BEGIN, region=region, to=1, why="done"),
            Did(at=BEGIN, region=region, key="k", snapshot=Snapshot(deployment_id="old")),
        )

    (action,) = decide(folded(rollout, RollbackDecided(at=BEGIN, why="bad")), Seen(), BEGIN + 1)

    assert isinstance(action, Undo)
    assert action.region == "eu-west-1"


def test_a_bake_below_the_last_goes_on_without_a_verdict_when_nothing_speaks_against_it() -> None:
    rollout = folded(at_step(CANARY, Bake), counted(10, bad=10, until=BEGIN + 60, requests=100))

    actions = decide(rollout, seen(10.0), BEGIN + 61)

    assert any(isinstance(each, Note) and isinstance(each.event, Moved) for each in actions)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("promote", Moved), ("rollback", RollbackDecided), ("ask", Asked), ("hold", None)],
)
def test_the_last_bake_without_a_verdict_follows_its_policy(policy: str, expected: type | None) -> None:
    text = CANARY.replace("negligible: 5%", f"inconclusive: {policy}")
    rollout = folded(at_step(text, Bake, 1), counted(50, bad=12, until=BEGIN + 120))

    actions = decide(rollout, seen(50.0), BEGIN + 121)

    events = [type(each.event) for each in actions if isinstance(each, Note)]
    assert events == ([] if expected is None else [expected])


@pytest.mark.parametrize(("policy", "expected"), [("promote", Moved), ("rollback", RollbackDecided), ("ask", Asked)])
def test_a_bake_without_requests_follows_the_policy_of_no_data(policy: str, expected: type) -> None:
    text = CANARY.replace("negligible: 5%", f"no-data: {policy}")
    rollout = folded(at_step(text, Bake), Looked(at=BEGIN + 60, region=_HOME, until=BEGIN + 60, looks=()))

    actions = decide(rollout, seen(10.0), BEGIN + 61)

    assert [type(each.event) for each in actions if isinstance(each, Note)] == [expected]


def test_evidence_that_cannot_be_read_is_never_a_bad_canary() -> None:
    rollout = at_step(CANARY, Bake)
    for second in range(30):
        rollout = folded(rollout, LookFailed(at=BEGIN + second * 10, region=_HOME, message="no answer"))

    actions = decide(rollout, seen(10.0), BEGIN + 301)

    assert not any(isinstance(each, Note) and isinstance(each.event, RollbackDecided) for each in actions)


def test_an_alarm_rolls_back() -> None:
    text = CANARY.replace("negligible: 5%", "alarms: [orders-5xx]")
    rollout = at_step(text, Bake)

    (action,) = decide(rollout, seen(10.0, **{"orders-5xx": "ALARM"}), BEGIN + 1)

    assert isinstance(action, Note)
    assert isinstance(action.event, RollbackDecided)
    assert action.event.why == "alarm orders-5xx is in ALARM"


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (seen(25.0), "the canary gets 25 % of the traffic, not 10 %"),
        (seen(None), "the canary is gone"),
        (seen(10.0, deployment="other"), "the stage serves deployment other, not old"),
        (seen(10.0, canary="other"), "the canary is deployment other, not new"),
    ],
    ids=["weight", "canary removed", "stage moved", "canary moved"],
)
def test_a_stage_that_somebody_moved_by_hand_stops_the_release_with_what_changed(there: Seen, words: str) -> None:
    actions = decide(at_step(CANARY, Bake), there, BEGIN + 1)

    (asked,) = [each.event for each in actions if isinstance(each, Note) and isinstance(each.event, Asked)]
    assert asked.topic == "drift"
    assert words in asked.why


_PINNED = CANARY.replace("variables: {pricing: v2}", "functions: {orders: {version: '8'}}")


@pytest.mark.parametrize(
    ("versions", "base_versions", "words"),
    [
        ({}, {}, "orders:live is no longer pinned to version 8 on the canary's side"),
        ({"orders:live": "7"}, {}, "orders:live is pinned to version 7 on the canary's side, not to 8"),
        ({"orders:live": "8", "bills:live": "3"}, {}, "bills:live is pinned to version 3 on the canary's side"),
        ({"orders:live": "8"}, {"orders:live": "6"}, "orders:live is pinned to version 6 on the stable side"),
        ({"orders:live": "8"}, {}, None),
    ],
    ids=["removed", "moved", "added", "added on the stable side", "as the release wants it"],
)
def test_a_pin_that_somebody_changed_by_hand_stops_the_release(
    versions: dict[str, str], base_versions: dict[str, str], words: str | None
) -> None:
    canary = CanarySeen(deployment_id="new", percent=10.0, versions=versions, base_versions=base_versions)
    there = Seen(targets={_HOME: Target(stage=StageSeen(deployment_id="old", canary=canary))})

    actions = decide(at_step(_PINNED, Bake), there, BEGIN + 1)

    asked = [each.event.why for each in actions if isinstance(each, Note) and isinstance(each.event, Asked)]
    assert asked == ([] if words is None else [f"somebody else has changed it: {words}"])


def drifted(rollout: Rollout) -> Rollout:
    """Somebody moved the stage, and a person said to go on."""
    return folded(
        rollout,
        Asked(at=BEGIN, region=_HOME, topic="drift", why="moved"),
        Command(at=BEGIN, verb="resume", actor="ann"),
    )


def put_back(rollout: Rollout) -> Rollout:
    """The first act that is decided is done."""
    act = next(each for each in decide(rollout, seen(10.0), BEGIN + 1) if isinstance(each, Do))
    assert act.step == PutBack()
    return folded(
        rollout,
        Began(at=BEGIN + 1, region=_HOME, key=act.key, title=act.title),
        Did(at=BEGIN + 1, region=_HOME, key=act.key),
    )


@pytest.mark.parametrize("there", [seen(25.0), Seen()], ids=["as it was moved", "unreadable just now"])
def test_after_a_drift_a_person_s_yes_puts_back_what_the_release_wants(there: Seen) -> None:
    actions = decide(drifted(at_step(CANARY, Bake)), there, BEGIN + 1)

    (act,) = [each for each in actions if isinstance(each, Do)]
    assert act.step == PutBack()


def test_after_a_drift_what_does_not_answer_is_not_asked_at_every_pass() -> None:
    rollout = drifted(at_step(CANARY, Bake))
    rollout = folded(rollout, DidNot(at=BEGIN + 1, region=_HOME, key="k", message="no answer", refused=False))

    assert not any(isinstance(each, Do) for each in decide(rollout, seen(25.0), BEGIN + 1.5))
    assert any(isinstance(each, Do) for each in decide(rollout, seen(25.0), BEGIN + 3))


_GATED = CANARY + "gates: {step: [{http: {get: /health}}]}\n"


@pytest.mark.parametrize("step", [Check, Shift, Promote])
def test_a_step_before_which_a_drift_was_put_back_is_still_to_be_done(step: type) -> None:
    before = at_step(_GATED, step, 1 if step is not Promote else 0)

    rollout = put_back(drifted(before))

    (act,) = [each for each in decide(rollout, seen(track_percent(rollout)), BEGIN + 2) if isinstance(each, Do)]
    assert act.step == track_step(before)
    assert track_percent(rollout) == track_percent(before)
    assert not rollout.tracks[_HOME].promoting


def test_a_second_drift_in_one_bake_stops_the_release_too() -> None:
    rollout = put_back(drifted(at_step(CANARY, Bake)))

    actions = decide(rollout, seen(25.0), BEGIN + 2)

    assert [type(each.event) for each in actions if isinstance(each, Note)] == [Asked]


def track_percent(rollout: Rollout) -> float | None:
    return rollout.tracks[_HOME].percent


def test_an_approval_needs_different_people() -> None:
    text = CANARY.replace("bake: 1m}", "bake: 1m, approval: {needed: 2}}")
    asked = folded(at_step(text, AskApproval), Asked(at=BEGIN, region=_HOME, topic="approval", why="waits"))
    ann = Command(at=BEGIN, verb="approve", actor="ann")

    once = folded(asked, ann, ann)
    twice = folded(once, Command(at=BEGIN, verb="approve", actor="bob"))

    assert all(not isinstance(each, Note) for each in decide(once, seen(10.0), BEGIN + 1))
    assert any(isinstance(each, Note) for each in decide(twice, seen(10.0), BEGIN + 1))


@pytest.mark.parametrize(("then", "expected"), [("abort", RollbackDecided), ("promote", Moved), ("hold", None)])
def test_an_approval_that_nobody_gives_ends_as_the_file_says(then: str, expected: type | None) -> None:
    text = CANARY.replace("bake: 1m}", f"bake: 1m, approval: {{timeout: 2h, then: {then}}}}}")
    rollout = folded(at_step(text, AskApproval), Asked(at=BEGIN, region=_HOME, topic="approval", why="waits"))

    actions = decide(rollout, seen(10.0), BEGIN + 7201)

    events = [type(each.event) for each in actions if isinstance(each, Note)]
    assert events == ([] if expected is None else [expected])


def test_in_a_freeze_no_weight_is_raised() -> None:
    frozen = begin(started(CANARY + 'freeze: [{from: "2026-01-01", to: "2099-01-01"}]\n'))
    assert isinstance(frozen.release, Release)
    rollout = at_step(CANARY + 'freeze: [{from: "2026-01-01", to: "2099-01-01"}]\n', Shift, 1)

    assert all(not isinstance(each, Do) for each in decide(rollout, seen(0.0), BEGIN + 1))


def test_what_cannot_be_is_rolled_back_at_once_and_what_does_not_answer_at_the_deadline() -> None:
    rollout = folded(at_step(CANARY, Shift, 1), Began(at=BEGIN, region=_HOME, key="k", title="t"))
    refused = folded(rollout, DidNot(at=BEGIN, region=_HOME, key="k", message="it cannot", refused=True))
    silent = folded(rollout, DidNot(at=BEGIN, region=_HOME, key="k", message="no answer", refused=False))

    assert [type(each.event) for each in decide(refused, Seen(), BEGIN) if isinstance(each, Note)] == [RollbackDecided]
    assert any(isinstance(each, Do) for each in decide(silent, Seen(), BEGIN + 3600))
    assert [type(each.event) for each in decide(silent, Seen(), BEGIN + 3601) if isinstance(each, Note)] == [
        RollbackDecided
    ]


def test_a_promotion_that_may_have_happened_is_undone_as_one() -> None:
    rollout = folded(at_step(CANARY, Promote), Began(at=BEGIN, region=_HOME, key="k", title="promote"))
    rollout = folded(rollout, Command(at=BEGIN, verb="abort", actor="ann"), RollbackDecided(at=BEGIN, why="ann"))

    (action,) = decide(rollout, Seen(), BEGIN)

    assert isinstance(action, Undo)
    assert action.promoted


def test_after_the_contraction_of_a_schema_nothing_is_rolled_back() -> None:
    text = CANARY + "migrate: {expand: e, contract: c}\nrollback-window: 0\n"
    rollout = begin(started(text))
    leg = len(rollout.plan.legs) - 1
    rollout = folded(rollout, *_moved_to("contract", rollout, leg))
    rollout = folded(rollout, Began(at=BEGIN, region="contract", key="k", title="contract"))
    rollout = folded(rollout, DidNot(at=BEGIN, region="contract", key="k", message="exit 1", refused=True))

    actions = decide(rollout, Seen(), BEGIN)

    assert rollout.contracted
    assert [type(each.event) for each in actions if isinstance(each, Note)] == [Asked]


def _moved_to(last: str, rollout: Rollout, leg: int) -> list[Event]:
    from headgate.release.events import LegBegan

    moved: list[Event] = [
        Moved(at=BEGIN, region=region, to=len(track.steps), why="done")
        for region, track in rollout.tracks.items()
        if region != last
    ]
    return [*moved, *(LegBegan(at=BEGIN, leg=number) for number in range(1, leg + 1))]


@settings(max_examples=25, deadline=None)
@given(
    change_errors=st.sampled_from([0.0, 0.01, 0.03, 0.3]),
    told=st.lists(
        st.tuples(
            st.floats(0, 400),
            st.sampled_from(["pause", "resume", "approve", "promote", "abort", "reject", "rollback"]),
        ),
        max_size=6,
    ),
    crash_at=st.integers(-1, 90),
)
def test_whatever_people_say_and_whatever_dies_the_weight_is_a_planned_one_and_the_end_is_whole(
    change_errors: float, told: list[tuple[float, str]], crash_at: int
) -> None:
    scenario = Scenario(requests_per_s=50, base_errors=0.01, change_errors=change_errors)
    with closing(Play(scenario=scenario, crash_at=crash_at)) as play:
        for at, verb in sorted(told):
            play.run(until=lambda _, at=at: play.clock.now >= BEGIN + at)  # type: ignore[misc]
            with suppress(ReleaseError):  # it may mean nothing just now
                play.service.command(play.name, verb, "ann")
        if play.rollout.paused:
            play.service.command(play.name, "resume", "ann")
        play.run(until=lambda rollout: rollout.waits_for_person, most_s=20_000)

        assert set(play.world.weights) <= {0.0, 10.0, 50.0, 100.0}
        if not play.rollout.is_over:
            play.service.command(play.name, "abort", "ann")  # a rollback is reached from wherever it is
            assert play.run().phase is Phase.ROLLED_BACK
        assert play.weight == (100.0 if play.rollout.phase is Phase.PROMOTED else 0.0)


def test_what_was_undone_is_not_undone_again() -> None:
    rollout = folded(at_step(CANARY, Bake), RollbackDecided(at=BEGIN, why="bad"))
    rollout = folded(rollout, Undid(at=BEGIN, region=_HOME, part="traffic"))

    (action,) = decide(rollout, Seen(), BEGIN)

    assert isinstance(action, Undo)
    assert action.part == "clean"


def test_a_rollback_that_gets_no_answer_for_days_is_still_tried_each_minute() -> None:
    rollout = folded(at_step(CANARY, Bake), RollbackDecided(at=BEGIN, why="bad"))
    silent = DidNot(at=BEGIN, region=_HOME, key="k", message="no answer", refused=False)
    rollout = folded(rollout, *[silent] * 1100)

    assert isinstance(decide(rollout, Seen(), BEGIN + 59)[0], Wait)
    assert isinstance(decide(rollout, Seen(), BEGIN + 60)[0], Undo)


def test_a_rollback_waits_for_no_person_though_something_was_asked_before_it() -> None:
    rollout = folded(
        at_step(CANARY, Bake),
        Asked(at=BEGIN, region=_HOME, topic="drift", why="moved"),
        Command(at=BEGIN, verb="abort", actor="ann"),
        RollbackDecided(at=BEGIN, why="ann"),
        DidNot(at=BEGIN, region=_HOME, key="k", message="no answer", refused=False),
    )

    assert not rollout.waits_for_person  # `run` would end here, and leave the change with its traffic


def test_an_approval_given_in_time_holds_though_the_release_goes_on_only_later() -> None:
    text = CANARY.replace("bake: 1m}", "bake: 1m, approval: {timeout: 2h}}")
    rollout = folded(
        at_step(text, AskApproval),
        Asked(at=BEGIN, region=_HOME, topic="approval", why="waits"),
        Command(at=BEGIN + 60, verb="approve", actor="ann"),
    )

    actions = decide(rollout, seen(10.0), BEGIN + 7201)  # `run` had ended with 3, and is run again

    assert [type(each.event) for each in actions if isinstance(each, Note)] == [Moved]


def test_a_freeze_leaves_no_promotion_half_done() -> None:
    rollout = done(at_step(CANARY + 'freeze: [{from: "2026-01-01", to: "2099-01-01"}]\n', Promote))

    (act,) = [each for each in decide(rollout, Seen(), BEGIN + 1) if isinstance(each, Do)]

    assert act.step == Promote(part="clean")


def test_a_migration_that_gets_no_answer_and_cannot_go_back_asks_a_person_at_the_deadline() -> None:
    rollout = begin(started(CANARY + "migrate: {expand: e, verify: v}\n"))
    rollout = folded(rollout, *_moved_to("verify", rollout, len(rollout.plan.legs) - 1))
    rollout = folded(rollout, Began(at=BEGIN, region="verify", key="k", title="verify"))
    rollout = folded(rollout, DidNot(at=BEGIN, region="verify", key="k", message="no answer", refused=False))

    before = decide(rollout, Seen(), BEGIN + 3600)
    after_it = decide(rollout, Seen(), BEGIN + 3601)

    assert any(isinstance(each, Do) for each in before)
    assert [type(each.event) for each in after_it if isinstance(each, Note)] == [Asked]


@pytest.mark.parametrize(
    ("policy", "expected"), [("promote", Moved), ("rollback", RollbackDecided), ("ask", Asked), ("hold", None)]
)
def test_a_watch_whose_evidence_is_lost_follows_the_policy_of_an_error(policy: str, expected: type | None) -> None:
    rollout = at_step(CANARY.replace("negligible: 5%", f"error: {policy}"), Watch)
    for second in range(0, 130, 10):
        rollout = folded(rollout, LookFailed(at=BEGIN + second, region=_HOME, message="no answer"))
    there = Seen(targets={_HOME: Target(stage=StageSeen(deployment_id="new", variables={"pricing": "v2"}))})

    actions = decide(rollout, there, BEGIN + 130)

    assert [type(each.event) for each in actions if isinstance(each, Note)] == ([] if expected is None else [expected])


def test_while_a_person_is_waited_for_the_journal_grows_slowly() -> None:
    text = CANARY.replace("bake: 1m}", "bake: 1m, approval: {}}")
    rollout = folded(at_step(text, AskApproval), Asked(at=BEGIN, region=_HOME, topic="approval", why="waits"))
    rollout = folded(rollout, counted(10, bad=10, until=BEGIN + 60))

    soon, later = (decide(rollout, seen(10.0), BEGIN + 60 + seconds) for seconds in (10, 20))

    assert not any(isinstance(each, LookAt) for each in soon)
    assert any(isinstance(each, LookAt) for each in later)


def test_one_failed_look_at_the_end_of_a_watch_is_not_the_end_of_it() -> None:
    rollout = folded(at_step(CANARY, Watch), LookFailed(at=BEGIN + 60, region=_HOME, message="no answer"))
    there = Seen(targets={_HOME: Target(stage=StageSeen(deployment_id="new", variables={"pricing": "v2"}))})

    assert not any(isinstance(each, Note) for each in decide(rollout, there, BEGIN + 61))


@pytest.mark.parametrize(
    ("there", "words"),
    [(Seen(), "cannot be read"), (seen(10.0), "has no data")],
    ids=["the region does not answer", "the alarm was deleted"],
)
def test_an_alarm_that_cannot_be_read_is_not_taken_for_ok(there: Seen, words: str) -> None:
    text = CANARY.replace("analysis: {", "analysis: {alarms: [orders-5xx], ")
    rollout = folded(at_step(text, Bake), counted(10, bad=10, until=BEGIN + 60))

    soon = decide(rollout, there, BEGIN + 61)
    late = decide(rollout, there, BEGIN + 60 + 3601)

    assert not any(isinstance(each, Note) for each in soon)
    (asked,) = [each.event for each in late if isinstance(each, Note) and isinstance(each.event, Asked)]
    assert f"alarm orders-5xx {words}" in asked.why


@pytest.mark.parametrize(
    ("strategy", "there", "words"),
    [
        ("all-at-once", seen(None, deployment="other"), "the stage serves deployment other, not old"),
        ("all-at-once", seen(5.0), "there is a canary, deployment new"),
        ("canary", seen(5.0), "there is a canary, deployment new"),
    ],
)
def test_what_somebody_moved_before_the_release_did_anything_stops_it_too(
    strategy: str, there: Seen, words: str
) -> None:
    text = CANARY.replace("stage: prod", f"stage: prod\nstrategy: {strategy}")
    if strategy == "all-at-once":
        text = text.replace("  - {weight: 10, bake: 1m}\n  - {weight: 50, bake: 2m}\n", "")
    rollout = at_step(text, Promote if strategy == "all-at-once" else Shift)

    (action,) = decide(rollout, there, BEGIN + 1)

    assert isinstance(action, Note)
    assert isinstance(action.event, Asked)
    assert words in action.event.why


def test_a_look_ends_where_the_counts_of_a_minute_do() -> None:
    rollout = at_step(CANARY, Bake)
    minutely = Seen(targets=seen(10.0).targets, lag_s=120.0, interval_s=60.0, grain_s=60.0)

    looks = [
        action
        for second in range(400)
        for action in decide(rollout, minutely, BEGIN + second)
        if isinstance(action, LookAt)
    ]

    assert looks
    assert {action.until % 60 for action in looks} == {0.0}


def test_a_region_that_asks_does_not_end_the_run_of_one_beside_it() -> None:
    rollout = begin(started(CANARY + "regions: [{wave: [us-east-1, eu-west-1]}]\n"))

    one = folded(rollout, Asked(at=BEGIN, region="us-east-1", topic="approval", why="waits"))
    both = folded(one, Asked(at=BEGIN, region="eu-west-1", topic="approval", why="waits"))

    assert one.waits_for_person
    assert not one.waits_for_people_alone
    assert both.waits_for_people_alone
