"""Code signing configurations, and which functions have one.

They are kept and shown. No signature is checked here, so all code counts as untrusted: a configuration may Warn of it,
which changes nothing, and one that would Enforce is refused.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import code_signing_config_not_found, conflict, not_found, unsupported
from headgate.control.lambda_.lookup import find_function, put_function
from headgate.control.lambda_.qualifiers import named_whole
from headgate.control.lambda_.shown import timestamp
from headgate.control.lambda_.tags import check_tags
from headgate.model.arn import function_arn
from headgate.model.code_signing import CodeSigningConfig, new_code_signing_id
from headgate.model.function import FunctionRecord
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

_WARN = "Warn"


def create_code_signing_config(context: Context, request: "shapes.CreateCodeSigningConfigRequest") -> Mapping[str, Any]:
    _check_policies(request.get("CodeSigningPolicies"))
    config = CodeSigningConfig(
        id=new_code_signing_id(),
        account_id=context.scope.account_id,
        region=context.scope.region,
        publishers=tuple(request["AllowedPublishers"]["SigningProfileVersionArns"]),
        last_modified=timestamp(context.now),
        description=request.get("Description", ""),
        tags=check_tags(request.get("Tags") or {}) or None,
    )
    context.tx.put(config, *config.key)
    return {"CodeSigningConfig": _shown(config)}


def get_code_signing_config(context: Context, request: "shapes.GetCodeSigningConfigRequest") -> Mapping[str, Any]:
    return {"CodeSigningConfig": _shown(_find(context, request["CodeSigningConfigArn"]))}


def update_code_signing_config(context: Context, request: "shapes.UpdateCodeSigningConfigRequest") -> Mapping[str, Any]:
    config = _find(context, request["CodeSigningConfigArn"])
    _check_policies(request.get("CodeSigningPolicies"))
    publishers = request.get("AllowedPublishers")
    changed = replace(
        config,
        description=request.get("Description", config.description),
        publishers=config.publishers if publishers is None else tuple(publishers["SigningProfileVersionArns"]),
        last_modified=timestamp(context.now),
    )
    context.tx.put(changed, *changed.key)
    return {"CodeSigningConfig": _shown(changed)}


def delete_code_signing_config(context: Context, request: "shapes.DeleteCodeSigningConfigRequest") -> None:
    config = _find(context, request["CodeSigningConfigArn"])
    if users := _users(context, config.arn):
        raise conflict(
            f"The code signing configuration {config.arn} is attached to functions and cannot be deleted: "
            f"{', '.join(user.name for user in users)}"
        )
    context.tx.delete(CodeSigningConfig, *config.key)


def list_code_signing_configs(context: Context, request: "shapes.ListCodeSigningConfigsRequest") -> Mapping[str, Any]:
    configs = context.tx.list(CodeSigningConfig, context.scope.account_id, context.scope.region)
    found, marker = page_by_marker(configs, request.get("MaxItems"), request.get("Marker"), key=lambda each: each.id)
    return {"CodeSigningConfigs": [_shown(config) for config in found], "NextMarker": marker}


def list_functions_by_code_signing_config(
    context: Context, request: "shapes.ListFunctionsByCodeSigningConfigRequest"
) -> Mapping[str, Any]:
    users = _users(context, _find(context, request["CodeSigningConfigArn"]).arn)
    found, marker = page_by_marker(users, request.get("MaxItems"), request.get("Marker"), key=lambda each: each.name)
    arns = [function_arn(user.account_id, user.region, user.name) for user in found]
    return {"FunctionArns": arns, "NextMarker": marker}


def put_function_code_signing_config(
    context: Context, request: "shapes.PutFunctionCodeSigningConfigRequest"
) -> Mapping[str, Any]:
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    arn = attachable(context, request["CodeSigningConfigArn"])
    put_function(context, replace(record, code_signing_config_arn=arn))
    return {"CodeSigningConfigArn": arn, "FunctionName": record.name}


def get_function_code_signing_config(
    context: Context, request: "shapes.GetFunctionCodeSigningConfigRequest"
) -> Mapping[str, Any]:
    """The ARN is "" for a function that has none: the service model requires the member."""
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    return {"FunctionName": record.name, "CodeSigningConfigArn": record.code_signing_config_arn}


def delete_function_code_signing_config(
    context: Context, request: "shapes.DeleteFunctionCodeSigningConfigRequest"
) -> None:
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    if record.code_signing_config_arn:
        put_function(context, replace(record, code_signing_config_arn=""))


def attachable(context: Context, arn: str) -> str:
    """The ARN as given. Raises ApiError where no configuration has it."""
    if _get(context, arn) is None:
        raise code_signing_config_not_found(arn)
    return arn


def _get(context: Context, arn: str) -> CodeSigningConfig | None:
    config = context.tx.get(CodeSigningConfig, context.scope.account_id, context.scope.region, arn.rpartition(":")[2])
    return config if config is not None and config.arn == arn else None


def _find(context: Context, arn: str) -> CodeSigningConfig:
    config = _get(context, arn)
    if config is None:
        raise not_found(f"The Lambda code signing configuration {arn} can not be found.")
    return config


def _users(context: Context, arn: str) -> list[FunctionRecord]:
    records = context.tx.list(FunctionRecord, context.scope.account_id, context.scope.region)
    return [record for record in records if record.code_signing_config_arn == arn]


def _check_policies(given: "shapes.CodeSigningPolicies | None") -> None:
    wanted = (given or {}).get("UntrustedArtifactOnDeployment", _WARN)
    if wanted != _WARN:
        raise unsupported(
            "CodeSigningPolicies.UntrustedArtifactOnDeployment", wanted, f"signatures are not checked; give {_WARN}"
        )


def _shown(config: CodeSigningConfig) -> Mapping[str, Any]:
    return {
        "CodeSigningConfigId": config.id,
        "CodeSigningConfigArn": config.arn,
        "Description": config.description or None,
        "AllowedPublishers": {"SigningProfileVersionArns": config.publishers},
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": _WARN},
        "LastModified": config.last_modified,
    }
