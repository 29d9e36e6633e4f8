"""Has somebody else moved what the release moves? What is wanted, beside what is seen."""

from collections.abc import Iterator, Mapping

from headgate.model.release import Release
from headgate.release.events import AliasTarget, Snapshot
from headgate.release.rollout import Track
from headgate.release.seen import Target

_CLOSE: float = 1e-9


def drift(release: Release, track: Track, target: Target) -> str | None:
    """What differs, in words; None while all is as the release found it, or left it."""
    if track.before is None:
        return None
    return "; ".join(_differences(release, track, track.before, target)) or None


def variables_of_change(release: Release, before: Snapshot) -> Mapping[str, str]:
    return {**before.variables, **release.change.variables}


def versions_of_change(release: Release, track: Track) -> Mapping[str, str]:
    """The versions that the canary's side is to run, by function:alias."""
    changes = release.change.functions
    return {alias_key(function, changes[function].alias): version for function, version in track.versions.items()}


def alias_key(function: str, alias: str) -> str:
    return f"{function}:{alias}"


def _differences(release: Release, track: Track, before: Snapshot, target: Target) -> Iterator[str]:
    stage = target.stage
    if stage is not None and release.strategy != "rolling":
        wanted = (track.deployment_id if track.promoted else None) or before.deployment_id
        if stage.deployment_id != wanted:
            yield f"the stage serves deployment {stage.deployment_id}, not {wanted}"
        variables = variables_of_change(release, before) if track.promoted else before.variables
        yield from _changed("variable", variables, stage.variables)
        if release.strategy == "canary" and track.percent is not None and not track.promoted:
            if stage.canary is None:
                yield "the canary is gone"
            else:
                deployment = track.deployment_id or before.deployment_id
                if stage.canary.deployment_id != deployment:
                    yield f"the canary is deployment {stage.canary.deployment_id}, not {deployment}"
                if abs(stage.canary.percent - track.percent) > _CLOSE:
                    yield f"the canary gets {stage.canary.percent:g} % of the traffic, not {track.percent:g} %"
                yield from _changed("canary variable", release.change.variables, stage.canary.overrides)
                yield from _pins("canary's", versions_of_change(release, track), stage.canary.versions)
                yield from _pins("stable", {}, stage.canary.base_versions)
        elif stage.canary is not None:
            yield f"there is a canary, deployment {stage.canary.deployment_id}"
    for function, change in release.change.functions.items():
        key = alias_key(function, change.alias)
        yield from _alias(key, _wanted_alias(release, track, before, function, key), target.aliases.get(key))


def _wanted_alias(release: Release, track: Track, before: Snapshot, function: str, key: str) -> AliasTarget | None:
    old, new = before.aliases.get(key), track.versions.get(function)
    if track.promoted and new is not None:
        return AliasTarget(version=new)
    if release.strategy == "rolling" and old is not None and new is not None and track.percent and new != old.version:
        return AliasTarget(version=old.version, weights={new: track.percent / 100})
    return old


def _alias(key: str, wanted: AliasTarget | None, seen: AliasTarget | None) -> Iterator[str]:
    if wanted is None:
        return
    if seen is None:
        yield f"alias {key} is gone"
    elif seen.version != wanted.version:
        yield f"alias {key} is version {seen.version}, not {wanted.version}"
    elif dict(seen.weights) != dict(wanted.weights):
        yield f"alias {key} gives {_weights(seen)}, not {_weights(wanted)}"


def _weights(alias: AliasTarget) -> str:
    return (
        ", ".join(f"{share * 100:g} % to version {version}" for version, share in alias.weights.items()) or "no shares"
    )


def _pins(side: str, wanted: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*wanted, *seen}):
        if key not in seen:
            yield f"{key} is no longer pinned to version {wanted[key]} on the {side} side"
        elif seen[key] != wanted.get(key):
            instead = f", not to {wanted[key]}" if key in wanted else ""
            yield f"{key} is pinned to version {seen[key]} on the {side} side{instead}"


def _changed(what: str, wanted: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[str]:
    """Names alone: a variable's value may be a secret."""
    for name in sorted({*wanted, *seen}):
        if name not in seen:
            yield f"{what} {name} is gone"
        elif name not in wanted:
            yield f"{what} {name} was added"
        elif wanted[name] != seen[name]:
            yield f"{what} {name} has another value"
