"""What an API's deployments hold, how they differ, and what moved a stage: what AWS's operations do not tell.

For Headgate's own pages. An API is named by its id or its name. What is compared is named by a deployment's id, by a
stage (the deployment that it serves), by STAGE/canary, or by `current`: the resources as they stand.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from headgate.control.apigateway.errors import conflict, not_found
from headgate.control.context import Context
from headgate.model.definition_diff import differences
from headgate.model.deployment import Definition, Deployment
from headgate.model.ids import DeploymentId
from headgate.model.rest_api import Resource, RestApi
from headgate.model.stage import Stage
from headgate.model.stage_history import (
    ServedDeployment,
    Serving,
    StageHistory,
    StageMove,
    released_by,
    serving,
    way_back,
)
from headgate.model.value import Value

CURRENT: Final = "current"
CANARY: Final = "canary"
_TOLD: Final = 10  # of what is there, where something is not


class Side(NamedTuple):
    """One side of a comparison: what it is called, and what it holds."""

    shown: Mapping[str, Any]
    definition: Definition


def find_named_api(context: Context, name: str) -> RestApi:
    """By id, or by name. Raises ApiError."""
    where = (context.scope.account_id, context.scope.region)
    by_id = context.tx.get(RestApi, *where, name)
    if by_id is not None:
        return by_id
    apis = context.tx.list(RestApi, *where)
    named = [each for each in apis if each.name == name]
    if len(named) > 1:
        raise conflict(f"{len(named)} APIs are called {name!r}; name one by its id: {_told(each.id for each in named)}")
    if not named:
        known = _told(f"{each.name} ({each.id})" for each in apis)
        raise not_found(f"there is no API {name!r} in account {where[0]}, region {where[1]}; there is {known}")
    return named[0]


def definition_of(context: Context, api_name: str, reference: str) -> Mapping[str, Any]:
    """A deployment's frozen definition, or the resources as they stand. Raises ApiError."""
    api = find_named_api(context, api_name)
    side = _side(context, api, reference)
    return {
        "apiId": api.id,
        **side.shown,
        "restApi": _shown(side.definition.rest_api),
        "resources": [_shown(each) for each in side.definition.resources],
    }


def comparisons(context: Context, api_name: str, a: str, b: str) -> tuple[RestApi, list[tuple[Side, Side]]]:
    """What to compare: two of them, one with the resources as they stand, or each stage with these. Raises ApiError."""
    api = find_named_api(context, api_name)
    if a:
        return api, [(_side(context, api, a), _side(context, api, b or CURRENT))]
    current = _current(context, api)
    references: list[str] = []
    for stage in context.tx.list(Stage, api.id):
        references.append(stage.stage_name)
        canary = stage.canary_settings
        if canary is not None and canary.deployment_id != stage.deployment_id:
            references.append(f"{stage.stage_name}/{CANARY}")
    if not references:
        raise not_found(f"API {api.name} has no stage to compare; deploy it to one, or name two deployments")
    return api, [(_side(context, api, each), current) for each in references]


def compared(api: RestApi, pairs: list[tuple[Side, Side]]) -> dict[str, Any]:
    """The answer to a comparison. It may take a while for a large API, and reads nothing."""
    return {
        "apiId": api.id,
        "apiName": api.name,
        "comparisons": [
            {
                "a": a.shown,
                "b": b.shown,
                "differences": [_shown(each) for each in differences(a.definition, b.definition)],
            }
            for a, b in pairs
        ],
    }


def history_of(context: Context, api_name: str, stage_name: str, limit: int) -> tuple[RestApi, dict[str, Any]]:
    """What moved a stage, the newest first; what it serves, and what a roll-back would go to. Raises ApiError."""
    api = find_named_api(context, api_name)
    stage = context.tx.get(Stage, api.id, stage_name)
    if stage is None and context.tx.get(StageHistory, api.id, stage_name) is None:
        raise not_found(f"API {api.name} has no stage {stage_name!r}; it has {_stages(context, api)}")
    moves = context.tx.list(StageMove, api.id, stage_name)
    now = None if stage is None else serving(stage, lambda each: _description(context, api, each))
    return api, {
        "apiId": api.id,
        "apiName": api.name,
        "stage": stage_name,
        "serves": _shown_serving(now),
        "previous": None if stage is None else _previous(context, api, moves, stage.deployment_id),
        "moves": [_shown_move(each) for each in reversed(moves[-limit:])],
    }


def _previous(context: Context, api: RestApi, moves: list[StageMove], present: str) -> dict[str, Any] | None:
    """The nearest deployment on the way back that was not deleted."""
    for deployment_id in reversed(way_back(moves, present)):
        if (deployment := context.tx.get(Deployment, api.id, deployment_id)) is not None:
            return _shown_served(ServedDeployment(deployment_id=deployment.id, description=deployment.description))
    return None


def _side(context: Context, api: RestApi, reference: str) -> Side:
    if reference == CURRENT:
        return _current(context, api)
    name, _, part = reference.partition("/")
    stage = context.tx.get(Stage, api.id, name)
    if stage is not None and part in {"", CANARY}:
        return _of_stage(context, api, stage, is_canary=part == CANARY)
    if part or (definition := context.tx.get(Definition, api.id, reference)) is None:
        deployments = sorted(context.tx.list(Deployment, api.id), key=lambda each: -each.sequence)
        raise not_found(
            f"API {api.name} has neither a deployment nor a stage {reference!r}; its stages are "
            f"{_stages(context, api)} (STAGE/{CANARY} for a canary), its latest deployments "
            f"{_told(each.id for each in deployments)}"
        )
    return Side({"is": "deployment", **_shown_deployment(context, api, reference)}, definition)


def _of_stage(context: Context, api: RestApi, stage: Stage, *, is_canary: bool) -> Side:
    shown: dict[str, Any] = {"is": "stage", "stage": stage.stage_name}
    deployment_id = stage.deployment_id
    if is_canary:
        canary = stage.canary_settings
        if canary is None:
            raise not_found(f"stage {stage.stage_name} of API {api.name} has no canary")
        deployment_id = canary.deployment_id
        shown |= {"is": "canary", "percentTraffic": canary.percent_traffic}
    definition = context.tx.get(Definition, api.id, deployment_id)
    if definition is None:
        raise not_found(f"deployment {deployment_id} of API {api.name} is not there")
    return Side({**shown, **_shown_deployment(context, api, deployment_id)}, definition)


def _current(context: Context, api: RestApi) -> Side:
    resources = tuple(context.tx.list(Resource, api.id))
    return Side(
        {"is": CURRENT},
        Definition(rest_api_id=api.id, deployment_id=DeploymentId(""), rest_api=api, resources=resources),
    )


def _shown_deployment(context: Context, api: RestApi, deployment_id: str) -> dict[str, Any]:
    deployment = context.tx.get(Deployment, api.id, deployment_id)
    if deployment is None:
        return {"deploymentId": deployment_id}
    served = ServedDeployment(deployment_id=deployment.id, description=deployment.description)
    return {**_shown_served(served), "createdDate": deployment.created_date}


def _description(context: Context, api: RestApi, deployment_id: str) -> str | None:
    deployment = context.tx.get(Deployment, api.id, deployment_id)
    return None if deployment is None else deployment.description


def _shown_move(move: StageMove) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(move),
        "before": _shown_serving(move.before),
        "after": _shown_serving(move.after),
    }


def _shown_serving(served: Serving | None) -> dict[str, Any] | None:
    if served is None:
        return None
    canary = None if served.canary is None else _shown_served(served.canary)
    return {**_shown_served(served.base), **({} if canary is None else {"canary": canary})}


def _shown_served(served: ServedDeployment) -> dict[str, Any]:
    release = released_by(served.description)
    shown = _shown(served)
    return shown if release is None else {**shown, "release": release}


def _shown(value: Value) -> dict[str, Any]:
    """Members by their names, without those that are not set."""
    shown: dict[str, Any] = _without_nulls(msgspec.to_builtins(value))
    return shown


def _without_nulls(built: Any) -> Any:
    match built:
        case dict():
            return {name: _without_nulls(each) for name, each in built.items() if each is not None}
        case list() | tuple():
            return [_without_nulls(each) for each in built]
        case _:
            return built


def _stages(context: Context, api: RestApi) -> str:
    return _told(each.stage_name for each in context.tx.list(Stage, api.id))


def _told(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _TOLD} more" if len(every) > _TOLD else ""
    return (", ".join(every[:_TOLD]) or "none") + more
