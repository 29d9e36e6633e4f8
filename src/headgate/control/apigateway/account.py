"""The account's settings."""

from typing import TYPE_CHECKING, Final

from headgate.control.apigateway.errors import bad_request
from headgate.control.apigateway.patching import optional, required, set_field
from headgate.control.context import Context
from headgate.model.account import Account
from headgate.wire.patch import Patch, PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes


def get_account(context: Context, request: "shapes.GetAccountRequest") -> Account:  # noqa: ARG001  it has no members
    return context.tx.get(Account, context.scope.account_id, context.scope.region) or Account()


def update_account(context: Context, request: "shapes.UpdateAccountRequest") -> Account:
    account = apply(_PATCHES, get_account(context, {}), request.get("patchOperations", []))
    context.tx.put(account, context.scope.account_id, context.scope.region)
    return account


def _add_feature(account: Account, patch: Patch) -> Account:
    if required(patch) != "UsagePlans":
        raise bad_request(f"Invalid feature {patch.value!r}: give UsagePlans")
    return account


def _remove_feature(_account: Account, patch: Patch) -> Account:
    raise bad_request(f"Usage Plans cannot be disabled once enabled ({patch.value})")


_PATCHES: Final = PatchTable[Account](
    {
        ("replace", "/cloudwatchRoleArn"): set_field("cloudwatch_role_arn", optional),
        ("add", "/features"): _add_feature,
        ("remove", "/features"): _remove_feature,
    }
)
