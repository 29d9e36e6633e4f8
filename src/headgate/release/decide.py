"""What to do next: a pure function of the journal's fold, of what is seen, and of the time.

Safe to ask twice, and after a crash: an act is asked for until the journal says that it is done, under the same key.
The order of the rules is the order of this module: roll back, then look, then go on.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from headgate.model.release import Approval, Policy
from headgate.release.actions import Action, Do, LookAt, Note, Undo, Wait
from headgate.release.analysis.evidence import Assessment, Verdict, assess
from headgate.release.drift import drift
from headgate.release.events import Asked, Ended, LegBegan, Moved, RollbackDecided
from headgate.release.freeze import frozen
from headgate.release.judgement import settings_for
from headgate.release.plan import undo_parts
from headgate.release.rollout import Phase, Rollout, Track
from headgate.release.seen import Seen
from headgate.release.steps import AskApproval, Bake, Migration, Promote, PutBack, Shift, Step, Watch

PASS_S: Final = 1.0  # between two passes while something is awaited
_WAITING_LOOK_S: Final = 15.0  # between two looks while a person is waited for, perhaps for days
_EVIDENCE_LOST_S: Final = 60.0  # without an answer from the source of evidence, before its policy holds


def decide(rollout: Rollout, seen: Seen, now: float) -> list[Action]:
    """The next actions, in order; empty once the release is over. Times are seconds since the epoch."""
    if rollout.is_over:
        return []
    if rollout.rollback is not None:
        return _roll_back(rollout, now)
    why = _why_roll_back(rollout, seen, now)
    if why is not None:
        return [Note(event=RollbackDecided(at=now, why=why, by=_by(rollout)))]
    leg = rollout.plan.legs[rollout.leg]
    tracks = [rollout.tracks[region] for region in leg.regions]
    if all(track.step is None for track in tracks):
        return [Wait(until=now + PASS_S)] if rollout.paused else _next_leg(rollout, now)
    if now < rollout.leg_before_ended + leg.after:
        return [*_looks(rollout, seen, now), Wait(until=min(now + PASS_S, rollout.leg_before_ended + leg.after))]
    actions = [*_looks(rollout, seen, now)]
    for track in tracks:
        if track.step is not None:
            actions += _advance(rollout, track, track.step, seen, now)
    return actions or [Wait(until=now + PASS_S)]


def key_of(rollout: Rollout, track: Track) -> str:
    """The idempotency key of a track's present act: the same after a crash, another in another attempt."""
    return f"{rollout.release.release}/{rollout.started.attempt}/{track.region}/{track.at}"


def assessment_of(rollout: Rollout, track: Track) -> Assessment:
    """What the evidence says of a track now."""
    settings = settings_for(rollout.release, is_alone=track.promoted)
    return assess(track.evidence, settings, horizon_reached=_horizon_reached(track))


def _why_roll_back(rollout: Rollout, seen: Seen, now: float) -> str | None:
    if rollout.contracted:
        return None  # forward only
    order = rollout.order
    if order is not None:
        return f"{order.actor}: {order.verb}{f' ({order.reason})' if order.reason else ''}"
    for track in rollout.tracks.values():
        why = _why_roll_back_of(rollout, track, seen, now)
        if why is not None:
            return f"{track.region}: {why}" if len(rollout.tracks) > 1 else why
    return None


def _why_roll_back_of(rollout: Rollout, track: Track, seen: Seen, now: float) -> str | None:
    if not _is_forward_only(track.step):
        if track.refused is not None:
            return track.refused
        if track.failures and now - track.failing_since > rollout.release.deadline:
            return f"no progress in {rollout.release.deadline}: {track.message}"
    match track.step, track.question:
        case AskApproval(approval=approval, label=label), question if question is not None:
            is_given = len(_given(track, approval)) >= approval.needed  # it may have been while nobody drove this
            if approval.then == "abort" and not is_given and now > question.since + approval.timeout:
                return f"{label}: nobody gave it within {approval.timeout}"
        case _:
            pass
    if not track.has_traffic:
        return None
    # The verdict with its words takes a while to make, and mostly there is no harm to tell of.
    if track.evidence.peak >= 1 / rollout.release.analysis.alpha:
        return assessment_of(rollout, track).reason
    for name, state in _alarms(track, seen).items():
        if state == "ALARM":
            return f"alarm {name} is in ALARM"
    if _policy_of_a_watch(rollout, track, now) == "rollback":
        return f"the evidence cannot be read: {track.look_error}"
    if isinstance(track.step, Bake) and _policy_at_end(rollout, track, track.step, seen, now) == "rollback":
        return _why_at_end(rollout, track, seen)
    return None


def _alarms(track: Track, seen: Seen) -> Mapping[str, str]:
    return seen.targets[track.region].alarms if track.region in seen.targets else {}


def _by(rollout: Rollout) -> str:
    return "headgate" if rollout.order is None else rollout.order.actor


def _is_forward_only(step: Step | None) -> bool:
    return isinstance(step, Migration) and step.phase != "expand"


def _roll_back(rollout: Rollout, now: float) -> list[Action]:
    """Traffic of every region first, the last region before the first; then the rest of each.

    A region that does not answer holds up no other: its own parts wait, and are tried until they are done.
    """
    left: list[tuple[Track, str]] = []
    for track in reversed(list(rollout.tracks.values())):
        parts = undo_parts(rollout.release, promoted=_is_promoted(track)) if track.before is not None else ()
        missing = [part for part in parts if part not in track.undone]
        if missing:
            left.append((track, missing[0]))
    if not left:
        return [Note(event=Ended(at=now, phase=Phase.ROLLED_BACK, why=rollout.rollback or ""))]
    due = [each for each in left if now >= each[0].retry_at]
    if not due:
        return [Wait(until=min(track.retry_at for track, _ in left))]
    track, part = next((each for each in due if each[1] == "traffic"), due[0])
    key = f"{rollout.release.release}/{rollout.started.attempt}/{track.region}/undo/{part}"
    return [Undo(region=track.region, key=key, part=part, promoted=_is_promoted(track))]


def _is_promoted(track: Track) -> bool:
    """Whether everybody may have the change: a crash can lie between the act and its row."""
    return track.promoting or track.promoted


def _next_leg(rollout: Rollout, now: float) -> list[Action]:
    if rollout.leg + 1 < len(rollout.plan.legs):
        return [Note(event=LegBegan(at=now, leg=rollout.leg + 1))]
    return [Note(event=Ended(at=now, phase=Phase.PROMOTED, why="every step is done"))]


def _looks(rollout: Rollout, seen: Seen, now: float) -> Iterator[Action]:
    """Evidence is gathered wherever the change has traffic, whatever else the release waits for."""
    for track in rollout.tracks.values():
        if not track.has_traffic or (track.promoted and track.step is None):
            continue
        until = (now - seen.lag_s) // seen.grain_s * seen.grain_s
        ends = _step_ends(track)
        interval_s = seen.interval_s
        if rollout.paused or track.question is not None:
            interval_s = max(interval_s, _WAITING_LOOK_S)
        due = until >= track.looked_until + interval_s or (ends is not None and until >= ends > track.looked_until)
        if due and until > track.looked_until and now >= _next_look_try(track):
            yield LookAt(region=track.region, since=track.looked_until, until=until)


def _next_look_try(track: Track) -> float:
    if not track.look_failures:
        return 0.0
    return track.look_failing_since + min(60.0, 2.0 ** min(track.look_failures, 6)) * track.look_failures / 2


def _advance(rollout: Rollout, track: Track, step: Step, seen: Seen, now: float) -> list[Action]:
    key = key_of(rollout, track)
    if key in seen.running:
        return [Wait(until=now + PASS_S)]
    if track.question is not None and track.question.topic != "approval":
        return [Wait(until=now + PASS_S)]
    if rollout.paused:
        return [Wait(until=now + PASS_S)]
    if track.set_again:
        if now < track.retry_at:
            return [Wait(until=track.retry_at)]
        return [Do(region=track.region, key=f"{key}/again", step=PutBack())]
    changed = _drift(rollout, track, step, seen, now)
    if changed is not None:
        return [changed]
    match step:
        case Bake():
            return _bake(rollout, track, step, seen, now)
        case Watch(seconds=seconds):
            return _watch(rollout, track, seconds, now)
        case AskApproval():
            return _approval(track, step, now)
        case _:
            return _act(rollout, track, step, key, now)


def _act(rollout: Rollout, track: Track, step: Step, key: str, now: float) -> list[Action]:
    if track.done:
        return [_move(track, "done", now)]
    if track.refused is not None:  # forward only: a person says what then
        return [_ask(track, "progress", f"{track.refused}; nothing is rolled back from here on", now)]
    late = track.failures and now - track.failing_since > rollout.release.deadline
    if late and (rollout.contracted or _is_forward_only(step)):
        why = f"no progress in {rollout.release.deadline}: {track.message}; nothing is rolled back from here on"
        return [_ask(track, "progress", why, now)]
    if now < track.retry_at:
        return [Wait(until=track.retry_at)]
    # The later parts of a promotion move no traffic, and a release does not stay half-moved over the holidays.
    raises = (isinstance(step, Promote) and step.part == "traffic") or (isinstance(step, Shift) and step.percent > 0)
    if raises and not track.begun:
        freeze = frozen(rollout.release.freeze, datetime.fromtimestamp(now, UTC))
        if freeze is not None:
            return [Wait(until=now + PASS_S)]
    return [Do(region=track.region, key=key, step=step)]


def _drift(rollout: Rollout, track: Track, step: Step, seen: Seen, now: float) -> Action | None:
    """Checked between acts alone: within one, what is seen may be of before or of after it."""
    if track.begun or track.region not in seen.targets or (isinstance(step, Promote) and step.part != "traffic"):
        return None
    differs = drift(rollout.release, track, seen.targets[track.region])
    return None if differs is None else _ask(track, "drift", f"somebody else has changed it: {differs}", now)


def _bake(rollout: Rollout, track: Track, step: Bake, seen: Seen, now: float) -> list[Action]:
    if rollout.release.analysis.early and assessment_of(rollout, track).verdict is Verdict.PASS:
        return [_move(track, _why_at_end(rollout, track, seen), now)]
    match _policy_at_end(rollout, track, step, seen, now):
        case "promote":
            return [_move(track, _why_at_end(rollout, track, seen), now)]
        case "ask":
            return [_ask(track, "evidence", _why_at_end(rollout, track, seen), now)]
        case "hold" if now > track.since + step.seconds + rollout.release.deadline:
            why = _why_at_end(rollout, track, seen)
            return [_ask(track, "evidence", f"after {rollout.release.deadline} more: {why}", now)]
        case _:
            return [Wait(until=now + PASS_S)]


def _why_at_end(rollout: Rollout, track: Track, seen: Seen) -> str:
    """What a bake's end goes by, in words."""
    if "evidence" in track.answered:
        return "a person decided to go on"
    if track.look_failures:
        return f"the evidence cannot be read: {track.look_error}"
    for name in rollout.release.analysis.alarms:
        if track.region not in seen.targets:
            return f"alarm {name} cannot be read"
        if _alarms(track, seen).get(name, "INSUFFICIENT_DATA") == "INSUFFICIENT_DATA":
            return f"alarm {name} has no data"
    return assessment_of(rollout, track).reason


def _policy_at_end(rollout: Rollout, track: Track, step: Bake, seen: Seen, now: float) -> Policy | None:
    """What the end of a bake asks for; None while it goes on. `promote` is to go on to the next step."""
    analysis = rollout.release.analysis
    if now < track.since + step.seconds:
        return None
    if "evidence" in track.answered:
        return "promote"
    if track.look_failures and now - track.look_failing_since > _EVIDENCE_LOST_S:
        return analysis.error
    if track.looked_until < track.since + step.seconds:
        return None  # the last of it is still to be read
    if analysis.alarms and track.region not in seen.targets:
        return "hold"  # they must stay OK, and nobody knows; beyond the deadline a person is asked
    if any(_alarms(track, seen).get(name, "INSUFFICIENT_DATA") == "INSUFFICIENT_DATA" for name in analysis.alarms):
        return analysis.no_data
    match assessment_of(rollout, track).verdict:
        case Verdict.PASS:
            return "promote"
        case Verdict.NO_DATA:
            return analysis.no_data
        case Verdict.FAIL:
            return "rollback"
        case _:
            # No sign of harm. Below the last weight that is enough; promotion wants a verdict.
            return analysis.inconclusive if step.is_last and analysis.compare else "promote"


def _watch(rollout: Rollout, track: Track, seconds: float, now: float) -> list[Action]:
    ends = track.since + seconds
    if now < ends:
        return [Wait(until=min(ends, now + PASS_S))]
    if track.looked_until >= ends or "evidence" in track.answered:
        return [_move(track, "the watch is over", now)]
    why = f"the evidence cannot be read: {track.look_error}"
    match _policy_of_a_watch(rollout, track, now):
        case "promote":
            return [_move(track, why, now)]
        case "ask":
            return [_ask(track, "evidence", why, now)]
        case "hold" if now > ends + rollout.release.deadline:
            return [_ask(track, "evidence", f"after {rollout.release.deadline} more: {why}", now)]
        case _:
            return [Wait(until=now + PASS_S)]


def _policy_of_a_watch(rollout: Rollout, track: Track, now: float) -> Policy | None:
    """What follows where a watch's evidence is lost; None while it may still come."""
    is_over = isinstance(track.step, Watch) and now >= track.since + track.step.seconds > track.looked_until
    is_lost = track.look_failures and now - track.look_failing_since > _EVIDENCE_LOST_S
    return rollout.release.analysis.error if is_over and is_lost and "evidence" not in track.answered else None


def _approval(track: Track, step: AskApproval, now: float) -> list[Action]:
    approval = step.approval
    if track.question is None:
        missing = f"{approval.needed} people" if approval.needed > 1 else "a person"
        return [_ask(track, "approval", f"{step.label}: waits for {missing}, {approval.timeout} at most", now)]
    given = _given(track, approval)
    if len(given) >= approval.needed:
        return [_move(track, f"approved by {', '.join(given)}", now)]
    if approval.then == "promote" and now > track.question.since + approval.timeout:
        return [_move(track, f"nobody objected within {approval.timeout}", now)]
    return [Wait(until=now + PASS_S)]


def _given(track: Track, approval: Approval) -> list[str]:
    return [each for each in track.approvals if not approval.by or each in approval.by]


def _step_ends(track: Track) -> float | None:
    match track.step:
        case Bake(seconds=seconds) | Watch(seconds=seconds):
            return track.since + seconds
        case _:
            return None


def _horizon_reached(track: Track) -> bool:
    ends = _step_ends(track)
    return ends is not None and track.looked_until >= ends


def _move(track: Track, why: str, now: float) -> Action:
    return Note(event=Moved(at=now, region=track.region, to=track.at + 1, why=why))


def _ask(track: Track, topic: str, why: str, now: float) -> Action:
    return Note(event=Asked(at=now, region=track.region, topic=topic, why=why))


Decide = Callable[[Rollout, Seen, float], list[Action]]
