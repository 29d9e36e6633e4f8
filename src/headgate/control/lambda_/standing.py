"""What clients ask of a function or account that nothing here changes: answers that are always the same."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.context import Context
from headgate.control.lambda_.code import MAX_ZIP_BYTES
from headgate.control.lambda_.lookup import find_function, find_version
from headgate.control.lambda_.qualifiers import named, named_whole
from headgate.functions.bundle import MAX_UNZIPPED_BYTES
from headgate.model.function import LATEST, FunctionRecord, FunctionVersion

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_CONCURRENT_EXECUTIONS: Final = 1000  # of an account in a region (aws-semantics 9.1)
MAX_TOTAL_CODE_BYTES: Final = 75 * 1024**3  # Lambda's quota; nothing is counted against it here


def get_account_settings(context: Context, _request: "shapes.GetAccountSettingsRequest") -> Mapping[str, Any]:
    """Lambda's default limits, and what the account has in this region."""
    account = (context.scope.account_id, context.scope.region)
    return {
        "AccountLimit": {
            "TotalCodeSize": MAX_TOTAL_CODE_BYTES,
            "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
            "CodeSizeZipped": MAX_ZIP_BYTES,
            "ConcurrentExecutions": MAX_CONCURRENT_EXECUTIONS,
            "UnreservedConcurrentExecutions": MAX_CONCURRENT_EXECUTIONS,
        },
        "AccountUsage": {
            "TotalCodeSize": sum(version.code_size for version in context.tx.list(FunctionVersion, *account)),
            "FunctionCount": len(context.tx.list(FunctionRecord, *account)),
        },
    }


def get_function_concurrency(context: Context, request: "shapes.GetFunctionConcurrencyRequest") -> Mapping[str, Any]:
    """Nothing is reserved, which Lambda says by an empty answer."""
    find_function(context, named_whole(context.scope, request["FunctionName"]))
    return {}


def get_function_code_signing_config(
    context: Context, request: "shapes.GetFunctionCodeSigningConfigRequest"
) -> Mapping[str, Any]:
    """No function has one; the members are required by the service model."""
    function = named_whole(context.scope, request["FunctionName"])
    find_function(context, function)
    return {"FunctionName": function.name, "CodeSigningConfigArn": ""}


def get_runtime_management_config(
    context: Context, request: "shapes.GetRuntimeManagementConfigRequest"
) -> Mapping[str, Any]:
    """Runtimes are what the machine has, so they are as new as it keeps them."""
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    version = find_version(context, function)
    return {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{version.function_arn}:{function.qualifier or LATEST}"}
