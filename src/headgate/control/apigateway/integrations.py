"""Integrations of methods, and the responses they are mapped to."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from headgate.control.apigateway.errors import bad_request, not_found
from headgate.control.apigateway.lookup import (
    find_integration,
    find_method,
    find_resource,
    integration_response_of,
)
from headgate.control.apigateway.methods import invalid_http_method, put_method_of
from headgate.control.apigateway.patching import (
    NO_CONTENT_TYPE,
    NO_PARAMETER,
    flag,
    integer,
    map_field,
    optional,
    put_entry,
    remove_entry,
    required,
    set_field,
    without,
)
from headgate.control.context import Context
from headgate.model.errors import ApiError
from headgate.model.rest_api import (
    ANY,
    HTTP_METHODS,
    MAX_INTEGRATION_TIMEOUT_MS,
    MIN_INTEGRATION_TIMEOUT_MS,
    Integration,
    IntegrationResponse,
    Method,
    Resource,
    TlsConfig,
)
from headgate.wire.patch import Patch, PatchTable, apply

if TYPE_CHECKING:
    from headgate.wire.shapes import apigateway as shapes

_PASSTHROUGH_BEHAVIORS: Final = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
_CONTENT_HANDLINGS: Final = ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
_CONNECTION_TYPES: Final = ("INTERNET", "VPC_LINK")
_AWS_ARN: Final = re.compile(r"arn:[\w-]+:apigateway:[^:]*:(?P<service>[^:]+):(?P<kind>path|action)/.+", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{stageVariables\.\w+\}")
_HTTP_URI: Final = re.compile(r"https?://[^\s/?#]+\S*")
_REQUEST_TARGET: Final = re.compile(r"integration\.request\.(?:header|querystring|path)\.\S+")
_REQUEST_SOURCE: Final = re.compile(
    r"method\.request\.(?:path|querystring|header|multivaluequerystring|multivalueheader)\.\S+"
    r"|method\.request\.body(?:\.\S+)?|context\.\S+|stageVariables\.\w+|'[^']*'"
)
_RESPONSE_SOURCE: Final = re.compile(
    r"integration\.response\.(?:header|multivalueheader)\.\S+|integration\.response\.body(?:\.\S+)?"
    r"|context\.\S+|stageVariables\.\w+|'[^']*'"
)


def put_integration(context: Context, request: "shapes.PutIntegrationRequest") -> Integration:
    api_id = request["restApiId"]
    resource, method = find_method(context, api_id, request["resourceId"], request["httpMethod"])
    kind = request["type"]
    if request.get("responseTransferMode", "BUFFERED") != "BUFFERED":
        raise bad_request("responseTransferMode STREAM is not supported by Headgate yet; give BUFFERED")
    if "integrationTarget" in request:
        raise bad_request("integrationTarget is not supported by Headgate: there are no VPC links")
    tls = request.get("tlsConfig")
    integration = Integration(
        type=kind,
        http_method=request.get("integrationHttpMethod") if kind != "MOCK" else None,
        uri=request.get("uri"),
        # Shown for HTTP types only, unless it was given (aws-recorded, Defaults).
        connection_type=request.get("connectionType", "INTERNET" if kind in {"HTTP", "HTTP_PROXY"} else None),
        connection_id=request.get("connectionId"),
        credentials=request.get("credentials"),
        request_parameters=request.get("requestParameters"),
        request_templates=request.get("requestTemplates"),
        passthrough_behavior=request.get("passthroughBehavior", "WHEN_NO_MATCH"),
        content_handling=request.get("contentHandling"),
        timeout_in_millis=request.get("timeoutInMillis", MAX_INTEGRATION_TIMEOUT_MS),
        cache_namespace=request.get("cacheNamespace", resource.id),
        cache_key_parameters=tuple(request.get("cacheKeyParameters", ())),
        tls_config=TlsConfig(insecure_skip_verification=tls.get("insecureSkipVerification", False)) if tls else None,
    )
    _put(context, api_id, resource, method, integration)
    return integration


def get_integration(context: Context, request: "shapes.GetIntegrationRequest") -> Integration:
    return find_integration(context, request["restApiId"], request["resourceId"], request["httpMethod"])[2]


def update_integration(context: Context, request: "shapes.UpdateIntegrationRequest") -> Integration:
    api_id = request["restApiId"]
    resource, method, integration = find_integration(context, api_id, request["resourceId"], request["httpMethod"])
    changed = apply(_INTEGRATION_PATCHES, integration, request.get("patchOperations", []))
    _put(context, api_id, resource, method, changed)
    return changed


def delete_integration(context: Context, request: "shapes.DeleteIntegrationRequest") -> None:
    api_id = request["restApiId"]
    resource, method, _ = find_integration(context, api_id, request["resourceId"], request["httpMethod"])
    put_method_of(context, api_id, resource, replace(method, method_integration=None))


def put_integration_response(context: Context, request: "shapes.PutIntegrationResponseRequest") -> IntegrationResponse:
    api_id = request["restApiId"]
    resource, method, integration = find_integration(context, api_id, request["resourceId"], request["httpMethod"])
    response = IntegrationResponse(
        status_code=request["statusCode"],
        selection_pattern=request.get("selectionPattern"),
        response_parameters=request.get("responseParameters"),
        response_templates=request.get("responseTemplates"),
        content_handling=request.get("contentHandling"),
    )
    _put_response(context, api_id, resource, method, integration, response)
    return response


def get_integration_response(context: Context, request: "shapes.GetIntegrationResponseRequest") -> IntegrationResponse:
    _, _, integration = find_integration(context, request["restApiId"], request["resourceId"], request["httpMethod"])
    return integration_response_of(integration, request["statusCode"])


def update_integration_response(
    context: Context, request: "shapes.UpdateIntegrationResponseRequest"
) -> IntegrationResponse:
    api_id = request["restApiId"]
    resource, method, integration = find_integration(context, api_id, request["resourceId"], request["httpMethod"])
    response = integration_response_of(integration, request["statusCode"])
    changed = apply(_RESPONSE_PATCHES, response, request.get("patchOperations", []))
    _put_response(context, api_id, resource, method, integration, changed)
    return changed


def delete_integration_response(context: Context, request: "shapes.DeleteIntegrationResponseRequest") -> None:
    api_id = request["restApiId"]
    resource = find_resource(context, api_id, request["resourceId"])
    method = resource.methods.get(request["httpMethod"])
    if method is None or method.method_integration is None:  # an unknown method is no method's integration here
        raise not_found("Invalid Integration identifier specified")
    integration = method.method_integration
    responses = remove_entry(
        integration.integration_responses, request["statusCode"], "Invalid Response status code specified"
    )
    changed = replace(integration, integration_responses=responses)
    put_method_of(context, api_id, resource, replace(method, method_integration=changed))


def _put(context: Context, api_id: str, resource: Resource, method: Method, integration: Integration) -> None:
    _check(integration, method)
    put_method_of(context, api_id, resource, replace(method, method_integration=integration))


def _check(integration: Integration, method: Method) -> None:
    """Refuse what the service refuses of an integration, in its words (aws-semantics 3.7)."""
    if integration.type != "MOCK":
        if not integration.http_method:
            raise bad_request("Enumeration value for HttpMethod must be non-empty")
        if integration.http_method != ANY and integration.http_method not in HTTP_METHODS:
            raise invalid_http_method()
        if integration.type in {"AWS", "AWS_PROXY"}:
            _check_arn(integration)
        elif not _HTTP_URI.fullmatch(_VARIABLE.sub("x", integration.uri or "")):
            raise bad_request("Invalid HTTP endpoint specified for URI")
    # The model checks some of these in PutIntegration; a patch's values are strings to it.
    _check_word("passthroughBehavior", integration.passthrough_behavior, _PASSTHROUGH_BEHAVIORS)
    _check_word("contentHandling", integration.content_handling, _CONTENT_HANDLINGS)
    _check_word("connectionType", integration.connection_type, _CONNECTION_TYPES)
    if integration.connection_type == "VPC_LINK" and not integration.connection_id:
        raise bad_request("ConnectionId should be set to the vpcLinkId or stage variable on connection type VPC_LINK")
    if not MIN_INTEGRATION_TIMEOUT_MS <= integration.timeout_in_millis <= MAX_INTEGRATION_TIMEOUT_MS:
        raise bad_request(
            f"Timeout should be between {MIN_INTEGRATION_TIMEOUT_MS} ms and {MAX_INTEGRATION_TIMEOUT_MS} ms"
        )
    for target, source in (integration.request_parameters or {}).items():
        if not _REQUEST_TARGET.fullmatch(target):
            raise bad_request(f"Invalid mapping expression parameter specified: {target}")
        if not _REQUEST_SOURCE.fullmatch(source):
            raise _invalid("Invalid mapping expression specified: ", f"Invalid mapping expression specified: {source}")
    for parameter in integration.cache_key_parameters:
        if parameter not in (method.request_parameters or {}):
            raise bad_request("Invalid cache key parameter specified")


def _check_word(name: str, word: str | None, words: tuple[str, ...]) -> None:
    if word is not None and word not in words:
        raise bad_request(f"Invalid {name} {word}: give one of {', '.join(words)}")


def _check_arn(integration: Integration) -> None:
    uri = integration.uri or ""
    if not uri.startswith("arn:"):
        raise bad_request("Invalid ARN specified in the request")
    found = _AWS_ARN.fullmatch(uri)
    if found is None:
        raise bad_request("AWS ARN for integration must contain path or action")
    if integration.type == "AWS_PROXY" and found["service"] not in {"lambda", "firehose"}:
        raise bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )


def _put_response(
    context: Context,
    api_id: str,
    resource: Resource,
    method: Method,
    integration: Integration,
    response: IntegrationResponse,
) -> None:
    if response.selection_pattern:
        try:
            re.compile(response.selection_pattern)
        except re.error:
            raise bad_request("Invalid regex pattern specified") from None
    _check_response_parameters(response.response_parameters)
    for content_type in response.response_templates or {}:
        if "/" not in content_type:
            raise _invalid("", f"Invalid content type specified: {content_type}")
    responses = put_entry(integration.integration_responses, response.status_code, response)
    changed = replace(integration, integration_responses=responses)
    put_method_of(context, api_id, resource, replace(method, method_integration=changed))


def _check_response_parameters(parameters: Mapping[str, str] | None) -> None:
    for target, source in (parameters or {}).items():
        if not target.startswith("method.response.header."):
            raise bad_request(f"Invalid mapping expression parameter specified: {target}")
        if not _RESPONSE_SOURCE.fullmatch(source):
            raise _invalid("Invalid mapping expression specified: ", f"Invalid mapping expression specified: {source}")


def _invalid(beginning: str, error: str) -> ApiError:
    """The service's wrapping of what it finds in a mapping (recorded)."""
    return bad_request(f"{beginning}Validation Result: warnings : [], errors : [{error}]")


def _set_tls_verification(integration: Integration, patch: Patch) -> Integration:
    return replace(integration, tls_config=TlsConfig(insecure_skip_verification=flag(patch)))


def _add_cache_key(integration: Integration, patch: Patch) -> Integration:
    name = _cache_key(patch)
    if name in integration.cache_key_parameters:
        return integration
    return replace(integration, cache_key_parameters=(*integration.cache_key_parameters, name))


def _remove_cache_key(integration: Integration, patch: Patch) -> Integration:
    return replace(integration, cache_key_parameters=without(integration.cache_key_parameters, _cache_key(patch)) or ())


def _cache_key(patch: Patch) -> str:
    """Terraform names the parameter in the path, the documentation in the value."""
    return patch.names.get("name") or required(patch)


def _timeout(patch: Patch) -> int:
    return integer(
        patch, f"milliseconds between {MIN_INTEGRATION_TIMEOUT_MS} and {MAX_INTEGRATION_TIMEOUT_MS}, as an integer"
    )


_INTEGRATION_PATCHES: Final = PatchTable[Integration](
    {
        ("replace", "/cacheNamespace"): set_field("cache_namespace", required),
        ("replace", "/connectionId"): set_field("connection_id", optional),
        ("replace", "/connectionType"): set_field("connection_type", required),
        ("replace", "/contentHandling"): set_field("content_handling", optional),
        ("replace", "/credentials"): set_field("credentials", optional),
        ("replace", "/httpMethod"): set_field("http_method", required),
        ("replace", "/passthroughBehavior"): set_field("passthrough_behavior", required),
        ("replace", "/timeoutInMillis"): set_field("timeout_in_millis", _timeout),
        ("replace", "/tlsConfig/insecureSkipVerification"): _set_tls_verification,
        ("replace", "/uri"): set_field("uri", required),
        ("add", "/cacheKeyParameters"): _add_cache_key,
        ("remove", "/cacheKeyParameters"): _remove_cache_key,
        ("add", "/cacheKeyParameters/{name}"): _add_cache_key,
        ("replace", "/cacheKeyParameters/{name}"): _add_cache_key,
        ("remove", "/cacheKeyParameters/{name}"): _remove_cache_key,
        **map_field("/requestParameters/{name}", "request_parameters", required, NO_PARAMETER),
        **map_field("/requestTemplates/{name}", "request_templates", lambda patch: patch.value or "", NO_CONTENT_TYPE),
    }
)

_RESPONSE_PATCHES: Final = PatchTable[IntegrationResponse](
    {
        ("replace", "/contentHandling"): set_field("content_handling", optional),
        ("replace", "/selectionPattern"): set_field("selection_pattern", lambda patch: patch.value or ""),
        **map_field("/responseParameters/{name}", "response_parameters", required, NO_PARAMETER),
        **map_field(
            "/responseTemplates/{name}", "response_templates", lambda patch: patch.value or "", NO_CONTENT_TYPE
        ),
    }
)
