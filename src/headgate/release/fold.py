"""A journal folded into the state of its release. `after` is the only place where that changes."""

from collections.abc import Iterable
from math import ceil

from msgspec.structs import replace

from headgate.release.analysis.evidence import Evidence
from headgate.release.events import (
    Asked,
    Began,
    Command,
    Did,
    DidNot,
    Ended,
    Event,
    LegBegan,
    Looked,
    LookFailed,
    Moved,
    RollbackDecided,
    Started,
    Told,
    Undid,
)
from headgate.release.judgement import settings_for
from headgate.release.rollout import Phase, Question, Rollout, Track, begin
from headgate.release.steps import Deploy, Migration, Promote, Publish, Shift, TakeSnapshot


def replay(events: Iterable[Event]) -> Rollout:
    """The state that a journal tells of; its first event is a Started."""
    rollout: Rollout | None = None
    for event in events:
        rollout = begin(event) if isinstance(event, Started) else _known(rollout, event)
    if rollout is None:
        raise ValueError("the journal is empty")
    return rollout


def after(rollout: Rollout, event: Event) -> Rollout:
    """The state once this is so."""
    match event:
        case Started():
            return begin(event)  # another attempt
        case LegBegan(leg=leg, at=at):
            ended = rollout.leg_since if leg == rollout.leg else at
            return replace(rollout, leg=leg, leg_since=at, leg_before_ended=ended)
        case RollbackDecided(why=why):
            return replace(rollout, rollback=why, phase=Phase.ROLLING_BACK, paused=False, ended=None)
        case Ended(phase=phase, why=why, at=at):
            return replace(rollout, phase=Phase(phase), ended=why, ended_at=at)
        case Command():
            return _obey(rollout, event)
        case Told():
            return rollout
        case (
            Began(region=region)
            | Did(region=region)
            | DidNot(region=region)
            | Looked(region=region)
            | LookFailed(region=region)
            | Moved(region=region)
            | Asked(region=region)
            | Undid(region=region)
        ):
            track = rollout.tracks[region]
            if isinstance(event, Began) and isinstance(track.step, Migration) and track.step.phase == "contract":
                rollout = replace(rollout, contracted=True)
            return replace(rollout, tracks={**rollout.tracks, region: _track_after(rollout, track, event)})


def _known(rollout: Rollout | None, event: Event) -> Rollout:
    if rollout is None:
        raise ValueError(f"the journal begins with {type(event).__name__}, not with Started")
    return after(rollout, event)


def _track_after(
    rollout: Rollout,
    track: Track,
    event: Began | Did | DidNot | Looked | LookFailed | Moved | Asked | Undid,
) -> Track:
    match event:
        case Began() if track.set_again:
            return track  # not the act of the step
        case Did() if track.set_again:
            looked_until = max(track.looked_until, float(ceil(event.at + float(rollout.release.analysis.settle))))
            return replace(
                track,
                message=event.message,
                failures=0,
                retry_at=0.0,
                set_again=False,
                refused=None,
                looked_until=looked_until if track.has_traffic else track.looked_until,
            )
        case Began():
            promoting = isinstance(track.step, Promote) and rollout.phase is Phase.RUNNING
            return replace(track, begun=True, promoting=track.promoting or promoting)
        case Did():
            track = replace(track, done=True, message=event.message, failures=0, retry_at=0.0, refused=None)
            return _with_result(rollout, track, event)
        case DidNot(refused=True):
            return replace(track, refused=event.message, message=event.message)
        case DidNot():
            return replace(
                track,
                failures=track.failures + 1,
                failing_since=track.failing_since if track.failures else event.at,
                retry_at=event.at + min(60.0, 2.0 ** min(track.failures, 6)),  # a float ends at 2 ** 1024
                message=event.message,
            )
        case Looked():
            evidence, settings = track.evidence, settings_for(rollout.release, is_alone=track.promoted)
            for look in event.looks:
                evidence = evidence.after(look, settings)
            track = replace(
                track,
                evidence=evidence,
                looked_until=event.until,
                look_failures=0,
                differences=event.differences or track.differences,
            )
            if event.thresholds and track.before is not None:
                known = {**event.thresholds, **track.before.thresholds}
                track = replace(track, before=replace(track.before, thresholds=known))
            return track
        case LookFailed():
            return replace(
                track,
                look_failures=track.look_failures + 1,
                look_failing_since=track.look_failing_since if track.look_failures else event.at,
                look_error=event.message,
            )
        case Moved():
            return replace(
                track,
                at=event.to,
                since=event.at,
                begun=False,
                done=False,
                refused=None,
                failures=0,
                retry_at=0.0,
                question=None,
                answered=(),
                approvals=(),
            )
        case Asked():
            return replace(track, question=Question(topic=event.topic, why=event.why, since=event.at))
        case Undid():
            return replace(track, undone=(*track.undone, event.part), failures=0, retry_at=0.0, percent=0.0)


def _with_result(rollout: Rollout, track: Track, event: Did) -> Track:
    """What the act of a step leaves behind."""
    settle = float(rollout.release.analysis.settle)
    match track.step:
        case TakeSnapshot():
            change = rollout.release.change
            fixed = None if change.deployment == "current" else change.deployment
            given = {name: each.version for name, each in change.functions.items() if each.version is not None}
            return replace(track, before=event.snapshot, deployment_id=fixed, versions={**given, **track.versions})
        case Publish() if event.version is not None:
            function, version = event.version
            return replace(track, versions={**track.versions, function: version})
        case Deploy():
            return replace(track, deployment_id=event.deployment_id)
        case Shift(percent=percent):
            return replace(track, percent=percent, looked_until=float(ceil(event.at + settle)))
        case Promote(part="traffic"):
            # What everybody gets is another population: evidence begins anew, on fixed limits alone.
            return replace(
                track,
                promoted=True,
                percent=100.0,
                evidence=Evidence(),
                looked_until=float(ceil(event.at + settle)),
            )
        case _ if rollout.phase is Phase.RUNNING and track.percent is not None:
            return (
                replace(track, looked_until=max(track.looked_until, float(ceil(event.at)))) if track.promoted else track
            )
        case _:
            return track


def _obey(rollout: Rollout, command: Command) -> Rollout:
    match command.verb:
        case "pause":
            return replace(rollout, paused=True)
        case "reject" | "abort":
            return replace(rollout, order=command)
        case "abandon":
            return replace(rollout, phase=Phase.ABANDONED, ended=_told(command), ended_at=command.at)
        case "rollback":
            return replace(
                rollout, order=command, rollback=_told(command), phase=Phase.ROLLING_BACK, ended=None, paused=False
            )
        case "resume" | "approve" | "promote":
            tracks = {
                region: _answered(track, command) if command.region in {None, region} else track
                for region, track in rollout.tracks.items()
            }
            return replace(rollout, tracks=tracks, paused=rollout.paused and command.verb != "resume")
        case _:
            return rollout


def _answered(track: Track, command: Command) -> Track:
    question = track.question
    if question is None:
        return track
    if question.topic == "approval":
        if command.verb == "resume" or command.actor in track.approvals:
            return track
        return replace(track, approvals=(*track.approvals, command.actor))
    return replace(
        track,
        question=None,
        done=track.done or (question.topic == "progress" and command.verb == "promote"),
        answered=(*track.answered, question.topic),
        set_again=question.topic == "drift",
        since=command.at if question.topic in {"evidence", "progress"} and command.verb == "resume" else track.since,
        refused=None,
        failures=0,
        retry_at=0.0,
    )


def _told(command: Command) -> str:
    return f"{command.actor} asked for it{f': {command.reason}' if command.reason else ''}"
