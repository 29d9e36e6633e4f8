"""Carrying out a step's act: what it does to the world, and what the journal then holds of it."""

import threading
from collections.abc import Callable

from msgspec.structs import replace

from headgate.release.events import Did
from headgate.release.failures import Refused
from headgate.release.migrations.lint import additive_problems
from headgate.release.plan import is_region
from headgate.release.rollout import Rollout, Track
from headgate.release.steps import (
    Check,
    Deploy,
    Migration,
    Preflight,
    Promote,
    Publish,
    PutBack,
    Shift,
    Step,
    TakeSnapshot,
)
from headgate.release.world import World

Artefact = Callable[[str], bytes | None]
"""What the release brought along for a function, or as an SQL file; None where it is no longer kept."""


def takes_long(step: Step) -> bool:
    """Whether the loop goes on beside it: evidence is looked at, and people are heard, while a gate runs."""
    return isinstance(step, Check | Migration | Publish)


def perform(
    rollout: Rollout,
    track: Track,
    step: Step,
    key: str,
    world: World,
    artefact: Artefact,
    now: float,
    cancelled: threading.Event,
) -> Did:
    """Do it, or find it done. `now` is seconds since the epoch. Raises Refused, Unavailable and gates' Cancelled."""
    did = Did(at=now, region=track.region, key=key)
    match step:
        case Preflight():
            return replace(did, message=_preflight(rollout, track, world, artefact))
        case TakeSnapshot():
            snapshot = world.driver(track.region).snapshot()
            thresholds = world.source(track.region).thresholds(now)
            return replace(did, snapshot=replace(snapshot, thresholds=thresholds))
        case Publish(function=function):
            code = artefact(function)
            if code is None:
                raise Refused(
                    f"the code of function {function} is no longer kept: start the release from its file again"
                )
            version = world.driver(track.region).publish(function, code)
            return replace(did, version=(function, version), message=f"version {version} of {function}")
        case Deploy():
            deployment_id = world.driver(track.region).deploy(key)
            return replace(did, deployment_id=deployment_id, message=f"deployment {deployment_id}")
        case Shift(percent=percent):
            world.driver(track.region).shift(track, percent)
            return replace(did, shifted=percent, message=f"{percent:g} % of the traffic")
        case Promote(part=part):
            world.driver(track.region).promote(track, part)
            return did
        case PutBack():
            world.driver(track.region).put_back(track)
            return replace(did, message="what the release wants is put back")
        case Check():
            return replace(did, message=world.check(track, step, key, cancelled))
        case Migration():
            return replace(did, message=world.migrate(track, step, key, cancelled))
        case _:
            raise TypeError(f"{step} is waited for, not done")


def region_problems(rollout: Rollout, region: str, world: World) -> list[str]:
    """What a region lacks. Raises Unavailable, and Refused for what hides the rest."""
    found = world.driver(region).problems()
    if rollout.release.analysis.compare or rollout.release.analysis.limits:
        found += world.source(region).problems()
    return found


def migration_problems(rollout: Rollout, artefact: Artefact) -> list[str]:
    """What the SQL of an expansion does that is not additive."""
    found = []
    for name in rollout.release.migrate.sql:
        sql = artefact(name)
        if sql is None:
            found.append(f"{name} is no longer kept: start the release from its file again")
        else:
            found += additive_problems(name, sql.decode("utf-8", "replace"))
    return found


def _preflight(rollout: Rollout, track: Track, world: World, artefact: Artefact) -> str:
    if is_region(track.region):
        found = region_problems(rollout, track.region, world)
    else:
        found = migration_problems(rollout, artefact)
        for region in filter(is_region, rollout.tracks):
            found += [f"{region}: {each}" for each in region_problems(rollout, region, world)]
    if found:
        raise Refused("; ".join(found))
    return "all that it needs is there"
