"""A release as JSON: what `list`, `show` and `watch` print. Times are seconds since the epoch."""

import hashlib
from typing import Any

import msgspec

from headgate.release.decide import assessment_of
from headgate.release.events import Told
from headgate.release.journal import Entry
from headgate.release.plan import is_region
from headgate.release.rollout import Phase, Rollout, Track
from headgate.release.steps import Bake, Step, Watch, title


def summary(rollout: Rollout, now: float) -> dict[str, object]:
    """One line of a list."""
    return {
        "phase": state_of(rollout),
        "strategy": rollout.release.strategy,
        "api": rollout.release.api or "",
        "stage": rollout.release.stage or "",
        "attempt": rollout.started.attempt,
        "percent": max((track.percent or 0.0 for track in rollout.tracks.values()), default=0.0),
        "step": _present_step(rollout),
        "why": _why(rollout),
        "startedAt": rollout.started.at,
        "startedBy": rollout.started.actor,
        "updatedAt": now,
        "endedAt": rollout.ended_at or None,
    }


def report(rollout: Rollout, now: float) -> dict[str, Any]:
    """All that is known of a release."""
    return {
        "release": rollout.release.release,
        **summary(rollout, now),
        "alpha": rollout.release.analysis.alpha,
        "functions": sorted(rollout.release.change.functions),
        "rollback": rollout.rollback,
        "forwardOnly": rollout.contracted,
        "regions": [_region(rollout, track) for track in rollout.tracks.values()],
    }


def state_of(rollout: Rollout) -> str:
    """A release's phase, or `waiting` and `paused` where a person is next."""
    if rollout.phase is Phase.RUNNING and rollout.paused:
        return "paused"
    if rollout.phase is Phase.RUNNING and rollout.waits_for_person:
        return "waiting"
    return str(rollout.phase)


def shown_entry(entry: Entry) -> dict[str, Any]:
    """A row of the journal: its number, what it is, and its fields."""
    built = dict(msgspec.to_builtins(entry.event))
    kind = built.pop("type")
    text = built.pop("text", None)  # a started row's whole file
    if text is not None:
        built["textSha256"] = hashlib.sha256(text.encode()).hexdigest()
    if isinstance(entry.event, Told):
        built["about"] = built.pop("number")  # of another row
    return {"number": entry.number, "event": kind, **built}


def _region(rollout: Rollout, track: Track) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "region": track.region,
        "percent": track.percent,
        "promoted": track.promoted,
        "deployment": track.deployment_id,
        "versions": dict(track.versions),
        "steps": [
            {"title": title(step), "state": _step_state(rollout, track, number), **_times(track, step, number)}
            for number, step in enumerate(track.steps)
        ],
        "message": track.message,
        "failures": track.failures,
        "question": None if track.question is None else msgspec.to_builtins(track.question),
        "approvals": list(track.approvals),
        "undone": list(track.undone),
        "differences": list(track.differences),
    }
    if is_region(track.region) and track.before is not None:
        shown["before"] = {
            "deployment": track.before.deployment_id,
            "aliases": {key: alias.version for key, alias in track.before.aliases.items()},
        }
        shown["evidence"] = {
            **msgspec.to_builtins(assessment_of(rollout, track), enc_hook=str),
            "until": track.looked_until,
            "error": track.look_error if track.look_failures else None,
        }
    return shown


def _times(track: Track, step: Step, number: int) -> dict[str, float]:
    if number != track.at:
        return {}
    times = {"since": track.since}
    if isinstance(step, Bake | Watch):
        times["until"] = track.since + step.seconds
    return times


def _step_state(rollout: Rollout, track: Track, number: int) -> str:
    if number < track.at or rollout.phase is Phase.PROMOTED:
        return "done"
    if rollout.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}:
        return "stopped" if number == track.at else "skipped"
    return "now" if number == track.at and track.region in rollout.plan.legs[rollout.leg].regions else "next"


def _present_step(rollout: Rollout) -> str:
    if rollout.is_over:
        return ""
    if rollout.rollback is not None:
        return "rolling back"
    tracks = [rollout.tracks[region] for region in rollout.plan.legs[rollout.leg].regions]
    return next((title(track.step) for track in tracks if track.step is not None), "")


def _why(rollout: Rollout) -> str:
    """What a person wants to know first: why it ended, or goes back, or what it waits for."""
    if rollout.phase is Phase.ROLLED_BACK or rollout.rollback is not None:
        return rollout.rollback or ""
    if rollout.ended is not None:
        return rollout.ended
    questions = [track.question.why for track in rollout.tracks.values() if track.question is not None]
    if questions:
        return questions[0]
    tracks = [rollout.tracks[region] for region in rollout.plan.legs[rollout.leg].regions]
    return next((track.message for track in tracks if track.failures), "")
