"""Methods of a resource, and the responses they declare."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, conflict
from headgate.control.apigateway.lookup import find_method, find_resource, method_response_of
from headgate.control.apigateway.patching import (
    NO_CONTENT_TYPE,
    NO_PARAMETER,
    flag,
    map_field,
    optional,
    put_entry,
    refused_by_path,
    remove_entry,
    required,
    set_field,
    without,
)
from headgate.control.context import Context
from headgate.model.errors import ApiError
from headgate.model.rest_api import ANY, HTTP_METHODS, Method, MethodResponse, Resource
from headgate.wire.patch import Patch, PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

_REQUEST_PARAMETER: Final = re.compile(
    r"method\.request\.(?:querystring|path|header|multivaluequerystring|multivalueheader)\.(\S+)"
)
_RESPONSE_PARAMETER: Final = re.compile(r"method\.response\.header\.\S+")
_STATUS_CODE: Final = re.compile(r"[1-5]\d\d")
_WITH_AUTHORIZER: Final = frozenset({"CUSTOM", "COGNITO_USER_POOLS"})
DEFAULT_MODELS: Final = frozenset({"Empty", "Error"})
"""The models that every API has; others come with the model operations."""


def put_method(context: Context, request: "shapes.PutMethodRequest") -> Method:
    api_id, http_method = request["restApiId"], request["httpMethod"]
    resource = find_resource(context, api_id, request["resourceId"])
    if http_method != ANY and http_method not in HTTP_METHODS:
        raise invalid_http_method()
    if http_method in resource.methods:
        raise conflict("Method already exists for this resource")
    if not request.get("authorizationType"):
        raise bad_request("Invalid authorization type specified: give one of NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS")
    method = Method(
        http_method=http_method,
        authorization_type=request["authorizationType"],
        authorizer_id=request.get("authorizerId"),
        api_key_required=request.get("apiKeyRequired", False),
        request_validator_id=request.get("requestValidatorId"),
        operation_name=request.get("operationName"),
        request_parameters=request.get("requestParameters"),
        request_models=request.get("requestModels"),
        authorization_scopes=tuple(request["authorizationScopes"]) if "authorizationScopes" in request else None,
    )
    _check(method)
    put_method_of(context, api_id, resource, method)
    return method


def get_method(context: Context, request: "shapes.GetMethodRequest") -> Method:
    return find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])[1]


def update_method(context: Context, request: "shapes.UpdateMethodRequest") -> Method:
    resource, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    changed = apply(_METHOD_PATCHES, method, request.get("patchOperations", []))
    if changed.authorization_type not in _WITH_AUTHORIZER:
        changed = replace(changed, authorizer_id=None)  # the service ignores one that nothing would ask
    _check(changed)
    put_method_of(context, request["restApiId"], resource, changed)
    return changed


def delete_method(context: Context, request: "shapes.DeleteMethodRequest") -> None:
    resource, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    methods = remove_entry(resource.resource_methods, method.http_method, "Invalid Method identifier specified")
    context.tx.put(replace(resource, resource_methods=methods), request["restApiId"], resource.id)


def put_method_response(context: Context, request: "shapes.PutMethodResponseRequest") -> MethodResponse:
    resource, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    status_code = request["statusCode"]
    if status_code in (method.method_responses or {}):
        raise conflict("Response already exists for this resource")
    response = MethodResponse(
        status_code=status_code,
        response_parameters=request.get("responseParameters"),
        response_models=request.get("responseModels"),
    )
    _put_response(context, request["restApiId"], resource, method, response)
    return response


def get_method_response(context: Context, request: "shapes.GetMethodResponseRequest") -> MethodResponse:
    _, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    return method_response_of(method, request["statusCode"])


def update_method_response(context: Context, request: "shapes.UpdateMethodResponseRequest") -> MethodResponse:
    resource, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    response = method_response_of(method, request["statusCode"])
    changed = apply(_RESPONSE_PATCHES, response, request.get("patchOperations", []))
    _put_response(context, request["restApiId"], resource, method, changed)
    return changed


def delete_method_response(context: Context, request: "shapes.DeleteMethodResponseRequest") -> None:
    resource, method = find_method(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    responses = remove_entry(method.method_responses, request["statusCode"], "Invalid Response status code specified")
    put_method_of(context, request["restApiId"], resource, replace(method, method_responses=responses))


def invalid_http_method() -> ApiError:
    return bad_request("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")


def put_method_of(context: Context, api_id: str, resource: Resource, method: Method) -> None:
    """Store a method within its resource."""
    methods = put_entry(resource.resource_methods, method.http_method, method)
    context.tx.put(replace(resource, resource_methods=methods), api_id, resource.id)


def _put_response(context: Context, api_id: str, resource: Resource, method: Method, response: MethodResponse) -> None:
    if not _STATUS_CODE.fullmatch(response.status_code):
        raise bad_request(f"Invalid Response status code specified: {response.status_code}")
    for parameter in response.response_parameters or {}:
        if not _RESPONSE_PARAMETER.fullmatch(parameter):
            raise bad_request(f"Invalid mapping expression parameter specified: {parameter}")
    _check_models(response.response_models)
    responses = put_entry(method.method_responses, response.status_code, response)
    put_method_of(context, api_id, resource, replace(method, method_responses=responses))


def _check(method: Method) -> None:
    """Refuse what the service refuses of a method, whichever operation made it so."""
    match method.authorization_type:
        case "NONE" | "AWS_IAM":
            pass
        case "CUSTOM" | "COGNITO_USER_POOLS":
            # No authorizer can exist before its operations do.
            raise bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS "
                "requires a valid authorizer."
            )
        case other:
            raise bad_request(
                f"Invalid authorization type specified: {other}. "
                "Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS"
            )
    if method.request_validator_id:
        raise bad_request("Invalid Request Validator identifier specified")
    names = []
    for parameter in method.request_parameters or {}:
        found = _REQUEST_PARAMETER.fullmatch(parameter)
        if found is None:
            raise bad_request(f"Invalid mapping expression parameter specified: {parameter}")
        names.append(found[1])
    if len(names) != len(set(names)):
        raise bad_request("Parameter names must be unique across querystring, header and path")
    _check_models(method.request_models)


def _check_models(models: Mapping[str, str] | None) -> None:
    for name in (models or {}).values():
        if name not in DEFAULT_MODELS:
            raise bad_request(f"Invalid model identifier specified: {name}")


def _add_scope(method: Method, patch: Patch) -> Method:
    return replace(method, authorization_scopes=(*(method.authorization_scopes or ()), required(patch)))


def _remove_scope(method: Method, patch: Patch) -> Method:
    return replace(method, authorization_scopes=without(method.authorization_scopes or (), required(patch)))


_METHOD_PATCHES: Final = PatchTable[Method](
    {
        ("replace", "/apiKeyRequired"): set_field("api_key_required", flag),
        ("replace", "/authorizationType"): set_field("authorization_type", required),
        ("replace", "/authorizerId"): set_field("authorizer_id", optional),
        ("replace", "/operationName"): set_field("operation_name", optional),
        ("replace", "/requestValidatorId"): set_field("request_validator_id", optional),
        ("add", "/authorizationScopes"): _add_scope,
        ("remove", "/authorizationScopes"): _remove_scope,
        **map_field("/requestParameters/{name}", "request_parameters", flag, NO_PARAMETER),
        **map_field("/requestModels/{name}", "request_models", required, NO_CONTENT_TYPE),
    },
    unknown=refused_by_path,
)

_RESPONSE_PATCHES: Final = PatchTable[MethodResponse](
    {
        **map_field("/responseParameters/{name}", "response_parameters", flag, NO_PARAMETER),
        **map_field("/responseModels/{name}", "response_models", required, NO_CONTENT_TYPE),
    },
    unknown=refused_by_path,
)
