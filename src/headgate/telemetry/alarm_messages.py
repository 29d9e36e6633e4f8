"""What an alarm's receivers are told of a change of its state, each in its own form (aws-semantics 8.1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from headgate.model.alarm import Alarm, AlarmState, AlarmValue, CompositeAlarm, MetricAlarm
from headgate.telemetry.alarm_reason import long_time
from headgate.telemetry.alarm_rule import children, parse_rule

_REGION_NAMES: Final[Mapping[str, str]] = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "ca-central-1": "Canada (Central)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "eu-west-3": "EU (Paris)",
    "eu-central-1": "EU (Frankfurt)",
    "eu-north-1": "EU (Stockholm)",
    "eu-south-1": "EU (Milan)",
    "ap-east-1": "Asia Pacific (Hong Kong)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "sa-east-1": "South America (Sao Paulo)",
}
_STATISTIC_NAMES: Final = {
    "Average": "AVERAGE",
    "Sum": "SUM",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
    "SampleCount": "SAMPLE_COUNT",
}
_SUBJECT_LENGTH: Final = 100  # of a topic's message


def subject(alarm: Alarm, state: AlarmState) -> str:
    """Of a topic's message; ASCII without control characters, as SNS takes no other."""
    region = _REGION_NAMES.get(alarm.region, alarm.region)
    text = f'{state.state_value}: "{alarm.alarm_name}" in {region}'
    return "".join(each if " " <= each <= "~" else "?" for each in text)[:_SUBJECT_LENGTH]


def topic_message(alarm: Alarm, state: AlarmState, state_of: Mapping[str, AlarmState]) -> str:
    """What a topic's subscribers read. `state_of` has the children of a composite alarm, by name."""
    message: dict[str, Any] = {
        "AlarmName": alarm.alarm_name,
        "AlarmDescription": alarm.alarm_description,
        "AWSAccountId": alarm.account_id,
        "AlarmConfigurationUpdatedTimestamp": long_time(alarm.alarm_configuration_updated_timestamp),
        "NewStateValue": state.state_value,
        "NewStateReason": state.state_reason,
        "StateChangeTime": long_time(state.state_transitioned_timestamp),
        "Region": _REGION_NAMES.get(alarm.region, alarm.region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": state.previous_value,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }
    match alarm:
        case MetricAlarm():
            message["Trigger"] = _trigger(alarm)
        case CompositeAlarm():
            message["AlarmRule"] = alarm.alarm_rule
            message["TriggeringChildren"] = [
                {
                    "Arn": alarm_arn_of(alarm, name),
                    "State": {"Value": child.state_value, "Timestamp": long_time(child.state_updated_timestamp)},
                }
                for name in children(parse_rule(alarm.alarm_rule))
                if (child := state_of.get(name)) is not None and child.state_value is AlarmValue.ALARM
            ]
    return orjson.dumps(message).decode()


def function_event(alarm: Alarm, state: AlarmState) -> str:
    """What a function is called with. `id` is our own: it names the change, and is the same at a repeat."""
    return orjson.dumps(
        {
            "source": "aws.cloudwatch",
            "id": state.change_id,
            "alarmArn": alarm.alarm_arn,
            "accountId": alarm.account_id,
            "time": long_time(state.state_transitioned_timestamp),
            "region": alarm.region,
            "alarmData": _alarm_data(alarm, state),
        }
    ).decode()


def webhook_body(alarm: Alarm, state: AlarmState) -> str:
    """What a webhook gets: the event that EventBridge has for a change of state, its `id` the change's."""
    at = datetime.fromtimestamp(state.state_transitioned_timestamp, UTC)
    return orjson.dumps(
        {
            "version": "0",
            "id": state.change_id,
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": alarm.account_id,
            "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "region": alarm.region,
            "resources": [alarm.alarm_arn],
            "detail": _alarm_data(alarm, state),
        }
    ).decode()


def alarm_arn_of(alarm: Alarm, name: str) -> str:
    """The ARN of another alarm of the same account and region."""
    return alarm.alarm_arn.removesuffix(alarm.alarm_name) + name


def _alarm_data(alarm: Alarm, state: AlarmState) -> dict[str, Any]:
    data: dict[str, Any] = {
        "alarmName": alarm.alarm_name,
        "state": _state(state.state_value, state.state_reason, state.state_reason_data, state.state_updated_timestamp),
    }
    if state.previous_value is not None:
        data["previousState"] = _state(
            state.previous_value, state.previous_reason, state.previous_reason_data, state.previous_timestamp
        )
    data["configuration"] = _configuration(alarm)
    return data


def _state(value: AlarmValue, reason: str, reason_data: str | None, at: float | None) -> dict[str, Any]:
    state: dict[str, Any] = {"value": value, "reason": reason}
    if reason_data is not None:
        state["reasonData"] = reason_data
    if at is not None:
        state["timestamp"] = long_time(at)
    return state


def _configuration(alarm: Alarm) -> dict[str, Any]:
    configuration: dict[str, Any] = {}
    if alarm.alarm_description is not None:
        configuration["description"] = alarm.alarm_description
    match alarm:
        case CompositeAlarm():
            configuration["alarmRule"] = alarm.alarm_rule
            if alarm.actions_suppressor is not None:
                configuration["actionsSuppressor"] = alarm.actions_suppressor
                configuration["actionsSuppressorWaitPeriod"] = alarm.actions_suppressor_wait_period
                configuration["actionsSuppressorExtensionPeriod"] = alarm.actions_suppressor_extension_period
        case MetricAlarm(metrics=None):
            metric = {
                "namespace": alarm.namespace,
                "name": alarm.metric_name,
                "dimensions": {each.name: each.value for each in alarm.dimensions or ()},
            }
            stat: dict[str, Any] = {"metric": metric, "period": alarm.period}
            stat["stat"] = alarm.statistic or alarm.extended_statistic
            if alarm.unit is not None:
                stat["unit"] = alarm.unit
            configuration["metrics"] = [{"id": "m1", "metricStat": stat, "returnData": True}]
        case MetricAlarm():
            configuration["metrics"] = [_query(each) for each in alarm.metrics or ()]
    return configuration


def _query(given: Mapping[str, Any]) -> dict[str, Any]:
    query: dict[str, Any] = {"id": given["Id"], "returnData": given.get("ReturnData", True)}
    for name in ("Expression", "Label", "Period"):
        if name in given:
            query[name.lower()] = given[name]
    if (asked := given.get("MetricStat")) is not None:
        metric = asked["Metric"]
        query["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions", ())},
            },
            "period": asked["Period"],
            "stat": asked["Stat"],
        }
    return query


def _trigger(alarm: MetricAlarm) -> dict[str, Any]:
    common: dict[str, Any] = {
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.needed,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metrics is not None:
        return {**common, "Metrics": alarm.metrics}
    trigger: dict[str, Any] = {"MetricName": alarm.metric_name, "Namespace": alarm.namespace}
    if alarm.extended_statistic is not None:
        trigger |= {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.extended_statistic}
    else:
        named = _STATISTIC_NAMES.get(alarm.statistic or "", alarm.statistic)
        trigger |= {"StatisticType": "Statistic", "Statistic": named}
    trigger["Unit"] = alarm.unit
    trigger["Dimensions"] = [{"value": each.value, "name": each.name} for each in alarm.dimensions or ()]
    return trigger | common
