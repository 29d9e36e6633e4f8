"""What clients ask of an account, and of a function where nothing here changes the answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.context import Context
from headgate.control.lambda_.code import MAX_ZIP_BYTES
from headgate.control.lambda_.concurrency import unreserved_concurrency
from headgate.control.lambda_.ports import LambdaPorts
from headgate.functions.bundle import MAX_UNZIPPED_BYTES
from headgate.model.function import FunctionRecord, FunctionVersion
from headgate.model.scope import Scope

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_TOTAL_CODE_BYTES: Final = 75 * 1024**3  # Lambda's quota; nothing is counted against it here


async def get_account_settings(
    ports: LambdaPorts, scope: Scope, now: float, _request: "shapes.GetAccountSettingsRequest"
) -> Mapping[str, Any]:
    """The limits, and what the account has in this region."""

    def get(context: Context) -> Mapping[str, Any]:
        account = (scope.account_id, scope.region)
        return {
            "AccountLimit": {
                "TotalCodeSize": MAX_TOTAL_CODE_BYTES,
                "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": MAX_ZIP_BYTES,
                "ConcurrentExecutions": ports.concurrency,
                "UnreservedConcurrentExecutions": unreserved_concurrency(context, ports.concurrency),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(version.code_size for version in context.tx.list(FunctionVersion, *account)),
                "FunctionCount": len(context.tx.list(FunctionRecord, *account)),
            },
        }

    return await ports.store.read(lambda tx: get(Context(tx, scope, now)))
