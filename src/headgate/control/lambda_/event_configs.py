"""What is set for asynchronous calls: retries, maximum age, destinations. Per function, version and alias.

Rules and texts beyond the service model are those that LocalStack recorded of Lambda.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid, not_found
from headgate.control.lambda_.event_targets import Target, check_target
from headgate.control.lambda_.lookup import find_function, key_of
from headgate.control.lambda_.qualifiers import is_version, named, named_whole
from headgate.model.arn import FunctionRef, parse_function_arn
from headgate.model.event import Destination, DestinationConfig, EventInvokeConfig
from headgate.model.function import LATEST, Alias, FunctionRecord, FunctionVersion
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


def put_function_event_invoke_config(
    context: Context, request: "shapes.PutFunctionEventInvokeConfigRequest"
) -> Mapping[str, Any]:
    """Set all of it; what the request leaves out has its default from then on."""
    function = _existing(context, request)
    config = EventInvokeConfig(
        function_name=function.name,
        qualifier=function.qualifier,
        account_id=function.account_id,
        region=function.region,
        last_modified=context.now,
        maximum_retry_attempts=request.get("MaximumRetryAttempts"),
        maximum_event_age_s=request.get("MaximumEventAgeInSeconds"),
        destination_config=_destinations(context, function, request.get("DestinationConfig") or {}),
    )
    return _put(context, config)


def update_function_event_invoke_config(
    context: Context, request: "shapes.UpdateFunctionEventInvokeConfigRequest"
) -> Mapping[str, Any]:
    """Set what the request names; the rest stays."""
    function = _existing(context, request)
    config = _find(context, function)
    retries, age_s = request.get("MaximumRetryAttempts"), request.get("MaximumEventAgeInSeconds")
    changed = replace(
        config,
        last_modified=context.now,
        maximum_retry_attempts=config.maximum_retry_attempts if retries is None else retries,
        maximum_event_age_s=config.maximum_event_age_s if age_s is None else age_s,
        destination_config=_destinations(context, function, request["DestinationConfig"])
        if "DestinationConfig" in request
        else config.destination_config,
    )
    return _put(context, changed)


def get_function_event_invoke_config(
    context: Context, request: "shapes.GetFunctionEventInvokeConfigRequest"
) -> Mapping[str, Any]:
    return _shown(_find(context, _named(context, request)))


def delete_function_event_invoke_config(
    context: Context, request: "shapes.DeleteFunctionEventInvokeConfigRequest"
) -> None:
    config = _find(context, _named(context, request))
    context.tx.delete(EventInvokeConfig, config.account_id, config.region, config.function_name, config.qualifier)


def list_function_event_invoke_configs(
    context: Context, request: "shapes.ListFunctionEventInvokeConfigsRequest"
) -> Mapping[str, Any]:
    """By qualifier."""
    function = named_whole(context.scope, request["FunctionName"])
    if context.tx.get(FunctionRecord, *key_of(function)) is None:
        raise not_found("The function doesn't exist.")
    configs, marker = page_by_marker(
        context.tx.list(EventInvokeConfig, *key_of(function)),
        request.get("MaxItems"),
        request.get("Marker"),
        key=lambda each: each.qualifier,
    )
    return {"FunctionEventInvokeConfigs": [_shown(config) for config in configs], "NextMarker": marker}


def _named(context: Context, request: Mapping[str, Any]) -> FunctionRef:
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    return replace(function, qualifier=function.qualifier or LATEST)


def _existing(context: Context, request: Mapping[str, Any]) -> FunctionRef:
    if not any(
        request.get(member) is not None
        for member in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    ):
        raise invalid("You must specify at least one of error handling or destination setting.")
    function = _named(context, request)
    kind = FunctionVersion if is_version(function.qualifier) else Alias
    if context.tx.get(kind, *key_of(function), function.qualifier) is None:
        raise not_found("The function doesn't exist.")
    return function


def _find(context: Context, function: FunctionRef) -> EventInvokeConfig:
    config = context.tx.get(EventInvokeConfig, *key_of(function), function.qualifier)
    if config is None:
        raise not_found(f"The function {function.arn} doesn't have an EventInvokeConfig")
    return config


def _destinations(context: Context, function: FunctionRef, given: "shapes.DestinationConfig") -> DestinationConfig:
    """An empty ARN is none."""
    return DestinationConfig(
        on_success=_destination(context, function, given.get("OnSuccess", {}).get("Destination")),
        on_failure=_destination(context, function, given.get("OnFailure", {}).get("Destination")),
    )


def _destination(context: Context, function: FunctionRef, arn: str | None) -> Destination:
    if not arn:
        return Destination()
    if check_target("destination", arn) is Target.FUNCTION:
        other = parse_function_arn(arn)
        if other is None or (other.account_id, other.region) != (function.account_id, function.region):
            raise invalid(f"The destination ARN {arn} is invalid.")
        if other.name == function.name:
            raise invalid("You can't specify the function as a destination for itself.")
        find_function(context, other)
    return Destination(destination=arn)


def _put(context: Context, config: EventInvokeConfig) -> Mapping[str, Any]:
    context.tx.put(config, config.account_id, config.region, config.function_name, config.qualifier)
    return _shown(config)


def _shown(config: EventInvokeConfig) -> Mapping[str, Any]:
    function = FunctionRef(
        account_id=config.account_id, region=config.region, name=config.function_name, qualifier=config.qualifier
    )
    return {
        "LastModified": config.last_modified,
        "FunctionArn": function.arn,
        "MaximumRetryAttempts": config.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": config.maximum_event_age_s,
        "DestinationConfig": config.destination_config,
    }
