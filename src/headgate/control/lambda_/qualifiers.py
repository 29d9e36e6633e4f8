"""What a request's FunctionName and Qualifier refer to (aws-semantics 9.2)."""

from headgate.control.lambda_.errors import access_denied, invalid, not_found, outside_limits
from headgate.model.arn import FunctionRef, parse_function_name
from headgate.model.function import LATEST
from headgate.model.scope import Scope


def named(scope: Scope, function_name: str, qualifier: str | None = None) -> FunctionRef:
    """The function, version or alias that a request names.

    A qualifier may stand in the name and beside it, if it is the same. A name that carries an account or a region has
    to carry the caller's: functions are not shared between accounts here.
    """
    given = parse_function_name(function_name)
    if given is None:
        raise outside_limits("functionName", function_name, "Member must be a function's name, partial ARN or ARN")
    function = FunctionRef(
        account_id=given.account_id or scope.account_id,
        region=given.region or scope.region,
        name=given.name,
        qualifier=given.qualifier or qualifier or "",
    )
    if function.account_id != scope.account_id:
        raise access_denied(
            f"User: arn:aws:iam::{scope.account_id}:root is not authorized to act on resource: {function.arn} "
            "because it belongs to another account"
        )
    if function.region != scope.region:
        raise not_found(f"Functions from '{function.region}' are not reachable in this region ('{scope.region}')")
    if given.qualifier and qualifier and given.qualifier != qualifier:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return function


def named_whole(scope: Scope, function_name: str) -> FunctionRef:
    """The function that a request changes, unqualified. Its name may say $LATEST, which is what can be changed."""
    function = named(scope, function_name)
    if function.qualifier not in {"", LATEST}:
        raise invalid(f"Invalid qualifier {function.qualifier} in FunctionName: give the function, or its {LATEST}")
    return function.unqualified


def is_version(qualifier: str) -> bool:
    """Whether a qualifier is a version, and not an alias: an alias has more than digits in its name."""
    return qualifier == LATEST or (qualifier.isascii() and qualifier.isdigit())
