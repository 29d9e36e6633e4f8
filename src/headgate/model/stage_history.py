"""What moved a stage: a bounded list of moves per stage, each written in the transaction that made it.

The control plane knows no users. What it knows of who did it is the access key, the program's name and, from Headgate's
own commands and releases, the person for whom they say they act. Of variables and pins the names are kept and not the
values, which may be secret.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from headgate.model.stage import Stage
from headgate.model.value import Value

MAX_MOVES: Final = 1000  # kept of a stage; the oldest go
MAX_NAMES: Final = 50  # kept of the names that one move changed
MAX_ENDED: Final = 100  # deleted stages of an API whose history is kept
_MAX_DESCRIPTION: Final = 200  # characters
_MAX_AGENT: Final = 160
_MAX_ACTOR: Final = 64
_MAX_KEY: Final = 128
_ACTOR: Final = re.compile(r"headgate-actor/(\S+)")
_RELEASE_AGENT: Final = "headgate-release/"  # of a release's own calls (release/world.py), behind the SDK's name
_PARTNERS: Final = frozenset({"APN", "HashiCorp"})  # Terraform's provider names them before itself
_RELEASE: Final = re.compile(r"headgate release (.+)/\d+/[^/]*/[^/]*")


class ServedDeployment(Value, frozen=True, rename="camel"):
    deployment_id: str
    description: str | None = None  # the deployment's, shortened
    percent_traffic: float | None = None  # of a canary


class Serving(Value, frozen=True, rename="camel"):
    """What a stage serves."""

    base: ServedDeployment
    canary: ServedDeployment | None = None


class StageMove(Value, frozen=True, rename="camel"):
    """One change of what a stage serves. Before it was made, and after it was deleted, a stage serves nothing."""

    number: int  # from 1, none left out
    at: float  # seconds since the epoch
    operation: str
    access_key: str  # "" for an unsigned request
    actor: str  # the person whom the program names, "" for none; as little proven as the rest
    user_agent: str  # the program's name and version, or headgate-release/NAME
    before: Serving | None
    after: Serving | None
    changed: tuple[str, ...] = ()  # names of variables and of settings of the canary, as UpdateStage's paths
    changed_more: int = 0  # names that are left out


class StageHistory(Value, frozen=True):
    """Where a stage's list of moves begins and ends."""

    stage_name: str
    first: int = 1  # the number of the oldest move that is kept
    following: int = 1  # the number of the next move
    ended_at: float | None = None  # when the stage was deleted


Describe = Callable[[str], str | None]
"""A deployment's description, by its id."""


def move_of(
    before: Stage | None,
    after: Stage | None,
    *,
    number: int,
    at: float,
    operation: str,
    access_key: str,
    user_agent: str,
    describe: Describe,
) -> StageMove | None:
    """The move from one state of a stage to another; None where it serves as before."""
    old = None if before is None else serving(before, describe)
    new = None if after is None else serving(after, describe)
    names = _changed_names(before, after)
    if old == new and not names:
        return None
    return StageMove(
        number=number,
        at=at,
        operation=operation,
        access_key=access_key[:_MAX_KEY],
        actor=actor_of(user_agent),
        user_agent=program_name(user_agent),
        before=old,
        after=new,
        changed=names[:MAX_NAMES],
        changed_more=max(0, len(names) - MAX_NAMES),
    )


def serving(stage: Stage, describe: Describe) -> Serving:
    canary = stage.canary_settings
    return Serving(
        base=_served(stage.deployment_id, describe),
        canary=None if canary is None else _served(canary.deployment_id, describe, canary.percent_traffic),
    )


def way_back(moves: Iterable[StageMove], present: str) -> list[str]:
    """The deployments that a roll-back can go to, the nearest last; `moves` with the oldest first.

    A return to a deployment takes back what was served since, so that one roll-back after another goes further back,
    and never to what was rolled back.
    """
    way: list[str] = []
    for move in moves:
        if move.after is None:
            way = []
            continue
        if not way and move.before is not None:
            way.append(move.before.base.deployment_id)
        _go_to(way, move.after.base.deployment_id)
    _go_to(way, present)  # a server that keeps no history may have moved it last
    return way[:-1]


def released_by(description: str | None) -> str | None:
    """The name of the release that made a deployment of this description (release/drivers/stage.py)."""
    found = _RELEASE.fullmatch(description or "")
    return None if found is None else found[1]


def program_name(user_agent: str) -> str:
    """The program of a User-Agent header with its version, such as aws-cli/1.42.3, or a release; without the rest."""
    printable = _printable(user_agent)
    products: list[str] = re.findall(r"[^\s/()]+/[^\s/()]+", printable)
    releases = (each for each in products if each.startswith(_RELEASE_AGENT))
    others = (each for each in products if each.partition("/")[0] not in _PARTNERS)
    return next(chain(releases, others), printable)[:_MAX_AGENT]


def actor_of(user_agent: str) -> str:
    """The person whom a User-Agent header names, percent-encoded; see `client.control_plane` and `release.world`."""
    found = _ACTOR.search(user_agent)
    return "" if found is None else _printable(unquote(found[1]))[:_MAX_ACTOR]


def _printable(text: str) -> str:
    return "".join(each for each in text if each.isprintable())


def _go_to(way: list[str], deployment_id: str) -> None:
    if deployment_id in way:
        del way[way.index(deployment_id) + 1 :]
    else:
        way.append(deployment_id)


def _served(deployment_id: str, describe: Describe, percent: float | None = None) -> ServedDeployment:
    description = (describe(deployment_id) or "")[:_MAX_DESCRIPTION] or None
    return ServedDeployment(deployment_id=deployment_id, description=description, percent_traffic=percent)


def _changed_names(before: Stage | None, after: Stage | None) -> tuple[str, ...]:
    """Of a deletion none: all of them are gone with the stage, or the canary."""
    if after is None:
        return ()
    olds, news = {} if before is None else _settings(before), _settings(after)
    names = {name for name in {*olds, *news} if olds.get(name) != news.get(name)}
    if after.canary_settings is None:
        names = {name for name in names if not name.startswith("canarySettings/")}
    return tuple(sorted(names))


def _settings(stage: Stage) -> dict[str, Any]:
    """Variables and the canary's settings by their paths in UpdateStage; without what `Serving` has."""
    settings = {f"variables/{name}": value for name, value in (stage.variables or {}).items()}
    if stage.canary_settings is not None:
        built: dict[str, Any] = msgspec.to_builtins(stage.canary_settings)
        for name, value in built.items():
            if isinstance(value, Mapping):
                settings |= {f"canarySettings/{name}/{key}": each for key, each in value.items()}
            elif value and name not in {"deploymentId", "percentTraffic"}:
                settings[f"canarySettings/{name}"] = value
    return settings
