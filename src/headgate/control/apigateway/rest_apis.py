"""REST APIs: create, get, list, update, delete."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, not_found
from headgate.control.apigateway.lookup import find_api
from headgate.control.apigateway.patching import (
    flag,
    optional,
    refused_by_path,
    required,
    set_field,
    without,
)
from headgate.control.context import Context
from headgate.control.tags import Tags, check_limits
from headgate.model.deployment import Definition, Deployment
from headgate.model.errors import ApiError
from headgate.model.ids import new_rest_api_id, new_root_resource_id
from headgate.model.rest_api import EndpointConfiguration, Resource, RestApi
from headgate.model.stage import Stage
from headgate.model.stage_history import StageHistory, StageMove
from headgate.wire.paging import page
from headgate.wire.patch import Patch, PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

MAX_COMPRESSION_SIZE: Final = 10_485_760  # bytes
_PRIVATE: Final = ("PRIVATE",)


def create_rest_api(context: Context, request: "shapes.CreateRestApiRequest") -> Mapping[str, Any]:
    name = request.get("name", "")
    if not name:
        raise bad_request("API name must not be empty")
    if request.get("description") == "":
        raise bad_request("Description cannot be an empty string")
    source = find_api(context, request["cloneFrom"]) if "cloneFrom" in request else None
    api = RestApi(
        id=new_rest_api_id(),
        name=name,
        created_date=float(int(context.now)),
        root_resource_id=new_root_resource_id(),
        account_id=context.scope.account_id,
        region=context.scope.region,
        description=request.get("description"),
        version=request.get("version"),
        binary_media_types=_optional_tuple(request.get("binaryMediaTypes")),
        minimum_compression_size=_compression_size(request.get("minimumCompressionSize")),
        api_key_source=request.get("apiKeySource", "HEADER"),
        endpoint_configuration=_endpoint_configuration(request.get("endpointConfiguration", {})),
        policy=_policy(request.get("policy", "")),
        disable_execute_api_endpoint=request.get("disableExecuteApiEndpoint", False),
        security_policy=request.get("securityPolicy"),
        tags=check_tags(request.get("tags")),
    )
    context.tx.put(api, api.account_id, api.region, api.id)
    context.tx.put(Resource(id=api.root_resource_id, path="/"), api.id, api.root_resource_id)
    if source is not None:
        _clone_resources(context, source, api)
    return {**_shown(api), "tags": api.tags}


def get_rest_api(context: Context, request: "shapes.GetRestApiRequest") -> Mapping[str, Any]:
    return _shown(find_api(context, request["restApiId"]))


def get_rest_apis(context: Context, request: "shapes.GetRestApisRequest") -> Mapping[str, Any]:
    apis = context.tx.list(RestApi, context.scope.account_id, context.scope.region)
    items, position = page(
        apis, request.get("limit"), request.get("position"), key=lambda api: (api.created_date, api.id)
    )
    return {"items": [{**_shown(api), "tags": api.tags} for api in items], "position": position}


def update_rest_api(context: Context, request: "shapes.UpdateRestApiRequest") -> Mapping[str, Any]:
    api = apply(_PATCHES, find_api(context, request["restApiId"]), request.get("patchOperations", []))
    context.tx.put(api, api.account_id, api.region, api.id)
    return _shown(api)


def delete_rest_api(context: Context, request: "shapes.DeleteRestApiRequest") -> None:
    api = find_api(context, request["restApiId"])
    for kind in (Stage, StageHistory, StageMove, Deployment, Definition, Resource):
        context.tx.delete_all(kind, api.id)
    context.tx.delete(RestApi, api.account_id, api.region, api.id)


def check_tags(tags: Tags | None) -> Tags | None:
    """Tags as given, refused where the service refuses them."""
    return tags and check_limits(tags, "a resource", bad_request)


def _shown(api: RestApi) -> dict[str, Any]:
    """An API as Get and Update answer it: with tags even when there are none, and its policy escaped once more."""
    shown: dict[str, Any] = msgspec.to_builtins(api)
    shown["tags"] = api.tags or {}
    if api.policy is not None:
        shown["policy"] = json.dumps(api.policy)[1:-1]
    return shown


def _endpoint_configuration(given: Mapping[str, Any]) -> EndpointConfiguration:
    types = tuple(given.get("types", ("EDGE",)))
    if not types:
        raise bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    if len(types) > 1:
        raise bad_request("Cannot create an api with multiple Endpoint Types.")
    default_address_type = "dualstack" if types == _PRIVATE else "ipv4"
    return _checked_endpoint(
        EndpointConfiguration(
            types=types,
            ip_address_type=given.get("ipAddressType", default_address_type),
            vpc_endpoint_ids=_optional_tuple(given.get("vpcEndpointIds")),
        )
    )


def _checked_endpoint(endpoint: EndpointConfiguration) -> EndpointConfiguration:
    if endpoint.types == _PRIVATE and endpoint.ip_address_type != "dualstack":
        raise bad_request("Only dualstack ipAddressType is supported for Private APIs.")
    return endpoint


def _clone_resources(context: Context, source: RestApi, api: RestApi) -> None:
    """Copy the tree with its methods. Ids stay, save the root's: they are unique only within an API."""
    for resource in context.tx.list(Resource, source.id):
        is_root = resource.id == source.root_resource_id
        parent_id = api.root_resource_id if resource.parent_id == source.root_resource_id else resource.parent_id
        copy = replace(
            resource, id=api.root_resource_id if is_root else resource.id, parent_id=None if is_root else parent_id
        )
        context.tx.put(copy, api.id, copy.id)


def _compression_size(size: int | None) -> int | None:
    if size is not None and not 0 <= size <= MAX_COMPRESSION_SIZE:
        raise _invalid_compression_size()
    return size


def _invalid_compression_size() -> ApiError:
    return bad_request(f"Invalid minimum compression size, must be between 0 and {MAX_COMPRESSION_SIZE}")


def _policy(text: str) -> str | None:
    if not text:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
        )
    return text


def _optional_tuple(items: list[str] | None) -> tuple[str, ...] | None:
    return tuple(items) if items else None


def _set_api_key_source(api: RestApi, patch: Patch) -> RestApi:
    if patch.value not in {"HEADER", "AUTHORIZER"}:
        raise bad_request(f"Invalid apiKeySource {patch.value!r}: give HEADER or AUTHORIZER")
    return replace(api, api_key_source=patch.value)


def _set_compression_size(api: RestApi, patch: Patch) -> RestApi:
    try:
        size = int(patch.value) if patch.value else None
    except ValueError:
        raise _invalid_compression_size() from None
    return replace(api, minimum_compression_size=_compression_size(size))


def _add_binary_media_type(api: RestApi, patch: Patch) -> RestApi:
    types = api.binary_media_types or ()
    name = patch.names["type"]
    return api if name in types else replace(api, binary_media_types=(*types, name))


def _remove_binary_media_type(api: RestApi, patch: Patch) -> RestApi:
    types = api.binary_media_types or ()
    if patch.names["type"] not in types:
        raise not_found(f"Invalid binary media type specified: {patch.names['type']}")
    return replace(api, binary_media_types=without(types, patch.names["type"]))


def _replace_binary_media_type(api: RestApi, patch: Patch) -> RestApi:
    api = _remove_binary_media_type(api, patch)
    return replace(api, binary_media_types=(*(api.binary_media_types or ()), required(patch)))


def _replace_endpoint_type(api: RestApi, patch: Patch) -> RestApi:
    endpoint = api.endpoint_configuration
    if patch.value not in {"EDGE", "REGIONAL", "PRIVATE"}:
        raise bad_request("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
    if patch.names["type"] not in endpoint.types:
        raise bad_request(
            f"The endpoint type {patch.names['type']} is not set; the API has {', '.join(endpoint.types)}"
        )
    address_type = "dualstack" if patch.value == "PRIVATE" else endpoint.ip_address_type
    return replace(api, endpoint_configuration=replace(endpoint, types=(patch.value,), ip_address_type=address_type))


def _set_address_type(api: RestApi, patch: Patch) -> RestApi:
    if patch.value not in {"ipv4", "dualstack"}:
        raise bad_request("ipAddressType must be either ipv4 or dualstack.")
    endpoint = replace(api.endpoint_configuration, ip_address_type=patch.value)
    return replace(api, endpoint_configuration=_checked_endpoint(endpoint))


def _add_vpc_endpoint(api: RestApi, patch: Patch) -> RestApi:
    endpoint = api.endpoint_configuration
    ids = (*(endpoint.vpc_endpoint_ids or ()), required(patch))
    return replace(api, endpoint_configuration=replace(endpoint, vpc_endpoint_ids=ids))


def _remove_vpc_endpoint(api: RestApi, patch: Patch) -> RestApi:
    endpoint = api.endpoint_configuration
    ids = without(endpoint.vpc_endpoint_ids or (), required(patch))
    return replace(api, endpoint_configuration=replace(endpoint, vpc_endpoint_ids=ids))


def _refused(patch: Patch, table: PatchTable[RestApi]) -> ApiError:
    if patch.path.startswith("/endpointConfiguration/types"):
        # The service's own text: of the three only `replace` is taken.
        return bad_request("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
    return refused_by_path(patch, table)


_PATCHES: Final = PatchTable[RestApi](
    {
        ("replace", "/name"): set_field("name", required),
        ("replace", "/apiKeySource"): _set_api_key_source,
        ("replace", "/disableExecuteApiEndpoint"): set_field("disable_execute_api_endpoint", flag),
        ("replace", "/minimumCompressionSize"): _set_compression_size,
        ("replace", "/policy"): set_field("policy", lambda patch: _policy(patch.value or "")),
        ("replace", "/securityPolicy"): set_field("security_policy", required),
        ("replace", "/endpointConfiguration/types/{type}"): _replace_endpoint_type,
        ("replace", "/endpointConfiguration/ipAddressType"): _set_address_type,
        ("add", "/endpointConfiguration/vpcEndpointIds"): _add_vpc_endpoint,
        ("remove", "/endpointConfiguration/vpcEndpointIds"): _remove_vpc_endpoint,
        ("add", "/binaryMediaTypes/{type}"): _add_binary_media_type,
        ("replace", "/binaryMediaTypes/{type}"): _replace_binary_media_type,
        ("remove", "/binaryMediaTypes/{type}"): _remove_binary_media_type,
        ("add", "/description"): set_field("description", optional),
        ("replace", "/description"): set_field("description", optional),
        ("remove", "/description"): set_field("description", lambda _patch: None),
    },
    unknown=_refused,
)
