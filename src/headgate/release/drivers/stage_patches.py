"""Patch operations that bring a stage to what is wanted, in as few calls as AWS allows: pure, from what is seen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypedDict, cast

from headgate.release.seen import StageSeen

Op = Literal["add", "remove", "replace", "copy"]
CANARY: Final = "/canarySettings"


class Patch(TypedDict, total=False):
    """One of UpdateStage's patchOperations. Keys are the wire's."""

    op: Op
    path: str
    value: str


def replaced(path: str, value: str) -> Patch:
    return {"op": "replace", "path": path, "value": value}


def removed(path: str) -> Patch:
    return {"op": "remove", "path": path}


def copied(source: str, target: str) -> Patch:
    return cast("Patch", {"op": "copy", "from": source, "path": target})


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def percent_text(percent: float) -> str:
    return f"{float(percent)}"


def canary_patches(
    deployment_id: str, percent: float, overrides: Mapping[str, str], extensions: Mapping[str, str]
) -> list[Patch]:
    """The canary, whole. `extensions` are settings that only Headgate has, by path below /canarySettings."""
    return [
        # The deployment first: the first of these makes the canary, on the stage's own deployment.
        replaced(f"{CANARY}/deploymentId", deployment_id),
        *(replaced(f"{CANARY}/stageVariableOverrides/{escaped(each)}", overrides[each]) for each in sorted(overrides)),
        *(replaced(f"{CANARY}/{path}", extensions[path]) for path in sorted(extensions)),
        replaced(f"{CANARY}/percentTraffic", percent_text(percent)),
    ]


def promotion_patches(overrides: Mapping[str, str]) -> list[Patch]:
    """The canary's deployment and variables become the stage's; all traffic is the base side's (releases.md 5.1)."""
    patches = [replaced(f"{CANARY}/percentTraffic", "0.0")]
    if overrides:
        patches.append(copied(f"{CANARY}/stageVariableOverrides", "/variables"))
    return [*patches, copied(f"{CANARY}/deploymentId", "/deploymentId")]


def stage_patches(seen: StageSeen, deployment_id: str, variables: Mapping[str, str]) -> list[Patch]:
    """The stage's own deployment and variables, from those that are seen."""
    return [*_deployment(seen, deployment_id), *_variables(seen.variables, variables)]


def without_canary(seen: StageSeen) -> Sequence[Sequence[Patch]]:
    """Calls, in order: no traffic to it at once, then the canary away. AWS's answer to both in one is not known."""
    if seen.canary is None:
        return ()
    stop = [replaced(f"{CANARY}/percentTraffic", "0.0")] if seen.canary.percent else []
    return tuple(each for each in (stop, [removed(CANARY)]) if each)


def without_pins(seen: StageSeen, wanted: Mapping[str, str]) -> list[Patch]:
    """Takes out what is pinned and not wanted; `wanted` is of the canary's side, by function:alias."""
    if seen.canary is None:
        return []
    return [
        *(removed(f"{CANARY}/functionVersions/{key}") for key in sorted(seen.canary.versions) if key not in wanted),
        *(removed(f"{CANARY}/baseFunctionVersions/{key}") for key in sorted(seen.canary.base_versions)),
    ]


def _deployment(seen: StageSeen, deployment_id: str) -> Iterator[Patch]:
    if seen.deployment_id != deployment_id:
        yield replaced("/deploymentId", deployment_id)


def _variables(seen: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Patch]:
    for name in sorted({*seen, *wanted}):
        if name not in wanted:
            yield removed(f"/variables/{escaped(name)}")
        elif seen.get(name) != wanted[name]:
            yield replaced(f"/variables/{escaped(name)}", wanted[name])
