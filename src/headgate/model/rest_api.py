"""A REST API as one edits it: resources, methods, integrations. Nothing here is served before it is deployed."""

from collections.abc import Mapping
from typing import Final

from headgate.model.ids import ResourceId, RestApiId
from headgate.model.value import Value

ANY: Final = "ANY"
HTTP_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
MIN_INTEGRATION_TIMEOUT_MS: Final = 50
MAX_INTEGRATION_TIMEOUT_MS: Final = 29_000


class EndpointConfiguration(Value, frozen=True, rename="camel"):
    types: tuple[str, ...] = ("EDGE",)
    ip_address_type: str = "ipv4"
    vpc_endpoint_ids: tuple[str, ...] | None = None


class RestApi(Value, frozen=True, rename="camel"):
    """An API's own settings. `policy` is the document as the owner gave it, plain JSON text."""

    id: RestApiId
    name: str
    created_date: float  # seconds since the epoch
    root_resource_id: ResourceId
    account_id: str
    region: str
    description: str | None = None
    version: str | None = None
    binary_media_types: tuple[str, ...] | None = None
    minimum_compression_size: int | None = None  # bytes; None: never compress
    api_key_source: str = "HEADER"
    endpoint_configuration: EndpointConfiguration = EndpointConfiguration()
    policy: str | None = None
    disable_execute_api_endpoint: bool = False
    security_policy: str | None = None
    tags: Mapping[str, str] | None = None


class IntegrationResponse(Value, frozen=True, rename="camel"):
    """How an integration's answer becomes the method's. No `selection_pattern`, or an empty one: the default."""

    status_code: str
    selection_pattern: str | None = None
    response_parameters: Mapping[str, str] | None = None
    response_templates: Mapping[str, str] | None = None
    content_handling: str | None = None


class TlsConfig(Value, frozen=True, rename="camel"):
    insecure_skip_verification: bool = False


class Integration(Value, frozen=True, rename="camel"):
    """What a method calls. `type` is HTTP, HTTP_PROXY, AWS, AWS_PROXY or MOCK."""

    type: str
    http_method: str | None = None
    uri: str | None = None
    connection_type: str | None = None
    connection_id: str | None = None
    credentials: str | None = None
    request_parameters: Mapping[str, str] | None = None
    request_templates: Mapping[str, str] | None = None
    passthrough_behavior: str = "WHEN_NO_MATCH"
    content_handling: str | None = None
    timeout_in_millis: int = MAX_INTEGRATION_TIMEOUT_MS
    cache_namespace: str | None = None
    cache_key_parameters: tuple[str, ...] = ()
    tls_config: TlsConfig | None = None
    integration_responses: Mapping[str, IntegrationResponse] | None = None


class MethodResponse(Value, frozen=True, rename="camel"):
    status_code: str
    response_parameters: Mapping[str, bool] | None = None
    response_models: Mapping[str, str] | None = None


class Method(Value, frozen=True, rename="camel"):
    http_method: str  # one of HTTP_METHODS, or ANY
    authorization_type: str = "NONE"
    authorizer_id: str | None = None
    api_key_required: bool = False
    request_validator_id: str | None = None
    operation_name: str | None = None
    request_parameters: Mapping[str, bool] | None = None
    request_models: Mapping[str, str] | None = None
    method_responses: Mapping[str, MethodResponse] | None = None
    method_integration: Integration | None = None
    authorization_scopes: tuple[str, ...] | None = None


class Resource(Value, frozen=True, rename="camel"):
    """One node of the path tree. The root has no parent and no path part."""

    id: ResourceId
    path: str  # the whole template, such as /pets/{petId}
    parent_id: ResourceId | None = None
    path_part: str | None = None
    resource_methods: Mapping[str, Method] | None = None

    @property
    def methods(self) -> Mapping[str, Method]:
        return self.resource_methods or {}
