"""Function URLs: create, get, update, delete, list. The gateway serves them; see `dataplane.function_url`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import conflict, not_found, outside_limits
from headgate.control.lambda_.lookup import key_of
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import is_version, named
from headgate.model.arn import FunctionRef
from headgate.model.function import Alias, FunctionRecord
from headgate.model.function_url import Cors, FunctionUrl, new_url_id
from headgate.model.scope import Scope
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


async def create_function_url_config(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.CreateFunctionUrlConfigRequest"
) -> Mapping[str, Any]:
    """One for the function, and one for each alias of it."""
    function = _named(scope, request["FunctionName"], request.get("Qualifier"))

    def create(context: Context) -> FunctionUrl:
        _check_there(context, function)
        if context.tx.get(FunctionUrl, *_key(function)) is not None:
            raise conflict(
                f"Failed to create function url config for [functionArn = {function.arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        url = FunctionUrl(
            url_id=new_url_id(),
            function=function,
            auth_type=request["AuthType"],
            created=_timestamp(now),
            modified=_timestamp(now),
            cors=_cors(request),
            invoke_mode=request.get("InvokeMode", "BUFFERED"),
        )
        context.tx.put(url, *_key(function))
        return url

    return _shown(ports, await ports.store.write(lambda tx: create(Context(tx, scope, now))))


async def get_function_url_config(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.GetFunctionUrlConfigRequest"
) -> Mapping[str, Any]:
    function = _named(scope, request["FunctionName"], request.get("Qualifier"))
    return _shown(ports, await ports.store.read(lambda tx: _find(Context(tx, scope, now), function)))


async def update_function_url_config(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.UpdateFunctionUrlConfigRequest"
) -> Mapping[str, Any]:
    """Change what the request names. A Cors is replaced as a whole; an empty one takes it away."""
    function = _named(scope, request["FunctionName"], request.get("Qualifier"))

    def update(context: Context) -> FunctionUrl:
        _check_there(context, function)
        url = _find(context, function)
        changed = replace(
            url,
            auth_type=request.get("AuthType", url.auth_type),
            invoke_mode=request.get("InvokeMode", url.invoke_mode),
            cors=_cors(request) if "Cors" in request else url.cors,
            modified=_timestamp(now),
        )
        context.tx.put(changed, *_key(function))
        return changed

    return _shown(ports, await ports.store.write(lambda tx: update(Context(tx, scope, now))))


def delete_function_url_config(context: Context, request: "shapes.DeleteFunctionUrlConfigRequest") -> None:
    function = _named(context.scope, request["FunctionName"], request.get("Qualifier"))
    _find(context, function)
    context.tx.delete(FunctionUrl, *_key(function))


async def list_function_url_configs(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.ListFunctionUrlConfigsRequest"
) -> Mapping[str, Any]:
    """The function's own first, then its aliases' by name."""
    function = _named(scope, request["FunctionName"], None)

    def find(context: Context) -> list[FunctionUrl]:
        _check_there(context, function.unqualified)
        return context.tx.list(FunctionUrl, *key_of(function))

    urls = await ports.store.read(lambda tx: find(Context(tx, scope, now)))
    found, marker = page_by_marker(
        urls, request.get("MaxItems"), request.get("Marker"), key=lambda each: each.function.qualifier
    )
    return {"FunctionUrlConfigs": [_shown(ports, url) for url in found], "NextMarker": marker}


def _named(scope: Scope, function_name: str, qualifier: str | None) -> FunctionRef:
    function = named(scope, function_name, qualifier)
    if function.qualifier and is_version(function.qualifier):
        raise outside_limits(
            "qualifier",
            function.qualifier,
            r"Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)",
        )
    return function


def _check_there(context: Context, function: FunctionRef) -> None:
    there = context.tx.get(FunctionRecord, *key_of(function)) is not None
    if not there or (function.qualifier and context.tx.get(Alias, *_key(function)) is None):
        raise not_found("Function does not exist")


def _find(context: Context, function: FunctionRef) -> FunctionUrl:
    url = context.tx.get(FunctionUrl, *_key(function))
    if url is None:
        raise not_found("The resource you requested does not exist.")
    return url


def _key(function: FunctionRef) -> tuple[str, ...]:
    return *key_of(function), function.qualifier


def _cors(request: Mapping[str, Any]) -> Cors | None:
    given = {name: value for name, value in (request.get("Cors") or {}).items() if value is not None}
    return msgspec.convert(given, Cors) if given else None


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _shown(ports: LambdaPorts, url: FunctionUrl) -> Mapping[str, Any]:
    return {
        "FunctionUrl": ports.function_url(url.url_id, url.function.region),
        "FunctionArn": url.function.arn,
        "AuthType": url.auth_type,
        "Cors": url.cors,
        "CreationTime": url.created,
        "LastModifiedTime": url.modified,
        "InvokeMode": url.invoke_mode,
    }
