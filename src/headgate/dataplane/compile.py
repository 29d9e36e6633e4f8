"""From a stage and the definitions it serves to a snapshot: all that can fail for a stage fails here.

A stage variable may leave an integration without a meaning (an empty host, say). That fails its calls and not the
compilation, as on AWS: the other methods of the stage go on.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

from headgate.dataplane.compile_witness import Place, Telling, compile_tracer, compile_witness
from headgate.dataplane.integrations.aws_proxy import AwsProxy, SourceArns, function_of_uri
from headgate.dataplane.integrations.http import Http, HttpProxy
from headgate.dataplane.integrations.http_request import BackendRequest
from headgate.dataplane.integrations.mapped_reply import compile_responses
from headgate.dataplane.integrations.mock import Mock
from headgate.dataplane.mapping.templates import require_static
from headgate.dataplane.mapping.variables import substitute
from headgate.dataplane.observation import Meter, Meters
from headgate.dataplane.ports import Ports
from headgate.dataplane.refusal import ConfigurationError
from headgate.dataplane.request import Request
from headgate.dataplane.routing import Routes
from headgate.dataplane.snapshot import CompiledIntegration, MethodSnapshot, Reply, StageSnapshot, Variant
from headgate.dataplane.throttle import Buckets, rate_limit
from headgate.dataplane.witness import Witness
from headgate.model.deployment import Definition
from headgate.model.observation import Interval
from headgate.model.rest_api import Integration, Method, Resource
from headgate.model.stage import MethodSetting, Stage, canary_variables

_MAX_ARN_BYTES: Final = 1600


class _Counting(NamedTuple):
    """Where the stage's requests are counted."""

    meters: Meters
    interval: Interval
    telling: Telling | None  # and where they are logged


class CompileError(ValueError):
    """The stage cannot be served as asked; the message names the method and what would be accepted."""


def compile_stage(
    stage: Stage,
    definitions: Mapping[str, Definition],
    buckets: Buckets,
    meters: Meters,
    telling: Telling | None = None,
) -> StageSnapshot:
    """`definitions` by deployment id: the stage's own and, where it has a canary, the canary's."""
    canary = stage.canary_settings
    interval = meters.interval(
        stage.account_id,
        stage.region,
        stage.rest_api_id,
        definitions[stage.deployment_id].rest_api.name,
        stage.stage_name,
        stage.deployment_id,
        None if canary is None else (canary.deployment_id, canary.percent_traffic),
    )
    counting = _Counting(meters, interval, telling)
    base = _compile_variant(
        stage,
        definitions[stage.deployment_id],
        stage.variables or {},
        None if canary is None else False,
        buckets,
        counting,
    )
    if canary is None:
        return StageSnapshot(stage.account_id, stage.region, stage.rest_api_id, stage.stage_name, base)
    variables = canary_variables(stage, canary)
    side = _compile_variant(stage, definitions[canary.deployment_id], variables, True, buckets, counting)
    return StageSnapshot(
        stage.account_id, stage.region, stage.rest_api_id, stage.stage_name, base, side, canary.percent_traffic
    )


def _compile_variant(
    stage: Stage,
    definition: Definition,
    variables: Mapping[str, str],
    is_canary: bool | None,
    buckets: Buckets,
    counting: "_Counting",
) -> Variant:
    api = definition.rest_api
    if api.policy is not None:
        raise CompileError("resource policies are not evaluated by this version; remove the API's policy to deploy it")
    settings = {_normalised(key): setting for key, setting in stage.method_settings.items()}
    side = counting.meters.side(counting.interval, is_canary=is_canary is True)
    place = Place(stage, api, definition.deployment_id, is_canary)
    methods = [
        (
            resource.path,
            method.http_method,
            _compile_method(stage, resource, method, variables, settings, buckets, counting, side, place),
        )
        for resource in definition.resources
        for method in resource.methods.values()
    ]
    return Variant(
        deployment_id=definition.deployment_id,
        variables=variables,
        routes=Routes(methods),
        is_canary=is_canary,
        default_endpoint_disabled=api.disable_execute_api_endpoint,
        binary_media_types=frozenset(media_type.lower() for media_type in api.binary_media_types or ()),
        minimum_compression_size=api.minimum_compression_size,
        meter=side,
        unrouted=_unrouted(compile_witness(place, None, counting.telling), side),
        tracer=compile_tracer(place, counting.telling),
    )


def _unrouted(witness: Witness | None, side: Meter) -> MethodSnapshot | None:
    """Stands for the method of requests that match none: there is an access log of them too."""
    if witness is None:
        return None
    return MethodSnapshot(
        http_method="",
        resource_id="",
        resource_path="",
        operation_name=None,
        authorization_type="NONE",
        api_key_required=False,
        integration=_Broken("no method"),
        limit=None,
        bucket=None,
        meter=side,
        witness=witness,
    )


def _compile_method(
    stage: Stage,
    resource: Resource,
    method: Method,
    variables: Mapping[str, str],
    settings: Mapping[tuple[str, str], MethodSetting],
    buckets: Buckets,
    counting: "_Counting",
    side: Meter,
    place: Place,
) -> MethodSnapshot:
    # Entries are complete, so there is no merge field by field (aws-semantics 1.2).
    setting = settings.get((resource.path, method.http_method)) or settings.get(("/*", "*"))
    limit = rate_limit(setting)
    key = (stage.rest_api_id, stage.stage_name, resource.path, method.http_method)
    return MethodSnapshot(
        http_method=method.http_method,
        resource_id=resource.id,
        resource_path=resource.path,
        operation_name=method.operation_name,
        authorization_type=method.authorization_type,
        api_key_required=method.api_key_required,
        integration=_compile_integration(stage, resource, method, variables),
        limit=limit,
        bucket=None if limit is None else buckets.of(key, limit),
        meter=side
        if setting is None or not setting.metrics_enabled
        else counting.meters.method(counting.interval, resource.path, method.http_method, is_canary=side.is_canary),
        witness=compile_witness(
            place._replace(resource_id=resource.id, resource_path=resource.path), setting, counting.telling
        ),
    )


def _compile_integration(
    stage: Stage, resource: Resource, method: Method, variables: Mapping[str, str]
) -> CompiledIntegration:
    integration = method.method_integration
    where = f"{method.http_method} {resource.path}"
    if integration is None:
        raise CompileError(f"No integration defined for method {where}")
    uri = substitute(integration.uri or "", variables)
    if len(uri) > _MAX_ARN_BYTES:
        return _Broken("The ARN or URI of the integration is longer than 1600 bytes")
    try:
        match integration.type:
            case "AWS_PROXY":
                return _compile_aws_proxy(stage, resource, method, integration, uri)
            case "HTTP_PROXY":
                return HttpProxy(BackendRequest(integration, uri, stage.rest_api_id), stage.rest_api_id)
            case "HTTP":
                templates = require_static(f"the integration request of {where}", integration.request_templates)
                responses = compile_responses(where, method)
                backend = BackendRequest(integration, uri, stage.rest_api_id)
                return Http(backend, templates, integration.passthrough_behavior, responses, stage.rest_api_id)
            case "MOCK":
                templates = require_static(f"the integration request of {where}", integration.request_templates)
                return Mock(templates, integration.passthrough_behavior, compile_responses(where, method))
            case _:
                raise CompileError(
                    f"the integration type {integration.type} of {where} is not served by this version; "
                    "it serves AWS_PROXY, HTTP_PROXY, HTTP and MOCK"
                )
    except CompileError:
        raise
    except ValueError as error:
        if "$" in (integration.uri or ""):
            return _Broken(f"Invalid endpoint address: {error}")
        raise CompileError(f"{where}: {error}") from error


def _compile_aws_proxy(
    stage: Stage, resource: Resource, method: Method, integration: Integration, uri: str
) -> CompiledIntegration:
    function = function_of_uri(uri)
    if function is None:
        return _Broken(f"Invalid ARN specified in the integration: {uri}")
    if integration.http_method != "POST":
        return _Broken("The integration method of a Lambda function must be POST")
    if integration.connection_type == "VPC_LINK":
        return _Broken("VPC links are not served")
    sources = SourceArns(
        stage.region, stage.account_id, stage.rest_api_id, stage.stage_name, method.http_method, resource.path
    )
    return AwsProxy(function, sources, timeout_s=integration.timeout_in_millis / 1000)


class _Broken:
    """An integration that cannot work as configured: every call of it is refused, and why goes to the log."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def __call__(self, request: Request, ports: Ports) -> Reply:  # noqa: ARG002  the protocol's
        raise ConfigurationError(self._reason)


def _normalised(key: str) -> tuple[str, str]:
    """A method setting's key as (resource path, method): the client's spelling is kept only for showing it."""
    path, _, http_method = key.rpartition("/")
    path = unquote(path.replace("~1", "/").replace("~0", "~"))
    return "/" + path.strip("/"), http_method
