"""Resources: the tree of path parts below an API's root."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headgate.control.apigateway.errors import bad_request, conflict, not_found
from headgate.control.apigateway.lookup import find_api, find_resource
from headgate.control.apigateway.patching import required, set_field
from headgate.control.context import Context
from headgate.model.ids import new_resource_id
from headgate.model.rest_api import Resource
from headgate.wire.paging import page
from headgate.wire.patch import PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

_PATH_PART: Final = re.compile(r"[A-Za-z0-9._:-]+|\{[A-Za-z0-9._-]+\+?\}")


def create_resource(context: Context, request: "shapes.CreateResourceRequest") -> Resource:
    api = find_api(context, request["restApiId"])
    parent = find_resource(context, api.id, request["parentId"])
    resource = _placed(context, api.id, Resource(id=new_resource_id(), path="", path_part=request["pathPart"]), parent)
    context.tx.put(resource, api.id, resource.id)
    return resource


def get_resource(context: Context, request: "shapes.GetResourceRequest") -> Mapping[str, Any]:
    resource = find_resource(context, request["restApiId"], request["resourceId"])
    return _shown(resource, with_methods="methods" in request.get("embed", []))


def get_resources(context: Context, request: "shapes.GetResourcesRequest") -> Mapping[str, Any]:
    api = find_api(context, request["restApiId"])
    resources = context.tx.list(Resource, api.id)
    items, position = page(resources, request.get("limit"), request.get("position"), key=lambda each: each.path)
    with_methods = "methods" in request.get("embed", [])
    return {"items": [_shown(resource, with_methods=with_methods) for resource in items], "position": position}


def update_resource(context: Context, request: "shapes.UpdateResourceRequest") -> Mapping[str, Any]:
    resource = find_resource(context, request["restApiId"], request["resourceId"])
    api_id = request["restApiId"]
    changed = apply(_PATCHES, resource, request.get("patchOperations", []))
    if changed != resource:
        if resource.parent_id is None:
            field = "pathPart" if changed.path_part != resource.path_part else "parentId"
            raise bad_request(f"Root resource cannot update its {field}.")
        parent = context.tx.get(Resource, api_id, changed.parent_id or "")
        if parent is None:
            raise not_found("Invalid Resource identifier specified")
        if parent.id == resource.id or _is_below(context, api_id, parent, resource):
            raise bad_request("Resources cannot be cyclical.")
        changed = _placed(context, api_id, changed, parent)
        context.tx.put(changed, api_id, changed.id)
        _move_children(context, api_id, changed)
    return _shown(changed, with_methods=False)


def delete_resource(context: Context, request: "shapes.DeleteResourceRequest") -> None:
    api_id = request["restApiId"]
    resource = find_resource(context, api_id, request["resourceId"])
    if resource.parent_id is None:
        raise bad_request("Root resource cannot be deleted; delete the API instead")
    # Listed before the first goes: what is below is found by way of the resources between.
    below = [each for each in context.tx.list(Resource, api_id) if _is_below(context, api_id, each, resource)]
    for each in (resource, *below):
        context.tx.delete(Resource, api_id, each.id)


def _placed(context: Context, api_id: str, resource: Resource, parent: Resource) -> Resource:
    """The resource under a parent, with its path; refused where the tree would not allow it."""
    part = resource.path_part or ""
    if not _PATH_PART.fullmatch(part):
        raise bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the "
            "beginning and the end."
        )
    if (parent.path_part or "").endswith("+}"):
        raise bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent.path_part}")
    siblings = [
        each for each in context.tx.list(Resource, api_id) if each.parent_id == parent.id and each.id != resource.id
    ]
    for sibling in siblings:
        if sibling.path_part == part:
            raise conflict(f"Another resource with the same parent already has this name: {part}")
        if part.startswith("{") and (sibling.path_part or "").startswith("{"):
            raise bad_request(
                f"A sibling ({sibling.path_part}) of this resource already has a variable path part -- "
                "only one is allowed"
            )
    return msgspec.structs.replace(resource, parent_id=parent.id, path=f"{parent.path.rstrip('/')}/{part}")


def _is_below(context: Context, api_id: str, resource: Resource, ancestor: Resource) -> bool:
    while resource.parent_id is not None:
        if resource.parent_id == ancestor.id:
            return True
        parent = context.tx.get(Resource, api_id, resource.parent_id)
        if parent is None:
            return False
        resource = parent
    return False


def _move_children(context: Context, api_id: str, parent: Resource) -> None:
    """Give every descendant the path that its parent's new one makes."""
    for child in context.tx.list(Resource, api_id):
        if child.parent_id == parent.id:
            moved = msgspec.structs.replace(child, path=f"{parent.path}/{child.path_part}")
            context.tx.put(moved, api_id, moved.id)
            _move_children(context, api_id, moved)


def _shown(resource: Resource, *, with_methods: bool) -> dict[str, Any]:
    """A resource as answered: without `embed=methods` each method is there as an empty object."""
    shown: dict[str, Any] = msgspec.to_builtins(resource)
    if resource.resource_methods and not with_methods:
        shown["resourceMethods"] = {http_method: {} for http_method in resource.resource_methods}
    elif not resource.resource_methods:
        shown["resourceMethods"] = None
    return shown


_PATCHES: Final = PatchTable[Resource](
    {
        ("replace", "/parentId"): set_field("parent_id", required),
        ("replace", "/pathPart"): set_field("path_part", required),
    }
)
