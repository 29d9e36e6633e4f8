"""From a stage and the definitions it serves to a snapshot: all that can fail for a stage fails here.

A stage variable may leave an integration without a meaning (an empty host, say). That fails its calls and not the
compilation, as on AWS: the other methods of the stage go on.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec

from headgate.dataplane.compile_witness import Place, Telling, compile_tracer, compile_witness
from headgate.dataplane.integrations.aws_proxy import AwsProxy, SourceArns, function_of_uri
from headgate.dataplane.integrations.http import Http, HttpProxy
from headgate.dataplane.integrations.http_request import BackendRequest
from headgate.dataplane.integrations.mapped_reply import compile_responses
from headgate.dataplane.integrations.mock import Mock
from headgate.dataplane.mapping.templates import require_static
from headgate.dataplane.mapping.variables import substitute
from headgate.dataplane.mirror import Mirroring, Mirrors, is_mirrored
from headgate.dataplane.observation import Meter, Meters
from headgate.dataplane.ports import Ports
from headgate.dataplane.proxy_event import ProxyEvent
from headgate.dataplane.refusal import ConfigurationError
from headgate.dataplane.request import Request
from headgate.dataplane.routing import Routes
from headgate.dataplane.sessions import StickyHeader, canary_buckets, sticky_header
from headgate.dataplane.snapshot import CompiledIntegration, MethodSnapshot, Reply, StageSnapshot, Variant
from headgate.dataplane.steering import SteeredStage, route_header
from headgate.dataplane.throttle import Buckets, rate_limit
from headgate.dataplane.witness import Witness
from headgate.model.deployment import Definition
from headgate.model.observation import Interval
from headgate.model.rest_api import Integration, Method, Resource
from headgate.model.stage import MethodSetting, Stage, canary_variables, steering

_MAX_ARN_BYTES: Final = 1600


class _Counting(NamedTuple):
    """Where the stage's requests are counted."""

    meters: Meters
    interval: Interval
    sticky: StickyHeader | None
    telling: Telling | None  # and where they are logged and traced

    def of(self, side: "_Side") -> Meter:
        is_canary = side.is_canary is True
        if self.sticky is None or side.is_routed:
            return self.meters.side(self.interval, is_canary=is_canary, is_routed=side.is_routed)
        return self.meters.sticky_side(self.interval, self.sticky, is_canary=is_canary)


class _Side(NamedTuple):
    """What one side of a stage is made of."""

    definition: Definition
    variables: Mapping[str, str]
    is_canary: bool | None  # None: the stage has no canary
    pins: Mapping[str, str]  # function:alias -> the version that this side runs
    is_routed: bool = False  # the canary for what a header routes there
    mirroring: Mirroring | None = None  # of the base


class CompileError(ValueError):
    """The stage cannot be served as asked; the message names the method and what would be accepted."""


def compile_stage(
    stage: Stage,
    definitions: Mapping[str, Definition],
    buckets: Buckets,
    meters: Meters,
    mirrors: Mirrors | None = None,
    telling: Telling | None = None,
) -> StageSnapshot:
    """`definitions` by deployment id: the stage's own and, where it has a canary, the canary's.

    `mirrors` has the counts of what the stage mirrors; without them each compilation has counts of its own.
    """
    canary = stage.canary_settings
    interval = meters.interval(
        stage.account_id,
        stage.region,
        stage.rest_api_id,
        definitions[stage.deployment_id].rest_api.name,
        stage.stage_name,
        stage.deployment_id,
        None if canary is None else (canary.deployment_id, canary.percent_traffic),
        () if canary is None else steering(canary),
    )
    sticky = None
    if canary is not None and canary.sticky_header is not None:
        sticky = sticky_header(canary.sticky_header, canary.deployment_id)
    counting = _Counting(meters, interval, sticky, telling)
    definition, variables = definitions[stage.deployment_id], stage.variables or {}
    if canary is None:
        base = _compile_variant(stage, _Side(definition, variables, None, {}), buckets, counting)
        return StageSnapshot(stage.account_id, stage.region, stage.rest_api_id, stage.stage_name, base)
    mirroring = None
    if canary.mirror_percent:
        mirror = (mirrors or Mirrors()).of(stage.rest_api_id, stage.stage_name, canary.deployment_id)
        mirroring = Mirroring(mirror, canary.mirror_percent, canary.mirror_compare is True)
    base_side = _Side(definition, variables, False, canary.base_function_versions or {}, mirroring=mirroring)
    canary_side = _Side(
        definitions[canary.deployment_id], canary_variables(stage, canary), True, canary.function_versions or {}
    )
    plain = StageSnapshot(
        stage.account_id,
        stage.region,
        stage.rest_api_id,
        stage.stage_name,
        _compile_variant(stage, base_side, buckets, counting),
        _compile_variant(stage, canary_side, buckets, counting),
        canary.percent_traffic,
    )
    if canary.route_header is None and canary.sticky_header is None:
        return plain
    route = None
    if canary.route_header is not None:
        routed = _compile_variant(stage, canary_side._replace(is_routed=True), buckets, counting)
        route = route_header(canary.route_header, routed)
    return SteeredStage(
        *msgspec.structs.astuple(plain),
        route_header=route,
        sticky=counting.sticky,
        canary_buckets=canary_buckets(canary.percent_traffic),
    )


def _compile_variant(stage: Stage, side: _Side, buckets: Buckets, counting: _Counting) -> Variant:
    api = side.definition.rest_api
    if api.policy is not None:
        raise CompileError("resource policies are not evaluated by this version; remove the API's policy to deploy it")
    settings = {_normalised(key): setting for key, setting in stage.method_settings.items()}
    meter = counting.of(side)
    place = Place(stage, api, side.definition.deployment_id, side.is_canary)
    telling = counting.telling
    methods = [
        (
            resource.path,
            method.http_method,
            _compile_method(stage, resource, method, side, settings, buckets, meter, place, telling),
        )
        for resource in side.definition.resources
        for method in resource.methods.values()
    ]
    return Variant(
        deployment_id=side.definition.deployment_id,
        variables=side.variables,
        routes=Routes(methods),
        is_canary=side.is_canary,
        default_endpoint_disabled=api.disable_execute_api_endpoint,
        binary_media_types=frozenset(media_type.lower() for media_type in api.binary_media_types or ()),
        minimum_compression_size=api.minimum_compression_size,
        meter=meter,
        unrouted=_unrouted(compile_witness(place, None, telling), meter),
        tracer=compile_tracer(place, telling),
    )


def _unrouted(witness: Witness | None, meter: Meter) -> MethodSnapshot | None:
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
        meter=meter,
        witness=witness,
    )


def _compile_method(
    stage: Stage,
    resource: Resource,
    method: Method,
    side: _Side,
    settings: Mapping[tuple[str, str], MethodSetting],
    buckets: Buckets,
    meter: Meter,
    place: Place,
    telling: Telling | None,
) -> MethodSnapshot:
    # Entries are complete, so there is no merge field by field (aws-semantics 1.2).
    setting = settings.get((resource.path, method.http_method)) or settings.get(("/*", "*"))
    limit = rate_limit(setting)
    key = (stage.rest_api_id, stage.stage_name, resource.path, method.http_method)
    integration = _compile_integration(stage, resource, method, side)
    if side.mirroring is not None and is_mirrored(method.http_method):
        integration = side.mirroring.over(integration)
    return MethodSnapshot(
        http_method=method.http_method,
        resource_id=resource.id,
        resource_path=resource.path,
        operation_name=method.operation_name,
        authorization_type=method.authorization_type,
        api_key_required=method.api_key_required,
        integration=integration,
        limit=limit,
        bucket=None if limit is None else buckets.of(key, limit),
        meter=meter
        if setting is None or not setting.metrics_enabled
        else meter.of_method(resource.path, method.http_method),
        witness=compile_witness(place._replace(resource_id=resource.id, resource_path=resource.path), setting, telling),
    )


def _compile_integration(stage: Stage, resource: Resource, method: Method, side: _Side) -> CompiledIntegration:
    integration = method.method_integration
    where = f"{method.http_method} {resource.path}"
    if integration is None:
        raise CompileError(f"No integration defined for method {where}")
    uri = substitute(integration.uri or "", side.variables)
    if len(uri) > _MAX_ARN_BYTES:
        return _Broken("The ARN or URI of the integration is longer than 1600 bytes")
    try:
        match integration.type:
            case "AWS_PROXY":
                return _compile_aws_proxy(stage, resource, method, integration, uri, side)
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
    stage: Stage, resource: Resource, method: Method, integration: Integration, uri: str, side: _Side
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
    is_own = (function.account_id, function.region) == (stage.account_id, stage.region)
    version = side.pins.get(f"{function.name}:{function.qualifier}", "") if is_own else ""
    event = ProxyEvent(
        account_id=stage.account_id,
        api_id=stage.rest_api_id,
        stage_name=stage.stage_name,
        deployment_id=side.definition.deployment_id,
        is_canary=side.is_canary,
        variables=side.variables,
        resource_id=resource.id,
        resource_path=resource.path,
        operation_name=method.operation_name,
    )
    return AwsProxy(function, sources, event, timeout_s=integration.timeout_in_millis / 1000, version=version)


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
