"""Aliases: names for a version, or for two with a share each (aws-semantics 9.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import check_revision, conflict, invalid, outside_limits
from headgate.control.lambda_.lookup import find_alias, find_function, find_version, key_of
from headgate.control.lambda_.qualifiers import named_whole
from headgate.model.arn import FunctionRef
from headgate.model.event import EventInvokeConfig
from headgate.model.function import LATEST, Alias, FunctionPolicy, FunctionVersion, RoutingConfig
from headgate.model.function_url import FunctionUrl
from headgate.model.ids import new_revision_id
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


def create_alias(context: Context, request: "shapes.CreateAliasRequest") -> Alias:
    function = named_whole(context.scope, request["FunctionName"])
    name = _qualified(function, request["Name"])
    find_version(context, _qualified(function, request["FunctionVersion"]))
    if context.tx.get(Alias, *key_of(function), name.qualifier) is not None:
        raise conflict(f"Alias already exists: {name.arn}")
    alias = Alias(
        name=name.qualifier,
        alias_arn=name.arn,
        function_version=request["FunctionVersion"],
        revision_id=new_revision_id(),
        function_name=function.name,
        account_id=function.account_id,
        region=function.region,
        description=request.get("Description", ""),
        routing_config=_routing_config(request.get("RoutingConfig", {})),
    )
    _check_routing(context, function, alias)
    return _put(context, alias)


def get_alias(context: Context, request: "shapes.GetAliasRequest") -> Alias:
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    return find_alias(context, _qualified(function, request["Name"]))


def list_aliases(context: Context, request: "shapes.ListAliasesRequest") -> Mapping[str, Any]:
    """By name; with FunctionVersion those that send calls to that version, as their first or their second."""
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    wanted = request.get("FunctionVersion")
    aliases = [
        alias for alias in context.tx.list(Alias, *key_of(function)) if wanted is None or wanted in alias.versions
    ]
    found, marker = page_by_marker(aliases, request.get("MaxItems"), request.get("Marker"), key=lambda each: each.name)
    return {"Aliases": found, "NextMarker": marker}


def update_alias(context: Context, request: "shapes.UpdateAliasRequest") -> Alias:
    """Change what the request names. An empty AdditionalVersionWeights takes the second version away."""
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    alias = find_alias(context, _qualified(function, request["Name"]))
    check_revision(request.get("RevisionId"), alias.revision_id)
    changed = replace(
        alias,
        function_version=request.get("FunctionVersion", alias.function_version),
        description=request.get("Description", alias.description),
        routing_config=_routing_config(request["RoutingConfig"])
        if "RoutingConfig" in request
        else alias.routing_config,
        revision_id=new_revision_id(),
    )
    find_version(context, _qualified(function, changed.function_version))
    _check_routing(context, function, changed)
    return _put(context, changed)


def delete_alias(context: Context, request: "shapes.DeleteAliasRequest") -> None:
    """An alias that is not there is no error: the wish is fulfilled."""
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    for kind in (Alias, EventInvokeConfig, FunctionPolicy, FunctionUrl, ProvisionedConcurrency):
        context.tx.delete(kind, *key_of(function), request["Name"])


def _qualified(function: FunctionRef, qualifier: str) -> FunctionRef:
    return replace(function, qualifier=qualifier)


def _routing_config(given: "shapes.AliasRoutingConfiguration") -> RoutingConfig | None:
    weights = given.get("AdditionalVersionWeights")
    return RoutingConfig(additional_version_weights=weights) if weights else None


def _check_routing(context: Context, function: FunctionRef, alias: Alias) -> None:
    """Refuse a second version that cannot stand beside the first. Both are looked at as the alias is to be."""
    weights = alias.additional_weights
    if len(weights) > 1:
        raise invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for version, weight in weights.items():
        if not 0.0 <= weight <= 1.0:
            raise outside_limits(
                "routingConfig.additionalVersionWeights",
                f"{{{version}={weight}}}",
                "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
                "Member must have value greater than or equal to 0.0, Member must not be null]",
            )
        if version == alias.function_version:
            raise invalid(
                f"Invalid function version {version}. "
                f"Function version {version} is already included in routing configuration."
            )
        if LATEST in {version, alias.function_version}:
            raise invalid("$LATEST is not supported for an alias pointing to more than 1 version")
        if not (version.isascii() and version.isdigit()):
            raise outside_limits(
                "routingConfig.additionalVersionWeights",
                f"{{{version}={weight}}}",
                "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
                "Member must have length greater than or equal to 1, "
                "Member must satisfy regular expression pattern: [0-9]+, Member must not be null]",
            )
        _check_alike(
            find_version(context, _qualified(function, alias.function_version)),
            find_version(context, _qualified(function, version)),
        )


def _check_alike(first: FunctionVersion, second: FunctionVersion) -> None:
    """One caller must not meet two sets of rights. The service's own texts are not known."""
    if first.role != second.role:
        raise invalid(
            f"The versions of an alias must have the same execution role: version {first.version} has {first.role}, "
            f"version {second.version} has {second.role}"
        )
    if first.dead_letter_config != second.dead_letter_config:
        raise invalid(
            f"The versions of an alias must have the same dead-letter queue: versions {first.version} and "
            f"{second.version} differ in DeadLetterConfig"
        )


def _put(context: Context, alias: Alias) -> Alias:
    context.tx.put(alias, alias.account_id, alias.region, alias.function_name, alias.name)
    return alias
