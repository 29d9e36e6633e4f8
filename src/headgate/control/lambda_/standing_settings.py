"""Settings of a function that are kept and shown, and change nothing in how it runs here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid, unsupported
from headgate.control.lambda_.lookup import find_function, find_version, put_function
from headgate.control.lambda_.qualifiers import named, named_whole
from headgate.model.function import LATEST

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

_AUTO: Final = "Auto"


def put_runtime_management_config(
    context: Context, request: "shapes.PutRuntimeManagementConfigRequest"
) -> Mapping[str, Any]:
    """Of one version. The runtime is what the machine has, so no other can be pinned by its ARN."""
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    wanted = request["UpdateRuntimeOn"]
    if wanted == "Manual":
        raise unsupported("UpdateRuntimeOn", wanted, "runtimes are the machine's own; give Auto or FunctionUpdate")
    if arn := request.get("RuntimeVersionArn"):
        raise invalid(f"RuntimeVersionArn {arn} goes with UpdateRuntimeOn Manual only: leave it out")
    version = find_version(context, function)
    record = find_function(context, function.unqualified)
    put_function(
        context,
        replace(record, runtime_updates={**(record.runtime_updates or {}), version.version: wanted}),
    )
    return _runtime_management(version.function_arn, function.qualifier, wanted)


def get_runtime_management_config(
    context: Context, request: "shapes.GetRuntimeManagementConfigRequest"
) -> Mapping[str, Any]:
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    version = find_version(context, function)
    record = find_function(context, function.unqualified)
    wanted = (record.runtime_updates or {}).get(version.version, _AUTO)
    return _runtime_management(version.function_arn, function.qualifier, wanted)


def put_function_recursion_config(
    context: Context, request: "shapes.PutFunctionRecursionConfigRequest"
) -> Mapping[str, Any]:
    """Loops are not looked for here, so both settings run alike."""
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    put_function(context, replace(record, recursive_loop=request["RecursiveLoop"]))
    return {"RecursiveLoop": request["RecursiveLoop"]}


def get_function_recursion_config(
    context: Context, request: "shapes.GetFunctionRecursionConfigRequest"
) -> Mapping[str, Any]:
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    return {"RecursiveLoop": record.recursive_loop}


def _runtime_management(arn: str, qualifier: str, wanted: str) -> Mapping[str, Any]:
    return {"UpdateRuntimeOn": wanted, "FunctionArn": f"{arn}:{qualifier or LATEST}"}
