"""Who may use a layer version: its resource policy, with the rules and texts of functions' policies."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from headgate.control.context import Context
from headgate.control.lambda_.errors import check_revision, conflict, not_found
from headgate.control.lambda_.layer_use import USE
from headgate.control.lambda_.layers import named_layer
from headgate.control.lambda_.policy import check_policy_size, policy_document, principal_of, statement_document
from headgate.model.function import PolicyStatement
from headgate.model.ids import new_revision_id
from headgate.model.layer import LayerPolicy, LayerRef, LayerVersion

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes

_TOLD_BY = "GetLayerPolicy"


def add_layer_version_permission(
    context: Context, request: "shapes.AddLayerVersionPermissionRequest"
) -> Mapping[str, Any]:
    layer = _find(context, request["LayerName"], request["VersionNumber"])
    policy = context.tx.get(LayerPolicy, *_key(layer))
    check_revision(request.get("RevisionId"), policy.revision_id if policy is not None else "", told_by=_TOLD_BY)
    statements = () if policy is None else policy.statements
    sid = request["StatementId"]
    if any(statement.sid == sid for statement in statements):
        raise conflict(
            f"The statement id ({sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    organization = request.get("OrganizationId")
    statement = PolicyStatement(
        sid=sid,
        principal=principal_of(request["Principal"]),
        action=USE,
        resource=layer.arn,
        condition={"StringEquals": {"aws:PrincipalOrgID": organization}} if organization else None,
    )
    kept = _put(context, layer, (*statements, statement))
    return {"Statement": orjson.dumps(statement_document(statement)).decode(), "RevisionId": kept.revision_id}


def remove_layer_version_permission(context: Context, request: "shapes.RemoveLayerVersionPermissionRequest") -> None:
    """Remove one statement, and with the last one the policy."""
    layer = _find(context, request["LayerName"], request["VersionNumber"])
    policy = _policy(context, layer)
    check_revision(request.get("RevisionId"), policy.revision_id, told_by=_TOLD_BY)
    left = tuple(statement for statement in policy.statements if statement.sid != request["StatementId"])
    if len(left) == len(policy.statements):
        raise not_found(f"Statement {request['StatementId']} is not found in resource policy.")
    if left:
        _put(context, layer, left)
    else:
        context.tx.delete(LayerPolicy, *_key(layer))


def get_layer_version_policy(context: Context, request: "shapes.GetLayerVersionPolicyRequest") -> Mapping[str, Any]:
    policy = _policy(context, _find(context, request["LayerName"], request["VersionNumber"]))
    return {"Policy": policy_document(policy.statements).decode(), "RevisionId": policy.revision_id}


def _find(context: Context, layer_name: str, version: int) -> LayerRef:
    """Only its owner sees a layer's policy: to others the layer is not there."""
    layer = named_layer(context.scope, layer_name, version)
    owned = layer.account_id == context.scope.account_id
    if not owned or context.tx.get(LayerVersion, *_key(layer)) is None:
        raise not_found(f"Layer version {layer.arn} does not exist.")
    return layer


def _policy(context: Context, layer: LayerRef) -> LayerPolicy:
    policy = context.tx.get(LayerPolicy, *_key(layer))
    if policy is None:
        raise not_found("No policy is associated with the given resource.")
    return policy


def _put(context: Context, layer: LayerRef, statements: tuple[PolicyStatement, ...]) -> LayerPolicy:
    check_policy_size(statements)
    policy = LayerPolicy(layer=layer, revision_id=new_revision_id(), statements=statements)
    context.tx.put(policy, *_key(layer))
    return policy


def _key(layer: LayerRef) -> tuple[str, str, str, str]:
    return *layer.key, str(layer.version)
