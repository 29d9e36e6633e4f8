"""Reserved concurrency: how many calls of a function may run at once (aws-semantics 9.4)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import invalid
from headgate.control.lambda_.lookup import find_function, key_of, put_function
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.qualifiers import named_whole
from headgate.model.function import FunctionRecord
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.model.scope import Scope

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MIN_UNRESERVED: Final = 100


async def put_function_concurrency(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.PutFunctionConcurrencyRequest"
) -> Mapping[str, Any]:
    """Reserve concurrency, from the next call on. With 0 no call of the function runs."""
    function = named_whole(scope, request["FunctionName"])
    wanted = request["ReservedConcurrentExecutions"]

    def put(context: Context) -> Mapping[str, Any]:
        record = find_function(context, function)
        unreserved = unreserved_concurrency(context, ports.concurrency, but=record.name)
        if wanted and unreserved - wanted < MIN_UNRESERVED:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{MIN_UNRESERVED}]."
            )
        provisioned = sum(each.requested for each in context.tx.list(ProvisionedConcurrency, *key_of(function)))
        if wanted < provisioned:
            raise invalid(
                f"ReservedConcurrentExecutions {wanted} should not be lower than function's total provisioned "
                f"concurrency [{provisioned}]."
            )
        put_function(context, replace(record, reserved_concurrency=wanted))
        return {"ReservedConcurrentExecutions": wanted}

    return await ports.store.write(lambda tx: put(Context(tx, scope, now)))


def get_function_concurrency(context: Context, request: "shapes.GetFunctionConcurrencyRequest") -> Mapping[str, Any]:
    """Where nothing is reserved Lambda says so by an empty answer."""
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    return {"ReservedConcurrentExecutions": record.reserved_concurrency}


def delete_function_concurrency(context: Context, request: "shapes.DeleteFunctionConcurrencyRequest") -> None:
    """Where nothing is reserved this is no error: the wish is fulfilled."""
    record = find_function(context, named_whole(context.scope, request["FunctionName"]))
    put_function(context, replace(record, reserved_concurrency=None))


def unreserved_concurrency(context: Context, account_limit: int, *, but: str = "") -> int:
    """What the account has left in this region, not counting what the function `but` has reserved."""
    records = context.tx.list(FunctionRecord, context.scope.account_id, context.scope.region)
    return account_limit - sum(record.reserved_concurrency or 0 for record in records if record.name != but)
