"""Functions: create, get, list, delete."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.context import Context
from headgate.control.lambda_.code import Bundle, put_on, take_code
from headgate.control.lambda_.code_signing import attachable
from headgate.control.lambda_.configuration import check_supported, configured
from headgate.control.lambda_.errors import conflict, invalid, outside_limits
from headgate.control.lambda_.layer_use import layered
from headgate.control.lambda_.lookup import find_function, find_version, key_of, put_function, put_version
from headgate.control.lambda_.pins import check_unpinned
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import is_version, named
from headgate.control.lambda_.shown import by_age, listed, shown, timestamp
from headgate.control.lambda_.tags import check_tags
from headgate.control.lambda_.versions import publish
from headgate.model.arn import FunctionRef
from headgate.model.event import EventInvokeConfig
from headgate.model.function import (
    LATEST,
    Alias,
    FunctionPolicy,
    FunctionRecord,
    FunctionVersion,
    LoggingConfig,
)
from headgate.model.function_url import FunctionUrl
from headgate.model.ids import new_revision_id
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.model.scope import Scope
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_NAME_LENGTH: Final = 64  # of the name alone; the service model limits the whole ARN


async def create_function(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.CreateFunctionRequest"
) -> Mapping[str, Any]:
    """Make a function, which can be called when this answers. With Publish, its version 1 too."""
    function = _new_name(scope, request["FunctionName"])
    check_supported(ports, request)
    version = _new_version(function, now, request)
    tags = check_tags(request.get("Tags") or {})
    bundle = await take_code(ports, request["Code"], "CreateFunction")

    signing = request.get("CodeSigningConfigArn")

    def create(context: Context) -> Mapping[str, Any]:
        if context.tx.get(FunctionRecord, *key_of(function)) is not None:
            raise conflict(f"Function already exist: {function.name}")
        latest = layered(context, put_on(version, bundle), request)
        record = FunctionRecord(
            name=function.name,
            account_id=function.account_id,
            region=function.region,
            tags=tags or None,
            code_signing_config_arn=attachable(context, signing) if signing else "",
        )
        _keep(context, record, latest, bundle)
        if request.get("Publish"):
            # The ARN stays unqualified, unlike in every other answer that has a version (aws-semantics 9.2).
            return shown(publish(context, record, latest))
        return shown(latest)

    return await ports.store.write(lambda tx: create(Context(tx, scope, now)))


async def get_function(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.GetFunctionRequest"
) -> Mapping[str, Any]:
    """The configuration, and an address from which the code can be fetched for ten minutes."""
    function = named(scope, request["FunctionName"], request.get("Qualifier"))

    def find(context: Context) -> tuple[FunctionVersion, FunctionRecord]:
        return find_version(context, function), find_function(context, function)

    version, record = await ports.store.read(lambda tx: find(Context(tx, scope, now)))
    reserved = record.reserved_concurrency
    return {
        "Configuration": shown(version, function.qualifier),
        "Code": {"RepositoryType": "S3", "Location": ports.code_location(version.code_digest, now)},
        "Tags": record.tags,
        "Concurrency": None if reserved is None else {"ReservedConcurrentExecutions": reserved},
    }


def get_function_configuration(
    context: Context, request: "shapes.GetFunctionConfigurationRequest"
) -> Mapping[str, Any]:
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    return shown(find_version(context, function), function.qualifier)


def list_functions(context: Context, request: "shapes.ListFunctionsRequest") -> Mapping[str, Any]:
    """By name; with FunctionVersion ALL each function's versions too.

    MasterRegion asks for the copies of edge functions, of which there are none here: all functions are originals.
    """
    versions = context.tx.list(FunctionVersion, context.scope.account_id, context.scope.region)
    all_versions = request.get("FunctionVersion") == "ALL"
    if not all_versions:
        versions = [version for version in versions if version.version == LATEST]
    found, marker = page_by_marker(versions, request.get("MaxItems"), request.get("Marker"), key=by_age)
    return {"Functions": [listed(version, qualified=all_versions) for version in found], "NextMarker": marker}


def delete_function(context: Context, request: "shapes.DeleteFunctionRequest") -> Mapping[str, Any]:
    """Delete a function with all that belongs to it or, with a qualifier, one version.

    The code stays in the store: other versions, of this function or another, may have the same.
    """
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    if function.qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if not function.qualifier:
        _delete_whole(context, function)
    elif is_version(function.qualifier):
        _delete_version(context, function)
    else:
        raise invalid("Deletion of aliases is not currently supported.")
    return {"StatusCode": 204}


def _new_name(scope: Scope, function_name: str) -> FunctionRef:
    function = named(scope, function_name)
    if len(function.name) > MAX_NAME_LENGTH:
        raise outside_limits(
            "functionName", function.name, f"Member must have length less than or equal to {MAX_NAME_LENGTH}"
        )
    if function.qualifier:
        raise invalid(f"Invalid qualifier {function.qualifier} in FunctionName: a new function has none; leave it out")
    return function


def _new_version(function: FunctionRef, now: float, request: "shapes.CreateFunctionRequest") -> FunctionVersion:
    """`$LATEST` of a new function, still without its code."""
    if not request.get("Runtime") or not request.get("Handler"):
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    plain = FunctionVersion(
        function_name=function.name,
        function_arn=function.arn,
        version=LATEST,
        runtime=request["Runtime"],
        role=request["Role"],
        handler=request["Handler"],
        code_size=0,
        last_modified=timestamp(now),
        revision_id=new_revision_id(),
        account_id=function.account_id,
        region=function.region,
        logging_config=LoggingConfig(log_group=f"/aws/lambda/{function.name}"),
    )
    return configured(plain, request)


def _keep(context: Context, record: FunctionRecord, latest: FunctionVersion, bundle: Bundle) -> None:
    context.tx.put_blob(bundle.digest, bundle.body)
    put_function(context, record)
    put_version(context, latest)


def _delete_whole(context: Context, function: FunctionRef) -> None:
    find_function(context, function)
    check_unpinned(context, function)
    for kind in (Alias, EventInvokeConfig, FunctionPolicy, FunctionUrl, FunctionVersion, ProvisionedConcurrency):
        context.tx.delete_all(kind, *key_of(function))
    context.tx.delete(FunctionRecord, *key_of(function))


def _delete_version(context: Context, function: FunctionRef) -> None:
    """A version that is not there, or no more, is no error: the wish is fulfilled."""
    find_function(context, function.unqualified)
    aliases = context.tx.list(Alias, *key_of(function))
    if users := [alias.name for alias in aliases if function.qualifier in alias.versions]:
        raise conflict(f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]")
    check_unpinned(context, function)
    for kind in (EventInvokeConfig, FunctionPolicy, ProvisionedConcurrency):
        context.tx.delete(kind, *key_of(function), function.qualifier)
    context.tx.delete(FunctionVersion, *key_of(function), function.qualifier)
