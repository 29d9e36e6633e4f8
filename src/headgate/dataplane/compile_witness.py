"""From a stage's settings to who is told of its requests: the witness of a method, the tracer of a side, or none."""

import logging
from typing import Final, NamedTuple

from headgate.dataplane.access_log import AccessLog
from headgate.dataplane.execution_log import ExecutionLog
from headgate.dataplane.ports import LogSink
from headgate.dataplane.tracing import Tracer, Traces
from headgate.dataplane.witness import Witness
from headgate.model.arn import log_group_arn
from headgate.model.rest_api import RestApi
from headgate.model.scope import Scope
from headgate.model.stage import MethodSetting, Stage

_log = logging.getLogger("headgate.gateway")

_CANARY: Final = "/Canary"


class Telling(NamedTuple):
    """Where the gateway's log lines and segments go."""

    logs: LogSink
    stream: str  # of this process, in every group
    traces: Traces | None = None


class Place(NamedTuple):
    """What of a request is known before it comes. `resource_id` and `resource_path` are "" for what matches none."""

    stage: Stage
    api: RestApi
    deployment_id: str
    is_canary: bool | None
    resource_id: str = ""
    resource_path: str = ""


def compile_witness(place: Place, setting: MethodSetting | None, telling: Telling | None) -> Witness | None:
    """The witness of a method; None where nothing is to be told. `setting` is the method's own in force."""
    if telling is None:
        return None
    access_log = _access_log(place, telling)
    execution_log = None if setting is None else _execution_log(place, setting, telling)
    return None if access_log is None and execution_log is None else Witness(access_log, execution_log)


def compile_tracer(place: Place, telling: Telling | None) -> Tracer | None:
    """Every stage has one, for the callers that decide; None where the server keeps no traces."""
    if telling is None or telling.traces is None:
        return None
    stage = place.stage
    return Tracer(
        telling.traces,
        Scope(account_id=stage.account_id, region=stage.region),
        stage.rest_api_id,
        place.api.name,
        stage.stage_name,
        samples=stage.tracing_enabled,
    )


def _access_log(place: Place, telling: Telling) -> AccessLog | None:
    settings = place.stage.access_log_settings
    if settings is None or settings.format is None or settings.destination_arn is None:
        return None
    if not settings.destination_arn.startswith("arn:") or ":logs:" not in settings.destination_arn:
        if not place.resource_path:  # once for each side, not for each of its methods
            _log.warning("no access log is written to %s: only log groups are served", settings.destination_arn)
        return None
    group = settings.destination_arn.removesuffix(":*") + _suffix(place)
    return AccessLog(telling.logs, group, telling.stream, settings.format, _constants(place))


def _execution_log(place: Place, setting: MethodSetting, telling: Telling) -> ExecutionLog | None:
    if setting.logging_level not in {"INFO", "ERROR"}:
        return None
    stage = place.stage
    name = f"API-Gateway-Execution-Logs_{stage.rest_api_id}/{stage.stage_name}{_suffix(place)}"
    return ExecutionLog(
        telling.logs,
        log_group_arn(stage.region, stage.account_id, name),
        telling.stream,
        setting.logging_level,
        data_trace=setting.data_trace_enabled,
    )


def _suffix(place: Place) -> str:
    return _CANARY if place.is_canary else ""


def _constants(place: Place) -> dict[str, str]:
    """The variables of `$context` that are the same for every request."""
    stage = place.stage
    endpoint = place.api.endpoint_configuration
    return {
        "accountId": stage.account_id,
        "apiId": stage.rest_api_id,
        "deploymentId": place.deployment_id,
        "endpointType": endpoint.types[0] if endpoint.types else "",
        "isCanaryRequest": "" if place.is_canary is None else str(place.is_canary).lower(),
        "resourceId": place.resource_id,
        "resourcePath": place.resource_path,
        "stage": stage.stage_name,
    }
