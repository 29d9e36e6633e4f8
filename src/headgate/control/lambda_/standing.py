"""What clients ask of a function or account that nothing here changes: answers that are always the same."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.context import Context
from headgate.control.lambda_.code import MAX_ZIP_BYTES
from headgate.control.lambda_.lookup import find_function
from headgate.control.lambda_.qualifiers import named_whole
from headgate.functions.bundle import MAX_UNZIPPED_BYTES
from headgate.model.function import FunctionRecord, FunctionVersion

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
