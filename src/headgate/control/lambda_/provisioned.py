"""Provisioned concurrency: environments that are kept started for a published version, or behind an alias."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

from headgate.control.context import Context
from headgate.control.lambda_.concurrency import MIN_UNRESERVED, unreserved_concurrency
from headgate.control.lambda_.errors import conflict, invalid, provisioned_not_found
from headgate.control.lambda_.lookup import check_qualifier, find_function, find_version, key_of
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named, named_whole
from headgate.model.arn import FunctionRef
from headgate.model.function import LATEST, Alias, FunctionVersion
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.model.scope import Scope
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


async def put_provisioned_concurrency_config(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.PutProvisionedConcurrencyConfigRequest"
) -> Mapping[str, Any]:
    """Have environments started and kept. This answers before they are: the status says how far it is."""
    function = named(scope, request["FunctionName"], request["Qualifier"])
    wanted = request["ProvisionedConcurrentExecutions"]

    def put(context: Context) -> tuple[ProvisionedConcurrency, FunctionVersion]:
        check_qualifier(context, function)
        if find_version(context, function).version == LATEST:
            raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        _check_alone(context, function)
        _check_room(context, ports, function, wanted)
        config = ProvisionedConcurrency(
            function_name=function.name,
            qualifier=function.qualifier,
            account_id=function.account_id,
            region=function.region,
            requested=wanted,
            last_modified=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        )
        context.tx.put(config, *key_of(function), function.qualifier)
        return config, find_version(context, function)

    return _shown(ports, *await ports.store.write(lambda tx: put(Context(tx, scope, now))))


async def get_provisioned_concurrency_config(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.GetProvisionedConcurrencyConfigRequest"
) -> Mapping[str, Any]:
    function = _published(scope, request["FunctionName"], request["Qualifier"])

    def get(context: Context) -> tuple[ProvisionedConcurrency, FunctionVersion]:
        check_qualifier(context, function)
        config = context.tx.get(ProvisionedConcurrency, *key_of(function), function.qualifier)
        if config is None:
            raise provisioned_not_found()
        return config, find_version(context, function)

    return _shown(ports, *await ports.store.read(lambda tx: get(Context(tx, scope, now))))


async def list_provisioned_concurrency_configs(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.ListProvisionedConcurrencyConfigsRequest"
) -> Mapping[str, Any]:
    """By qualifier."""
    function = named_whole(scope, request["FunctionName"])

    def find(context: Context) -> list[tuple[ProvisionedConcurrency, FunctionVersion]]:
        find_function(context, function)
        configs = context.tx.list(ProvisionedConcurrency, *key_of(function))
        return [(config, find_version(context, _ref(config))) for config in configs]

    found = await ports.store.read(lambda tx: find(Context(tx, scope, now)))
    page, marker = page_by_marker(
        found, request.get("MaxItems"), request.get("Marker"), key=lambda each: each[0].qualifier
    )
    return {
        "ProvisionedConcurrencyConfigs": [
            {"FunctionArn": _ref(config).arn, **_shown(ports, config, version)} for config, version in page
        ],
        "NextMarker": marker,
    }


def delete_provisioned_concurrency_config(
    context: Context, request: "shapes.DeleteProvisionedConcurrencyConfigRequest"
) -> None:
    """What is not there is no error: the wish is fulfilled."""
    function = _published(context.scope, request["FunctionName"], request["Qualifier"])
    check_qualifier(context, function)
    context.tx.delete(ProvisionedConcurrency, *key_of(function), function.qualifier)


def environments_by_version(
    configs: Sequence[ProvisionedConcurrency], aliases: Mapping[str, Alias]
) -> Mapping[str, int]:
    """How many environments each version is to have. Each of an alias's two versions has its share, rounded up."""
    wanted: dict[str, int] = {}
    for config in configs:
        alias = aliases.get(config.qualifier)
        if alias is None:
            shares = {config.qualifier: 1.0}
        else:
            shares = {alias.function_version: 1.0 - sum(alias.additional_weights.values()), **alias.additional_weights}
        for version, share in shares.items():
            wanted[version] = wanted.get(version, 0) + ceil(config.requested * share)
    return {version: number for version, number in wanted.items() if number}


def _published(scope: Scope, function_name: str, qualifier: str) -> FunctionRef:
    function = named(scope, function_name, qualifier)
    if function.qualifier == LATEST:
        raise invalid("The function resource provided must be an alias or a published version.")
    return function


def _check_alone(context: Context, function: FunctionRef) -> None:
    """A version has provisioned concurrency by itself or through its aliases, not both (texts: LocalStack)."""
    alias = context.tx.get(Alias, *key_of(function), function.qualifier)
    if alias is not None:
        if any(_has_any(context, function, version) for version in alias.versions):
            raise conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            )
        return
    for other in context.tx.list(Alias, *key_of(function)):
        if function.qualifier in other.versions and _has_any(context, function, other.name):
            raise conflict("Version is pointed by a Provisioned Concurrency alias")


def _has_any(context: Context, function: FunctionRef, qualifier: str) -> bool:
    return context.tx.get(ProvisionedConcurrency, *key_of(function), qualifier) is not None


def _check_room(context: Context, ports: LambdaPorts, function: FunctionRef, wanted: int) -> None:
    configs = context.tx.list(ProvisionedConcurrency)
    others = [each for each in configs if _ref(each) != function]
    reserved = find_function(context, function.unqualified).reserved_concurrency
    if reserved is not None:
        mine = sum(each.requested for each in others if _ref(each).unqualified == function.unqualified)
        if mine + wanted > reserved:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
    elif unreserved_concurrency(context, ports.concurrency) - wanted < MIN_UNRESERVED:
        raise invalid(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
            f"minimum value of [{MIN_UNRESERVED}]."
        )
    # Each is a process on this machine.
    taken = sum(each.requested for each in others)
    if taken + wanted > ports.max_provisioned:
        raise invalid(
            f"ProvisionedConcurrentExecutions {wanted} is more than this server keeps started: {ports.max_provisioned} "
            f"in all, of which {taken} are taken; it can be at most {ports.max_provisioned - taken}"
        )


def _ref(config: ProvisionedConcurrency) -> FunctionRef:
    return FunctionRef(
        account_id=config.account_id, region=config.region, name=config.function_name, qualifier=config.qualifier
    )


def _shown(ports: LambdaPorts, config: ProvisionedConcurrency, version: FunctionVersion) -> Mapping[str, Any]:
    there = ports.provisioned(version)
    allocated = min(there.started, config.requested)
    ready = allocated == config.requested
    return {
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AllocatedProvisionedConcurrentExecutions": allocated,
        "AvailableProvisionedConcurrentExecutions": allocated,
        "Status": "READY" if ready else "FAILED" if there.failing else "IN_PROGRESS",
        "StatusReason": "FUNCTION_ERROR_INIT_FAILURE" if there.failing and not ready else None,
        "LastModified": config.last_modified,
    }
