"""STS: the one operation that every client asks at its start. The others are the bridge's."""

from collections.abc import Mapping
from typing import Any, Final

from headgate.control.context import Context, OperationTable, Read


def get_caller_identity(context: Context, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001
    """Who asks. There are no users yet: every caller is its account's root."""
    account_id = context.scope.account_id
    return {"UserId": account_id, "Account": account_id, "Arn": f"arn:aws:iam::{account_id}:root"}


OPERATIONS: Final[OperationTable] = {"GetCallerIdentity": Read(get_caller_identity)}
