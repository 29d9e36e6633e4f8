"""`headgate release plan`: what would happen, what stands in its way, what the evidence could tell. Changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from headgate.model.release import Release
from headgate.release.acts import migration_problems, region_problems
from headgate.release.analysis.planning import Exposure, outlook
from headgate.release.events import Started
from headgate.release.failures import Refused, Unavailable
from headgate.release.file import FileError
from headgate.release.judgement import SLOW_SHARE, settings_for
from headgate.release.plan import is_region, weights_of
from headgate.release.rollout import Rollout, begin
from headgate.release.service import ReleaseError, StartRequest, artefacts_of
from headgate.release.sources.source import Traffic
from headgate.release.steps import title
from headgate.release.world import Aws, World


def planned(request: StartRequest, now: float) -> dict[str, Any]:
    """Raises ReleaseError for a file that cannot be read."""
    started = Started(
        at=now,
        text=request.text,
        region=request.region,
        actor=request.actor,
        folder=request.folder,
        endpoint_url=request.endpoint_url,
        account_id=request.account_id,
    )
    try:
        rollout = begin(started)
    except FileError as error:
        raise ReleaseError(str(error).replace("release file", request.file_name)) from error
    release = rollout.release
    artefacts = artefacts_of(release, request.artefacts)
    with closing(Aws(rollout)) as world:
        problems, traffic = _seen(rollout, world, artefacts.get, now)
    return {
        "release": release.release,
        "strategy": release.strategy,
        "target": _target(release),
        "legs": [
            {"regions": list(leg.regions), "after": leg.after, "steps": [title(step) for step in leg.steps]}
            for leg in rollout.plan.legs
        ],
        "problems": problems,
        "forecast": list(_forecast(release, traffic)),
    }


def _seen(rollout: Rollout, world: World, artefact: Any, now: float) -> tuple[list[str], dict[str, Traffic]]:
    """Problems, and the traffic by region where it is known."""
    problems = migration_problems(rollout, artefact)
    traffic: dict[str, Traffic] = {}
    several = sum(map(is_region, rollout.tracks)) > 1
    for region in filter(is_region, rollout.tracks):
        try:
            found = region_problems(rollout, region, world)
            if not found:
                traffic[region] = world.source(region).traffic(now)
        except (Refused, Unavailable) as error:
            found = [str(error)]
        problems += [f"{region}: {each}" if several else each for each in found]
    return problems, traffic


def _forecast(release: Release, traffic: Mapping[str, Traffic]) -> Iterator[str]:
    plan = [Exposure(percent=float(each.weight), seconds=float(each.bake)) for each in weights_of(release) if each.bake]
    settings = settings_for(release, is_alone=False)
    if not plan or not settings.compare:
        return
    for region, seen in traffic.items():
        where = f"{region}: " if len(traffic) > 1 else ""
        if not seen.requests_per_s:
            yield f"{where}there were no requests lately, so nothing can be said of what the plan would see"
            continue
        for metric in settings.compare:
            share = SLOW_SHARE.get(metric) or seen.shares.get(metric, 0.0)
            yield where + outlook(metric, seen.requests_per_s, share, plan, settings).sentence


def _target(release: Release) -> str:
    if release.strategy == "rolling":
        return ", ".join(f"{function}:{each.alias}" for function, each in release.change.functions.items())
    return f"{release.api}/{release.stage}"
