"""Stages: create, get, list, update, delete. What a patch may do to one stands in `stage_patches`."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, conflict
from headgate.control.apigateway.lookup import find_api, find_stage
from headgate.control.apigateway.rest_apis import check_tags
from headgate.control.apigateway.stage_history import record
from headgate.control.context import Context
from headgate.model.deployment import Deployment
from headgate.model.ids import DeploymentId, StageName
from headgate.model.rest_api import RestApi
from headgate.model.stage import CACHE_CLUSTER_SIZES, CanarySettings, Stage
from headgate.model.value import Value

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

_STAGE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE_NAME: Final = re.compile(r"\w{1,64}", re.ASCII)
# The union of the guide's characters and those of the live error text (aws-semantics 1.4).
_VARIABLE_VALUE: Final = re.compile(r"[A-Za-z0-9 \-._~:/?#&=,]{0,512}")
_VALUE_HELP: Final = (
    "Please use values with alphanumeric characters and the symbols "
    "' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
)
MAX_VARIABLES: Final = 100


class StageSettings(Value, frozen=True):
    """What CreateStage and CreateDeployment give a new stage."""

    stage_name: str
    deployment_id: str
    description: str | None = None
    cache_cluster_enabled: bool = False
    cache_cluster_size: str | None = None
    variables: Mapping[str, str] | None = None
    documentation_version: str | None = None
    canary_settings: Mapping[str, Any] | None = None
    tracing_enabled: bool = False
    tags: Mapping[str, str] | None = None


def create_stage(context: Context, request: "shapes.CreateStageRequest") -> Mapping[str, Any]:
    api = find_api(context, request["restApiId"])
    settings = StageSettings(
        stage_name=request["stageName"],
        deployment_id=request["deploymentId"],
        description=request.get("description"),
        cache_cluster_enabled=request.get("cacheClusterEnabled", False),
        cache_cluster_size=request.get("cacheClusterSize"),
        variables=request.get("variables"),
        documentation_version=request.get("documentationVersion"),
        canary_settings=request.get("canarySettings"),
        tracing_enabled=request.get("tracingEnabled", False),
        tags=request.get("tags"),
    )
    stage = new_stage(context, api, settings)
    put_stage(context, stage)
    return shown(stage)


def get_stage(context: Context, request: "shapes.GetStageRequest") -> Mapping[str, Any]:
    return shown(find_stage(context, request["restApiId"], request["stageName"]))


def get_stages(context: Context, request: "shapes.GetStagesRequest") -> Mapping[str, Any]:
    api = find_api(context, request["restApiId"])
    wanted = request.get("deploymentId")
    stages = [stage for stage in context.tx.list(Stage, api.id) if wanted is None or stage.deployment_id == wanted]
    return {"item": [shown(stage) for stage in stages]}


def delete_stage(context: Context, request: "shapes.DeleteStageRequest") -> None:
    stage = find_stage(context, request["restApiId"], request["stageName"])
    context.tx.delete(Stage, stage.rest_api_id, stage.stage_name)
    record(context, stage, None)


def new_stage(context: Context, api: RestApi, settings: StageSettings) -> Stage:
    """A stage as first created, checked; the caller stores it."""
    if not _STAGE_NAME.fullmatch(settings.stage_name):
        raise bad_request("Stage name only allows a-zA-Z0-9_")
    if context.tx.get(Stage, api.id, settings.stage_name) is not None:
        raise conflict("Stage already exists")
    check_deployment(context, api.id, settings.deployment_id)
    stage = Stage(
        stage_name=StageName(settings.stage_name),
        deployment_id=DeploymentId(settings.deployment_id),
        created_date=float(int(context.now)),
        last_updated_date=float(int(context.now)),
        rest_api_id=api.id,
        account_id=api.account_id,
        region=api.region,
        description=settings.description,
        documentation_version=settings.documentation_version,
        variables=check_variables(settings.variables),
        tracing_enabled=settings.tracing_enabled,
        tags=check_tags(settings.tags),
    )
    if settings.canary_settings is not None:
        canary_id = settings.canary_settings.get("deploymentId") or settings.deployment_id
        check_deployment(context, api.id, canary_id)
        stage = replace(stage, canary_settings=new_canary(canary_id, settings.canary_settings))
    return cache_changed(stage, settings.cache_cluster_enabled, settings.cache_cluster_size)


def put_stage(context: Context, stage: Stage) -> None:
    """Store a stage as changed now, and what that changes in its history."""
    changed = replace(stage, last_updated_date=float(int(context.now)))
    record(context, context.tx.get(Stage, stage.rest_api_id, stage.stage_name), changed)
    context.tx.put(changed, stage.rest_api_id, stage.stage_name)


def new_canary(deployment_id: str, given: Mapping[str, Any]) -> CanarySettings:
    """A canary of one deployment from the wire's settings, with the service's defaults for what is not given."""
    return CanarySettings(
        deployment_id=DeploymentId(deployment_id),
        percent_traffic=check_percent(given.get("percentTraffic", 0.0)),
        stage_variable_overrides=check_variables(given.get("stageVariableOverrides")),
        use_stage_cache=given.get("useStageCache", False),
    )


def check_deployment(context: Context, api_id: str, deployment_id: str) -> None:
    if context.tx.get(Deployment, api_id, deployment_id) is None:
        raise bad_request("Deployment id does not exist")


def check_percent(percent: float) -> float:
    # The service's text is not known (aws-semantics 1.3); NaN fails the comparison too.
    if not 0.0 <= percent <= 100.0:
        raise bad_request(f"Invalid percentTraffic {percent}: it must be between 0.0 and 100.0")
    return percent


def check_variables(variables: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Stage variables as given; None for none, so that an empty map is not shown."""
    for name, value in (variables or {}).items():
        check_variable_name(name)
        if not _VARIABLE_VALUE.fullmatch(value):
            raise bad_request(f"Invalid stage variable value of key {name}.  {_VALUE_HELP}")
    return check_variable_count(variables)


def check_variable(name: str, value: str) -> None:
    """One variable, with the words of a patch for a bad value."""
    check_variable_name(name)
    if not _VARIABLE_VALUE.fullmatch(value):
        raise bad_request(f"Invalid stage variable value: {value}.  {_VALUE_HELP}")


def check_variable_name(name: str) -> None:
    if not _VARIABLE_NAME.fullmatch(name):
        raise bad_request(f"Invalid stage variable name: {name}. Please use names with only word characters.")


def check_variable_count(variables: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if variables and len(variables) > MAX_VARIABLES:
        raise bad_request(f"{len(variables)} stage variables given; a stage can have at most {MAX_VARIABLES}")
    return variables or None


def cache_changed(stage: Stage, enabled: bool | None, size: str | None) -> Stage:
    """The stage with its cache cluster switched or resized; None leaves either as it is.

    There is no cluster to wait for here, so it is AVAILABLE at once.
    """
    if size is not None and size not in CACHE_CLUSTER_SIZES:
        raise bad_request(f"Invalid cacheClusterSize {size}: give one of {', '.join(CACHE_CLUSTER_SIZES)}")
    on = stage.cache_cluster_enabled if enabled is None else enabled
    return replace(
        stage,
        cache_cluster_enabled=on,
        cache_cluster_size=size or stage.cache_cluster_size or ("0.5" if on else None),
        cache_cluster_status="AVAILABLE" if on else "NOT_AVAILABLE",
    )


def shown(stage: Stage) -> Mapping[str, Any]:
    """A stage as every operation answers it."""
    answer: dict[str, Any] = msgspec.to_builtins(stage)
    return answer
