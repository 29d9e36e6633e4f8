"""Deployments: frozen definitions, and the stages that a new one is put on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headgate.control.apigateway.errors import bad_request
from headgate.control.apigateway.lookup import find_api, find_deployment
from headgate.control.apigateway.patching import optional, set_field
from headgate.control.apigateway.stages import (
    StageSettings,
    cache_changed,
    check_variables,
    new_canary,
    new_stage,
    put_stage,
)
from headgate.control.context import Context
from headgate.model.deployment import Definition, Deployment, MethodSummary
from headgate.model.ids import new_deployment_id
from headgate.model.rest_api import Resource, RestApi
from headgate.model.stage import Stage
from headgate.wire.paging import page
from headgate.wire.patch import PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes


def create_deployment(context: Context, request: "shapes.CreateDeploymentRequest") -> Mapping[str, Any]:
    """Freeze the API as it stands now and, with a stage name, serve it there (aws-semantics 2.3)."""
    api = find_api(context, request["restApiId"])
    stage = _target_stage(context, api, request)
    resources = tuple(context.tx.list(Resource, api.id))
    deployment = Deployment(
        id=new_deployment_id(),
        created_date=float(int(context.now)),
        sequence=1 + max((each.sequence for each in context.tx.list(Deployment, api.id)), default=0),
        description=request.get("description"),
        api_summary=_summary(resources),
    )
    definition = Definition(rest_api_id=api.id, deployment_id=deployment.id, rest_api=api, resources=resources)
    context.tx.put(deployment, api.id, deployment.id)
    context.tx.put(definition, api.id, deployment.id)
    if stage is not None:
        put_stage(context, _moved(stage, deployment, request))
    elif request.get("stageName"):
        put_stage(context, _created(context, api, deployment, request))
    return {**msgspec.to_builtins(deployment), "apiSummary": None}


def get_deployment(context: Context, request: "shapes.GetDeploymentRequest") -> Mapping[str, Any]:
    deployment = find_deployment(context, request["restApiId"], request["deploymentId"])
    shown: dict[str, Any] = msgspec.to_builtins(deployment)
    if "apisummary" not in [each.lower() for each in request.get("embed", [])]:
        shown["apiSummary"] = None
    return shown


def get_deployments(context: Context, request: "shapes.GetDeploymentsRequest") -> Mapping[str, Any]:
    """Newest first, as the console and the CLI show them."""
    api = find_api(context, request["restApiId"])
    deployments = context.tx.list(Deployment, api.id)
    items, position = page(deployments, request.get("limit"), request.get("position"), key=lambda each: -each.sequence)
    return {"items": [{**msgspec.to_builtins(each), "apiSummary": None} for each in items], "position": position}


def update_deployment(context: Context, request: "shapes.UpdateDeploymentRequest") -> Mapping[str, Any]:
    deployment = find_deployment(context, request["restApiId"], request["deploymentId"])
    changed = apply(_PATCHES, deployment, request.get("patchOperations", []))
    context.tx.put(changed, request["restApiId"], changed.id)
    return {**msgspec.to_builtins(changed), "apiSummary": None}


def delete_deployment(context: Context, request: "shapes.DeleteDeploymentRequest") -> None:
    api_id = request["restApiId"]
    deployment = find_deployment(context, api_id, request["deploymentId"])
    stages = context.tx.list(Stage, api_id)
    if any(stage.deployment_id == deployment.id for stage in stages):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    if any(stage.canary_settings and stage.canary_settings.deployment_id == deployment.id for stage in stages):
        raise bad_request("Active stages with canary settings pointing to this deployment must be moved or deleted")
    context.tx.delete(Deployment, api_id, deployment.id)
    context.tx.delete(Definition, api_id, deployment.id)


def _target_stage(context: Context, api: RestApi, request: "shapes.CreateDeploymentRequest") -> Stage | None:
    """The existing stage that the new deployment goes to; refused where a canary forbids it."""
    name = request.get("stageName")
    stage = context.tx.get(Stage, api.id, name) if name else None
    if "canarySettings" in request:
        if not name:
            raise _bad_content(
                "Non null and non empty stageName must be provided for canary deployment. "
                f"Provided value is {'null' if name is None else ''}"
            )
        if stage is None:
            raise _bad_content(f"Stage {name} must already be created before making a canary release deployment")
    elif stage is not None and stage.canary_settings is not None:
        raise _bad_content(
            f"Non canary deployment not supported on stage {name} because Canary is enabled. "
            "Provide CanarySettings in deploymentInput."
        )
    return stage


def _bad_content(detail: str) -> Exception:
    # The service's own text has no blank after the first full stop.
    return bad_request(f"Invalid deployment content specified.{detail}")


def _summary(resources: tuple[Resource, ...]) -> Mapping[str, Mapping[str, MethodSummary]]:
    summary: dict[str, dict[str, MethodSummary]] = {}
    for resource in resources:
        for http_method, method in resource.methods.items():
            if method.method_integration is None:
                raise bad_request("No integration defined for method")
            summary.setdefault(resource.path, {})[http_method] = MethodSummary(
                authorization_type=method.authorization_type, api_key_required=method.api_key_required
            )
    if not summary:
        raise bad_request("The REST API doesn't contain any methods")
    return summary


def _moved(stage: Stage, deployment: Deployment, request: "shapes.CreateDeploymentRequest") -> Stage:
    """The stage with the deployment on it: as its canary where canary settings are given, else as its own."""
    if "canarySettings" in request:
        canary = new_canary(deployment.id, request["canarySettings"])
        return msgspec.structs.replace(stage, canary_settings=canary)
    stage = msgspec.structs.replace(stage, deployment_id=deployment.id)
    if "stageDescription" in request:
        stage = msgspec.structs.replace(stage, description=request["stageDescription"])
    if "tracingEnabled" in request:
        stage = msgspec.structs.replace(stage, tracing_enabled=request["tracingEnabled"])
    if "variables" in request:
        # Replaced, not merged: open question 3 of aws-semantics, decided there.
        stage = msgspec.structs.replace(stage, variables=check_variables(request["variables"]))
    return cache_changed(stage, request.get("cacheClusterEnabled"), request.get("cacheClusterSize"))


def _created(
    context: Context, api: RestApi, deployment: Deployment, request: "shapes.CreateDeploymentRequest"
) -> Stage:
    return new_stage(
        context,
        api,
        StageSettings(
            stage_name=request["stageName"],
            deployment_id=deployment.id,
            description=request.get("stageDescription"),
            cache_cluster_enabled=request.get("cacheClusterEnabled", False),
            cache_cluster_size=request.get("cacheClusterSize"),
            variables=request.get("variables"),
            tracing_enabled=request.get("tracingEnabled", False),
        ),
    )


_PATCHES: Final = PatchTable[Deployment]({("replace", "/description"): set_field("description", optional)})
