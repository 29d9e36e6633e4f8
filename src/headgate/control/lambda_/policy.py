"""Resource policies: who may call a function. One for the function, and one for each version and alias of it.

The rules and texts are those of aws-semantics 9.3. The policy's RevisionId is its own, so that a grant gives the
function no new revision, and with it no new environments. A precondition on a policy that does not exist yet is held
against the function, version or alias, whose RevisionId is all that a client can know then.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.context import Context
from headgate.control.lambda_.errors import check_revision, conflict, invalid, not_found, policy_too_long
from headgate.control.lambda_.lookup import check_qualifier, find_alias, find_version, key_of
from headgate.control.lambda_.qualifiers import is_version, named
from headgate.model.arn import FunctionRef
from headgate.model.function import LATEST, FunctionPolicy, FunctionRecord, PolicyStatement
from headgate.model.ids import new_revision_id

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

MAX_POLICY_BYTES: Final = 20_480


def add_permission(context: Context, request: "shapes.AddPermissionRequest") -> Mapping[str, Any]:
    """Add one statement to the policy of what FunctionName and Qualifier name, and to no other."""
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    if function.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    check_qualifier(context, function)
    policy = _get(context, function)
    current = policy.revision_id if policy is not None else _revision_id(context, function)
    check_revision(request.get("RevisionId"), current, told_by="GetPolicy")
    statements = () if policy is None else policy.statements
    if any(statement.sid == request["StatementId"] for statement in statements):
        raise conflict(
            f"The statement id ({request['StatementId']}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    statement = PolicyStatement(
        sid=request["StatementId"],
        principal=principal_of(request["Principal"]),
        action=request["Action"],
        resource=function.arn,
        condition=_condition(request),
    )
    _put(context, function, (*statements, statement))
    return {"Statement": orjson.dumps(statement_document(statement)).decode()}


def remove_permission(context: Context, request: "shapes.RemovePermissionRequest") -> None:
    """Remove one statement, and with the last one the policy."""
    function = _policy_owner(context, request)
    if context.tx.get(FunctionRecord, *key_of(function)) is None:
        raise not_found(f"No policy found for: {function.unqualified.arn}")
    check_qualifier(context, function)
    policy = _get(context, function)
    if policy is None:
        raise not_found("No policy is associated with the given resource.")
    sid = request["StatementId"]
    left = tuple(statement for statement in policy.statements if statement.sid != sid)
    if len(left) == len(policy.statements):
        raise not_found(f"Statement {sid} is not found in resource policy.")
    check_revision(request.get("RevisionId"), policy.revision_id, told_by="GetPolicy")
    if left:
        _put(context, function, left)
    else:
        context.tx.delete(FunctionPolicy, *_key(function))


def get_policy(context: Context, request: "shapes.GetPolicyRequest") -> Mapping[str, Any]:
    function = _policy_owner(context, request)
    check_qualifier(context, function)
    policy = _get(context, function)
    if policy is None:
        raise not_found("The resource you requested does not exist.")
    return {"Policy": policy_document(policy.statements).decode(), "RevisionId": policy.revision_id}


def _policy_owner(context: Context, request: "shapes.RemovePermissionRequest | shapes.GetPolicyRequest") -> FunctionRef:
    """`$LATEST` has no policy but the function's own."""
    function = named(context.scope, request["FunctionName"], request.get("Qualifier"))
    return function.unqualified if function.qualifier == LATEST else function


def _revision_id(context: Context, function: FunctionRef) -> str:
    if function.qualifier and not is_version(function.qualifier):
        return find_alias(context, function).revision_id
    return find_version(context, function).revision_id


def principal_of(given: str) -> str | Mapping[str, str]:
    """A service, an account by its number, anything of IAM by its ARN, or everyone."""
    if given == "*":
        return given
    if re.fullmatch(r"\d{12}", given, re.ASCII):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith("arn:"):
        return {"AWS": given}
    if "." in given:
        return {"Service": given}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _condition(request: "shapes.AddPermissionRequest") -> Mapping[str, Mapping[str, str]] | None:
    equals = {
        "AWS:SourceAccount": request.get("SourceAccount"),
        "aws:PrincipalOrgID": request.get("PrincipalOrgID"),
        "lambda:EventSourceToken": request.get("EventSourceToken"),
        "lambda:FunctionUrlAuthType": request.get("FunctionUrlAuthType"),
    }
    by_url = {True: "true", False: "false", None: None}[request.get("InvokedViaFunctionUrl")]
    operators = {
        "StringEquals": _given(equals),
        "ArnLike": _given({"AWS:SourceArn": request.get("SourceArn")}),
        "Bool": _given({"lambda:InvokedViaFunctionUrl": by_url}),
    }
    return {name: operands for name, operands in operators.items() if operands} or None


def _given(operands: Mapping[str, str | None]) -> Mapping[str, str]:
    return {key: value for key, value in operands.items() if value is not None}


def policy_document(statements: tuple[PolicyStatement, ...]) -> bytes:
    return orjson.dumps(
        {"Version": "2012-10-17", "Id": "default", "Statement": [statement_document(each) for each in statements]}
    )


def check_policy_size(statements: tuple[PolicyStatement, ...]) -> None:
    if (size := len(policy_document(statements))) > MAX_POLICY_BYTES:
        raise policy_too_long(size, MAX_POLICY_BYTES)


def statement_document(statement: PolicyStatement) -> Mapping[str, Any]:
    document = {
        "Sid": statement.sid,
        "Effect": statement.effect,
        "Principal": statement.principal,
        "Action": statement.action,
        "Resource": statement.resource,
    }
    return document if statement.condition is None else {**document, "Condition": statement.condition}


def _key(function: FunctionRef) -> tuple[str, ...]:
    return *key_of(function), function.qualifier


def _get(context: Context, function: FunctionRef) -> FunctionPolicy | None:
    return context.tx.get(FunctionPolicy, *_key(function))


def _put(context: Context, function: FunctionRef, statements: tuple[PolicyStatement, ...]) -> None:
    check_policy_size(statements)
    policy = FunctionPolicy(
        function_name=function.name,
        qualifier=function.qualifier,
        account_id=function.account_id,
        region=function.region,
        revision_id=new_revision_id(),
        statements=statements,
    )
    context.tx.put(policy, *_key(function))
