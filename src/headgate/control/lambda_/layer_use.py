"""The layers that a function version uses: found, permitted, and together with its code not too large."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.errors import access_denied, invalid, outside_limits
from headgate.functions.bundle import MAX_UNZIPPED_BYTES
from headgate.model.function import FunctionVersion, PolicyStatement, UsedLayer
from headgate.model.layer import LayerPolicy, LayerRef, LayerVersion, parse_layer_arn
from headgate.model.scope import Scope

MAX_LAYERS: Final = 5  # of a function
USE: Final = "lambda:GetLayerVersion"


def layered(context: Context, version: FunctionVersion, request: Mapping[str, Any]) -> FunctionVersion:
    """The version with the layers that the request names, or with those it has. An empty list takes them away.

    Raises ApiError for what Lambda refuses of layers.
    """
    given = request.get("Layers")
    if given is not None:
        version = replace(version, layers=_used(context, version, given) or None)
    return check_size(version)


def check_size(version: FunctionVersion) -> FunctionVersion:
    """The version, refused where its code and layers unpack to too much."""
    size = version.unzipped_size + sum(layer.unzipped_size for layer in version.layers or ())
    if size > MAX_UNZIPPED_BYTES:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {MAX_UNZIPPED_BYTES} bytes. "
            f"The actual size is {size} bytes."
        )
    return version


def may_use(scope: Scope, layer: LayerRef, policy: LayerPolicy | None) -> bool:
    """Whether an account may use a layer version: its own, or one whose policy lets it."""
    if layer.account_id == scope.account_id:
        return True
    return policy is not None and any(_lets(statement, scope.account_id) for statement in policy.statements)


def not_yours(scope: Scope, layer: LayerRef) -> Exception:
    return access_denied(
        f"User: arn:aws:iam::{scope.account_id}:root is not authorized to perform: {USE} on resource: {layer.arn} "
        f"because no resource-based policy allows the {USE} action"
    )


def _used(context: Context, version: FunctionVersion, arns: Sequence[str]) -> tuple[UsedLayer, ...]:
    if len(arns) > MAX_LAYERS:
        raise invalid(f"Cannot reference more than {MAX_LAYERS} layers.")
    seen: dict[str, str] = {}
    used: list[UsedLayer] = []
    held = {layer.arn: layer for layer in version.layers or ()}
    for arn in arns:
        layer = parse_layer_arn(arn)
        if layer is None or not layer.version:
            raise outside_limits(
                "layers", f"[{arn}]", "Member must be the ARN of a layer version, arn:aws:lambda:{region}:{account}:"
                "layer:{name}:{version}"
            )  # fmt: skip
        if layer.layer_arn in seen:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{seen[layer.layer_arn]} and {arn} are versions of the same layer."
            )
        seen[layer.layer_arn] = arn
        # One that the function has already stays, even where the layer version has been deleted since.
        used.append(held.get(arn) or _find(context, version, layer))
    return tuple(used)


def _find(context: Context, version: FunctionVersion, layer: LayerRef) -> UsedLayer:
    if layer.region != version.region:
        raise invalid(
            f"Layers are not in the same region as the function. Layers are expected to be in region {version.region}."
        )
    found = context.tx.get(LayerVersion, *layer.key, str(layer.version))
    if not may_use(context.scope, layer, context.tx.get(LayerPolicy, *layer.key, str(layer.version))):
        raise not_yours(context.scope, layer)
    if found is None:
        raise invalid(f"Layer version {layer.arn} does not exist.")
    return UsedLayer(
        arn=layer.arn,
        code_size=found.code_size,
        code_sha256=found.code_sha256,
        unzipped_size=found.unzipped_size,
    )


def _lets(statement: PolicyStatement, account_id: str) -> bool:
    """A statement for one organization lets nobody: accounts belong to none here."""
    if statement.condition is not None:
        return False
    if statement.principal == "*":
        return True
    return isinstance(statement.principal, Mapping) and statement.principal.get("AWS") in {
        "*",
        f"arn:aws:iam::{account_id}:root",
    }
