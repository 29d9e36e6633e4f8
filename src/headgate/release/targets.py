"""What a release moves, by what it is and not by what its file calls it.

An API is its id, as it was found at the start: two files may name one API differently, and one name may come to mean
another API while a release is on its way. A function is its name, which may be written as an ARN.
"""

from collections.abc import Callable

from headgate.model.release import Release
from headgate.release.drift import alias_key
from headgate.release.events import Started
from headgate.release.plan import is_region, plan_of

FindApi = Callable[[Started, str, str], str]
"""The id of the API that a start means in a region, by name or id. Raises Refused and Unavailable."""


def as_named(_started: Started, _region: str, api: str) -> str:
    """For where names are ids."""
    return api


def targets_of(release: Release, started: Started) -> dict[str, str]:
    """What the release moves, and no other may meanwhile; each with what its file calls it."""
    named = release.api or ""
    targets = {}
    for region in regions_of(release, started.region):
        for stage in (release.stage, release.green):
            if stage is not None:
                target = stage_target(region, started.apis.get(region, named), stage)
                targets[target] = stage_target(region, named, stage)
        for function, change in release.change.functions.items():
            name = function.rpartition("function:")[2]  # of an ARN, or of a part of one
            targets[f"{region}/{alias_key(name, change.alias)}"] = f"{region}/{alias_key(function, change.alias)}"
    return targets


def regions_of(release: Release, region: str) -> list[str]:
    """Where it moves something; `region` is the caller's, used where the file names none."""
    return [each for leg in plan_of(release, region).legs for each in leg.regions if is_region(each)]


def stage_target(region: str, api: str, stage: str) -> str:
    """A stage among the targets; `api` is an id, or in journals of before what the file called it."""
    return f"{region}/{api}/{stage}"
