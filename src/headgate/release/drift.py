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


def _changed(what: str, wanted: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[str]:
    """Names alone: a variable's value may be a secret."""
    for name in sorted({*wanted, *seen}):
        if name not in seen:
            yield f"{what} {name} is gone"
        elif name not in wanted:
            yield f"{what} {name} was added"
        elif wanted[name] != seen[name]:
            yield f"{what} {name} has another value"
