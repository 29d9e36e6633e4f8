"""A stage: a named place where one deployment is served, with at most one canary beside it."""

from collections.abc import Mapping
from typing import Final

from headgate.model.ids import DeploymentId, RestApiId, StageName
from headgate.model.value import Value

ACCOUNT_RATE_LIMIT: Final = 10_000.0  # requests a second
ACCOUNT_BURST_LIMIT: Final = 5_000  # requests

CACHE_CLUSTER_SIZES: Final = ("0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237")  # GB


class CanarySettings(Value, frozen=True, rename="camel"):
    """The second deployment of a stage. `percent_traffic` is a percentage, 0.0 to 100.0.

    What stands below `use_stage_cache` AWS does not have (docs/canaries.md). A pin is `function:alias` -> version: what
    a side's requests run behind that alias, whatever the alias says meanwhile.
    """

    deployment_id: DeploymentId
    percent_traffic: float = 0.0
    stage_variable_overrides: Mapping[str, str] | None = None
    use_stage_cache: bool = False
    function_versions: Mapping[str, str] | None = None  # pins of the canary side
    base_function_versions: Mapping[str, str] | None = None  # of the base side
    route_header: str | None = None  # name=value: what carries it goes to the canary, and counts for neither side
    sticky_header: str | None = None  # name, or cookie:name: what a caller is known by, to be kept on its side
    mirror_percent: float | None = None  # of the base's requests with safe methods, sent to the canary too
    mirror_compare: bool | None = None  # whether the answers are compared


class AccessLogSettings(Value, frozen=True, rename="camel"):
    format: str | None = None
    destination_arn: str | None = None


class MethodSetting(Value, frozen=True, rename="camel"):
    """One entry of a stage's method settings; the defaults are those of a new entry (aws-semantics 1.2)."""

    metrics_enabled: bool = False
    logging_level: str | None = None
    data_trace_enabled: bool = False
    throttling_burst_limit: int = ACCOUNT_BURST_LIMIT
    throttling_rate_limit: float = ACCOUNT_RATE_LIMIT
    caching_enabled: bool = False
    cache_ttl_in_seconds: int = 300
    cache_data_encrypted: bool = False
    require_authorization_for_cache_control: bool = True
    unauthorized_cache_control_header_strategy: str = "SUCCEED_WITH_RESPONSE_HEADER"


class Stage(Value, frozen=True, rename="camel"):
    """A stage's live settings. `rest_api_id`, `account_id` and `region` say whose it is and are not shown."""

    stage_name: StageName
    deployment_id: DeploymentId
    created_date: float  # seconds since the epoch
    last_updated_date: float
    rest_api_id: RestApiId
    account_id: str
    region: str
    description: str | None = None
    client_certificate_id: str | None = None
    documentation_version: str | None = None
    cache_cluster_enabled: bool = False
    cache_cluster_size: str | None = None
    cache_cluster_status: str = "NOT_AVAILABLE"
    method_settings: Mapping[str, MethodSetting] = {}
    variables: Mapping[str, str] | None = None
    access_log_settings: AccessLogSettings | None = None
    canary_settings: CanarySettings | None = None
    tracing_enabled: bool = False
    tags: Mapping[str, str] | None = None


def steering(canary: CanarySettings) -> tuple[str, ...]:
    """What beside deployments and weight decides what a side runs and who comes to it, in a form to compare."""
    pins = (("canary", canary.function_versions), ("base", canary.base_function_versions))
    pinned = [f"{side} {name}={version}" for side, each in pins for name, version in sorted((each or {}).items())]
    return (f"sticky {canary.sticky_header or ''}", *pinned)


def canary_variables(stage: Stage, canary: CanarySettings) -> Mapping[str, str]:
    """The variables of the canary side: the stage's, overlaid by the overrides, which may add names."""
    return {**(stage.variables or {}), **(canary.stage_variable_overrides or {})}
