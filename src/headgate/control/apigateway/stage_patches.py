"""UpdateStage: every path a patch may take, and the service's words for the others (aws-semantics 1.3)."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.apigateway.canary_extensions import REMOVALS, REPLACEMENTS, check_pins
from headgate.control.apigateway.errors import bad_request, nothing_to_remove
from headgate.control.apigateway.lookup import find_stage
from headgate.control.apigateway.method_settings import (
    existing_key,
    is_method_key,
    parse_setting_path,
    set_method_setting,
)
from headgate.control.apigateway.patching import flag, number, optional, put_entry, set_field
from headgate.control.apigateway.stages import (
    cache_changed,
    check_deployment,
    check_percent,
    check_variable,
    check_variable_count,
    put_stage,
    shown,
)
from headgate.control.context import Context
from headgate.model.errors import ApiError
from headgate.model.ids import DeploymentId
from headgate.model.stage import AccessLogSettings, CanarySettings, Stage
from headgate.wire.patch import Patch, PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes


def update_stage(context: Context, request: "shapes.UpdateStageRequest") -> Mapping[str, Any]:
    """Apply the patches in order, all or none."""
    stage = find_stage(context, request["restApiId"], request["stageName"])
    changed = apply(STAGE_PATCHES, stage, request.get("patchOperations", []))
    check_deployment(context, stage.rest_api_id, changed.deployment_id)
    if changed.canary_settings is not None:
        check_deployment(context, stage.rest_api_id, changed.canary_settings.deployment_id)
        check_pins(context, stage, changed.canary_settings)
    put_stage(context, changed)
    return shown(find_stage(context, stage.rest_api_id, stage.stage_name))


def _canary(change: Callable[[CanarySettings, Patch], CanarySettings]) -> Callable[[Stage, Patch], Stage]:
    """A change of the canary; a stage without one gets it, with the defaults, on the stage's own deployment."""

    def changed(stage: Stage, patch: Patch) -> Stage:
        canary = stage.canary_settings or CanarySettings(deployment_id=stage.deployment_id)
        return replace(stage, canary_settings=change(canary, patch))

    return changed


def _of_canary(change: Callable[[CanarySettings, Patch], CanarySettings]) -> Callable[[Stage, Patch], Stage]:
    """A removal from the canary; a stage without one has nothing to remove."""

    def changed(stage: Stage, patch: Patch) -> Stage:
        if stage.canary_settings is None:
            raise nothing_to_remove(patch)
        return replace(stage, canary_settings=change(stage.canary_settings, patch))

    return changed


def _set_percent(canary: CanarySettings, patch: Patch) -> CanarySettings:
    return replace(canary, percent_traffic=check_percent(number(patch, "a percentage from 0.0 to 100.0")))


def _set_override(canary: CanarySettings, patch: Patch) -> CanarySettings:
    name, value = patch.names["name"], patch.value or ""
    check_variable(name, value)
    overrides = put_entry(canary.stage_variable_overrides, name, value)
    return replace(canary, stage_variable_overrides=check_variable_count(overrides))


def _remove_canary(stage: Stage, patch: Patch) -> Stage:
    if stage.canary_settings is None:
        raise nothing_to_remove(patch)
    return replace(stage, canary_settings=None)


def _promote_deployment(stage: Stage, patch: Patch) -> Stage:
    canary = _promoted(stage, patch, "/canarySettings/deploymentId")
    return replace(stage, deployment_id=canary.deployment_id)


def _promote_variables(stage: Stage, patch: Patch) -> Stage:
    """The overrides are merged into the variables: names that are not overridden stay (aws-semantics 7)."""
    canary = _promoted(stage, patch, "/canarySettings/stageVariableOverrides")
    variables = {**(stage.variables or {}), **(canary.stage_variable_overrides or {})}
    return replace(stage, variables=check_variable_count(variables))


def _promoted(stage: Stage, patch: Patch, source: str) -> CanarySettings:
    if patch.source != source:
        raise _invalid_copy(patch)
    if stage.canary_settings is None:
        raise bad_request("Promotion not available. Canary does not exist.")
    return stage.canary_settings


def _set_variable(stage: Stage, patch: Patch) -> Stage:
    name, value = patch.names["name"], patch.value or ""
    check_variable(name, value)
    return replace(stage, variables=check_variable_count(put_entry(stage.variables, name, value)))


def _remove_variable(stage: Stage, patch: Patch) -> Stage:
    name = patch.names["name"]
    if name not in (stage.variables or {}):
        raise nothing_to_remove(patch)
    return replace(stage, variables={key: each for key, each in (stage.variables or {}).items() if key != name} or None)


def _set_cache_enabled(stage: Stage, patch: Patch) -> Stage:
    return cache_changed(stage, flag(patch), None)


def _set_cache_size(stage: Stage, patch: Patch) -> Stage:
    return cache_changed(stage, None, patch.value or "")


_LOG_ARN: Final = re.compile(
    r"arn:[\w-]+:logs:[\w-]+:\d{12}:log-group:[^:*]+(?::\*)?|arn:[\w-]+:firehose:[\w-]+:\d{12}:deliverystream/(?P<stream>.+)"
)


def _set_log_destination(stage: Stage, patch: Patch) -> Stage:
    found = _LOG_ARN.fullmatch(_access_log_value(patch))
    if found is None:
        raise bad_request("The ARN must be a valid CloudWatch Logs log group or Kinesis Data Firehose delivery stream")
    if found["stream"] and not found["stream"].startswith("amazon-apigateway-"):
        raise bad_request("Kinesis Firehose delivery stream name must begin with the characters 'amazon-apigateway-'")
    settings = stage.access_log_settings or AccessLogSettings()
    return replace(stage, access_log_settings=replace(settings, destination_arn=(patch.value or "").removesuffix(":*")))


def _set_log_format(stage: Stage, patch: Patch) -> Stage:
    value = _access_log_value(patch)
    if "$context.requestId" not in value and "$context.extendedRequestId" not in value:
        raise bad_request("Access Log format must include either $context.requestId or $context.extendedRequestId")
    settings = stage.access_log_settings or AccessLogSettings()
    return replace(stage, access_log_settings=replace(settings, format=value))


def _access_log_value(patch: Patch) -> str:
    if not patch.value:
        raise bad_request("Access Log value must not be empty")
    return patch.value


def _remove_access_log(stage: Stage, patch: Patch) -> Stage:
    if stage.access_log_settings is None:
        raise nothing_to_remove(patch)
    return replace(stage, access_log_settings=None)


def _set_or_refuse(stage: Stage, patch: Patch) -> Stage:
    """Any other path: a method setting, or an unknown one."""
    path = parse_setting_path(patch.path)
    if path is None:
        raise _invalid_path(patch)
    return set_method_setting(stage, path, patch)


def _remove_setting(stage: Stage, patch: Patch) -> Stage:
    """Removal of a whole entry, `/*/*` or `/{resource}/{METHOD}`."""
    key = patch.path.removeprefix("/")
    if not is_method_key(key) or (existing := existing_key(stage.method_settings, key)) not in stage.method_settings:
        raise nothing_to_remove(patch)
    settings = {each: entry for each, entry in stage.method_settings.items() if each != existing}
    return replace(stage, method_settings=settings)


def _refused(patch: Patch, _table: PatchTable[Stage]) -> ApiError:
    match patch.op:
        case "copy":
            return _invalid_copy(patch)
        case "add":
            return bad_request(f"Invalid add operation with path: {patch.path}")
        case _:
            return _invalid_path(patch)


def _invalid_path(patch: Patch) -> ApiError:
    if patch.path.startswith("/accessLogSettings/"):
        return bad_request(
            "Invalid accessLogSettings path. Must be one of : "
            "[/accessLogSettings/destinationArn, /accessLogSettings/format]"
        )
    return bad_request(f"Invalid method setting path: {patch.path}. Must be one of: {_KNOWN_PATHS}")


def _invalid_copy(patch: Patch) -> ApiError:
    return bad_request(
        f"Invalid copy operation with path: {patch.path} and from {patch.source}. "
        "Valid copy:path are [/deploymentId, /variables] and valid copy:from are "
        "[/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
    )


# The missing separators are the service's own (aws-semantics 1.3).
_KNOWN_PATHS: Final = (
    "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, "
    "/{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, "
    "/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit"
    "/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, "
    "/{resourcePath}/{httpMethod}/caching/dataEncrypted, "
    "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, "
    "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, "
    "/*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit "
    "/*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, "
    "/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, "
    "/variables/{variable_name}, /tracingEnabled]"
)

STAGE_PATCHES: Final = PatchTable[Stage](
    {
        ("replace", "/deploymentId"): set_field("deployment_id", lambda patch: patch.value or ""),
        ("copy", "/deploymentId"): _promote_deployment,
        ("replace", "/description"): set_field("description", optional),
        ("replace", "/clientCertificateId"): set_field("client_certificate_id", optional),
        ("replace", "/documentationVersion"): set_field("documentation_version", optional),
        ("replace", "/cacheClusterEnabled"): _set_cache_enabled,
        ("replace", "/cacheClusterSize"): _set_cache_size,
        ("replace", "/tracingEnabled"): set_field("tracing_enabled", flag),
        ("replace", "/variables/{name}"): _set_variable,
        ("remove", "/variables/{name}"): _remove_variable,
        ("copy", "/variables"): _promote_variables,
        ("add", "/accessLogSettings/destinationArn"): _set_log_destination,
        ("replace", "/accessLogSettings/destinationArn"): _set_log_destination,
        ("add", "/accessLogSettings/format"): _set_log_format,
        ("replace", "/accessLogSettings/format"): _set_log_format,
        ("remove", "/accessLogSettings"): _remove_access_log,
        ("replace", "/canarySettings/percentTraffic"): _canary(_set_percent),
        ("replace", "/canarySettings/deploymentId"): _canary(
            set_field("deployment_id", lambda patch: DeploymentId(patch.value or ""))
        ),
        ("replace", "/canarySettings/useStageCache"): _canary(set_field("use_stage_cache", flag)),
        ("replace", "/canarySettings/stageVariableOverrides/{name}"): _canary(_set_override),
        ("remove", "/canarySettings"): _remove_canary,
        **{("replace", path): _canary(change) for path, change in REPLACEMENTS.items()},
        **{("remove", path): _of_canary(change) for path, change in REMOVALS.items()},
        ("replace", "/{path+}"): _set_or_refuse,
        ("remove", "/{path+}"): _remove_setting,
    },
    unknown=_refused,
)
