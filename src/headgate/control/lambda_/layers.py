"""Layer versions: publish, get, list, delete. A layer is the name that its versions share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from headgate.control.context import Context
from headgate.control.lambda_.code import take_code
from headgate.control.lambda_.errors import invalid, not_found, outside_limits
from headgate.control.lambda_.layer_use import may_use, not_yours
from headgate.control.lambda_.ports import LambdaPorts
from headgate.control.lambda_.shown import timestamp
from headgate.model.layer import Layer, LayerPolicy, LayerRef, LayerVersion, parse_layer_arn
from headgate.model.scope import Scope
from headgate.wire.paging import page_by_marker

if TYPE_CHECKING:
    from headgate.wire.shapes import lambda_ as shapes


async def publish_layer_version(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.PublishLayerVersionRequest"
) -> Mapping[str, Any]:
    """Each publication is a new version, also of the same content."""
    named = named_layer(scope, request["LayerName"])
    if named.account_id != scope.account_id or named.region != scope.region:
        raise not_yours(scope, named)
    bundle = await take_code(ports, request["Content"], "PublishLayerVersion")

    def publish(context: Context) -> LayerVersion:
        known = context.tx.get(Layer, *named.key)
        layer = known or Layer(name=named.name, account_id=named.account_id, region=named.region)
        version = LayerVersion(
            layer=replace(named, version=layer.next_version),
            created_date=timestamp(now),
            code_sha256=bundle.code_sha256,
            code_size=len(bundle.body),
            unzipped_size=bundle.unzipped_size,
            description=request.get("Description", ""),
            license_info=request.get("LicenseInfo"),
            compatible_runtimes=tuple(request.get("CompatibleRuntimes", ())),
            compatible_architectures=tuple(request.get("CompatibleArchitectures", ())),
        )
        context.tx.put_blob(bundle.digest, bundle.body)
        context.tx.put(replace(layer, next_version=layer.next_version + 1), *named.key)
        context.tx.put(version, *named.key, str(version.layer.version))
        return version

    version = await ports.store.write(lambda tx: publish(Context(tx, scope, now)))
    return _whole(ports, version, now)


async def get_layer_version(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.GetLayerVersionRequest"
) -> Mapping[str, Any]:
    layer = named_layer(scope, request["LayerName"], request["VersionNumber"])
    return _whole(ports, await ports.store.read(lambda tx: _find(Context(tx, scope, now), layer)), now)


async def get_layer_version_by_arn(
    ports: LambdaPorts, scope: Scope, now: float, request: "shapes.GetLayerVersionByArnRequest"
) -> Mapping[str, Any]:
    layer = parse_layer_arn(request["Arn"])
    if layer is None or not layer.version:
        raise outside_limits("arn", request["Arn"], "Member must be the ARN of a layer version")
    return _whole(ports, await ports.store.read(lambda tx: _find(Context(tx, scope, now), layer)), now)


def list_layers(context: Context, request: "shapes.ListLayersRequest") -> Mapping[str, Any]:
    """By name, each with its newest version that fits what the request asks for."""
    newest: dict[str, LayerVersion] = {}
    for version in context.tx.list(LayerVersion, context.scope.account_id, context.scope.region):
        known = newest.get(version.layer.name)
        if _fits(version, request) and (known is None or known.layer.version < version.layer.version):
            newest[version.layer.name] = version
    found, marker = page_by_marker(
        list(newest.values()), request.get("MaxItems"), request.get("Marker"), key=lambda each: each.layer.name
    )
    layers = [
        {
            "LayerName": version.layer.name,
            "LayerArn": version.layer.layer_arn,
            "LatestMatchingVersion": _listed(version),
        }
        for version in found
    ]
    return {"Layers": layers, "NextMarker": marker}


def list_layer_versions(context: Context, request: "shapes.ListLayerVersionsRequest") -> Mapping[str, Any]:
    """The newest first. A layer that is not there has none, which is no error."""
    layer = named_layer(context.scope, request["LayerName"])
    versions = [version for version in context.tx.list(LayerVersion, *layer.key) if _fits(version, request)]
    found, marker = page_by_marker(
        versions, request.get("MaxItems"), request.get("Marker"), key=lambda each: -each.layer.version
    )
    return {"LayerVersions": [_listed(version) for version in found], "NextMarker": marker}


def delete_layer_version(context: Context, request: "shapes.DeleteLayerVersionRequest") -> None:
    """Functions that use it go on with it. One that is not there is no error: the wish is fulfilled."""
    layer = named_layer(context.scope, request["LayerName"], request["VersionNumber"])
    if layer.account_id != context.scope.account_id:
        raise not_yours(context.scope, layer)
    context.tx.delete(LayerPolicy, *layer.key, str(layer.version))
    context.tx.delete(LayerVersion, *layer.key, str(layer.version))


def named_layer(scope: Scope, layer_name: str, version: int | None = None) -> LayerRef:
    """The layer that a request names, by name or ARN; `version` where the request needs one."""
    if version is not None and version < 1:
        raise invalid("Layer Version Cannot be less than 1")
    layer = (
        parse_layer_arn(layer_name)
        if layer_name.startswith("arn:")
        else LayerRef(account_id=scope.account_id, region=scope.region, name=layer_name)
    )
    if layer is None or layer.version:
        raise outside_limits("layerName", layer_name, "Member must be the name or the ARN of a layer")
    return replace(layer, version=version or 0)


def _find(context: Context, layer: LayerRef) -> LayerVersion:
    if not may_use(context.scope, layer, context.tx.get(LayerPolicy, *layer.key, str(layer.version))):
        raise not_yours(context.scope, layer)
    version = context.tx.get(LayerVersion, *layer.key, str(layer.version))
    if version is None:
        raise not_found("The resource you requested does not exist.")
    return version


def _fits(version: LayerVersion, request: "shapes.ListLayersRequest | shapes.ListLayerVersionsRequest") -> bool:
    runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
    return (runtime is None or runtime in version.compatible_runtimes) and (
        architecture is None or architecture in version.compatible_architectures
    )


def _listed(version: LayerVersion) -> dict[str, Any]:
    return {
        "LayerVersionArn": version.layer.arn,
        "Version": version.layer.version,
        "Description": version.description,
        "CreatedDate": version.created_date,
        "LicenseInfo": version.license_info,
        "CompatibleRuntimes": version.compatible_runtimes or None,
        "CompatibleArchitectures": version.compatible_architectures or None,
    }


def _whole(ports: LambdaPorts, version: LayerVersion, now: float) -> Mapping[str, Any]:
    return {
        **_listed(version),
        "LayerArn": version.layer.layer_arn,
        "Content": {
            "Location": ports.code_location(version.code_digest, now),
            "CodeSha256": version.code_sha256,
            "CodeSize": version.code_size,
        },
    }
