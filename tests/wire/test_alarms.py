"""CloudWatch's operations for alarms, by boto3 and, where it says so, by the query protocol as Terraform speaks it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from support.apis import refusal
from support.server import Answer, RunningServer, fetch

_ACCOUNT = "000000000000"
_TOPIC = f"arn:aws:sns:us-east-1:{_ACCOUNT}:oncall"


@pytest.fixture
def cloudwatch(server: RunningServer) -> Any:
    return server.client("cloudwatch")


@pytest.fixture
def name(cloudwatch: Any) -> Iterator[str]:
    """Of an alarm that no other test has; those that begin with it are deleted."""
    prefix = f"alarm-{uuid4().hex}"
    yield prefix
    composites = cloudwatch.describe_alarms(AlarmNamePrefix=prefix, AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    for alarm in composites:
        cloudwatch.put_composite_alarm(AlarmName=alarm["AlarmName"], AlarmRule="FALSE")
    for alarm in composites:
        cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"]])
    metric = cloudwatch.describe_alarms(AlarmNamePrefix=prefix, MaxRecords=100)["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in metric])


def _put(cloudwatch: Any, name: str, **options: Any) -> None:
    cloudwatch.put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "Shop",
            "MetricName": f"Orders of {name}",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
            # An evaluation that comes in between finds no points: then the alarm stays as the test has set it.
            "TreatMissingData": "ignore",
            **options,
        }
    )


def _set(cloudwatch: Any, name: str, value: str, reason: str = "for a test") -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason=reason)


def _described(cloudwatch: Any, name: str) -> dict[str, Any]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    found: dict[str, Any] = alarm
    return found


def _composite(cloudwatch: Any, name: str) -> dict[str, Any]:
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    found: dict[str, Any] = alarm
    return found


def _history(cloudwatch: Any, name: str, **options: Any) -> list[dict[str, Any]]:
    types = ["MetricAlarm", "CompositeAlarm"]
    items: list[dict[str, Any]] = cloudwatch.describe_alarm_history(AlarmName=name, AlarmTypes=types, **options)[
        "AlarmHistoryItems"
    ]
    return items


def test_a_new_alarm_is_described_as_it_was_put_and_has_no_data(cloudwatch: Any, name: str) -> None:
    dimensions = [{"Name": "Shop", "Value": "x"}]
    before = datetime.now(UTC) - timedelta(seconds=1)
    _put(cloudwatch, name, Dimensions=dimensions, AlarmDescription="too many")

    alarm = _described(cloudwatch, name)

    times = {key: alarm.pop(key) for key in list(alarm) if key.endswith("Timestamp")}
    assert alarm == {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:{_ACCOUNT}:alarm:{name}",
        "AlarmDescription": "too many",
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        "Namespace": "Shop",
        "MetricName": f"Orders of {name}",
        "Dimensions": dimensions,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }
    assert set(times) == {
        "AlarmConfigurationUpdatedTimestamp",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
    }
    assert all(before <= each <= datetime.now(UTC) for each in times.values())


def test_put_again_changes_the_alarm_and_keeps_its_state_and_tags(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name, Tags=[{"Key": "team", "Value": "a"}])
    _set(cloudwatch, name, "OK")

    _put(cloudwatch, name, Threshold=5.0, Tags=[{"Key": "team", "Value": "b"}])

    alarm = _described(cloudwatch, name)
    assert (alarm["Threshold"], alarm["StateValue"], alarm["StateReason"]) == (5.0, "OK", "for a test")
    assert cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    summaries = [item["HistorySummary"] for item in _history(cloudwatch, name, ScanBy="TimestampAscending")]
    assert summaries == [
        f'Alarm "{name}" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        f'Alarm "{name}" updated',
    ]


def test_an_alarm_on_an_expression_is_described_with_its_metrics(cloudwatch: Any, name: str) -> None:
    metric = {"Namespace": "Shop", "MetricName": "Errors"}
    metrics = [
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "rate", "ReturnData": True},
        {"Id": "errors", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "requests", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}, "ReturnData": False},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=metrics,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=5.0,
        ComparisonOperator="GreaterThanThreshold",
    )

    alarm = _described(cloudwatch, name)

    assert alarm["Metrics"] == metrics
    assert "MetricName" not in alarm
    assert "Dimensions" not in alarm


_RATE = {
    "Id": "m1",
    "MetricStat": {"Metric": {"Namespace": "a", "MetricName": "b"}, "Period": 60, "Stat": "Sum"},
    "ReturnData": False,
}
_NONE = {"MetricName": None, "Namespace": None, "Statistic": None, "Period": None}


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ({"Period": 45}, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"),
        ({"EvaluationPeriods": 1441}, "ValidationError", "EvaluationPeriods * Period must be <= 86400"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError", "EvaluationPeriods * Period must be <= 604800"),
        (
            {"DatapointsToAlarm": 2},
            "ValidationError",
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ),
        ({"Threshold": None}, "ValidationError", "PutMetricAlarm request should have valid Threshold parameter"),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "ValidationError",
            "ComparisonOperators for ranges require ThresholdMetricId to be set",
        ),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "m1"},
            "ValidationError",
            "anomaly detection is not supported by Headgate",
        ),
        ({"TreatMissingData": "maybe"}, "ValidationError", "breaching, notBreaching, ignore and missing"),
        ({"EvaluateLowSampleCountPercentile": "maybe"}, "ValidationError", "evaluate and ignore"),
        ({"Statistic": None}, "InvalidParameterCombination", "Exactly one of the parameters Statistic"),
        ({"ExtendedStatistic": "p90"}, "InvalidParameterCombination", "Exactly one of the parameters Statistic"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "ValidationError", "p101"),
        ({"MetricName": None}, "MissingParameter", "MetricName"),
        ({"Metrics": [_RATE]}, "InvalidParameterCombination", "Metrics and MetricName are mutually exclusive"),
        ({**_NONE, "Metrics": [_RATE]}, "ValidationError", "At least one query must have ReturnData set to true"),
        (
            {**_NONE, "Metrics": [_RATE, {"Id": "e", "Expression": "m2 * 2"}]},
            "ValidationError",
            "there is no query with the id m2",
        ),
        (
            {**_NONE, "Metrics": [_RATE, {"Id": "e", "Expression": "SEARCH('x', 'Sum', 60)"}]},
            "ValidationError",
            "SEARCH cannot be used in an alarm",
        ),
        (
            {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]},
            "ValidationError",
            "Invalid arn in AlarmActions: arn:aws:automate:us-east-1:ec2:stop",
        ),
        ({"AlarmActions": [f"{_TOPIC}.fifo"]}, "ValidationError", f"Invalid arn in AlarmActions: {_TOPIC}.fifo"),
        (
            {"OKActions": ["arn:aws:headgate:::webhook/none"]},
            "ValidationError",
            "there is no webhook none under [alarm_webhooks]",
        ),
        ({"EvaluationInterval": 60}, "ValidationError", "EvaluationInterval is not supported by Headgate"),
    ],
)
def test_put_metric_alarm_refuses(cloudwatch: Any, name: str, options: dict[str, Any], code: str, told: str) -> None:
    given = {
        "AlarmName": name,
        "Namespace": "Shop",
        "MetricName": "Orders",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **options,
    }
    refused = refusal(cloudwatch.put_metric_alarm, **{key: value for key, value in given.items() if value is not None})

    assert (refused.code, refused.status) == (code, 400)
    assert told in refused.message
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_set_alarm_state_is_a_transition_with_history_and_actions(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name, AlarmActions=[_TOPIC])

    cloudwatch.set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="by hand", StateReasonData='{"who": "me"}'
    )

    alarm = _described(cloudwatch, name)
    assert (alarm["StateValue"], alarm["StateReason"], alarm["StateReasonData"]) == (
        "ALARM",
        "by hand",
        '{"who": "me"}',
    )
    [update] = _history(cloudwatch, name, HistoryItemType="StateUpdate")
    assert update["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    data = json.loads(update["HistoryData"])
    assert data["oldState"]["stateValue"] == "INSUFFICIENT_DATA"
    assert data["newState"] == {
        "stateValue": "ALARM",
        "stateReason": "by hand",
        "stateReasonData": {"who": "me"},
    }


def test_set_alarm_state_refuses_what_is_not_there_and_what_is_no_json(cloudwatch: Any, name: str) -> None:
    unknown = refusal(cloudwatch.set_alarm_state, AlarmName=name, StateValue="OK", StateReason="x")
    _put(cloudwatch, name)
    no_json = refusal(cloudwatch.set_alarm_state, AlarmName=name, StateValue="OK", StateReason="x", StateReasonData="{")

    assert (unknown.code, unknown.status) == ("ResourceNotFound", 404)
    assert (no_json.code, no_json.status) == ("InvalidFormat", 400)


def test_actions_are_disabled_and_enabled(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name)

    cloudwatch.disable_alarm_actions(AlarmNames=[name, "no such alarm"])
    disabled = _described(cloudwatch, name)["ActionsEnabled"]
    cloudwatch.enable_alarm_actions(AlarmNames=[name])

    assert (disabled, _described(cloudwatch, name)["ActionsEnabled"]) == (False, True)


def test_a_deleted_alarm_is_gone_and_its_history_stays(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name)

    cloudwatch.delete_alarms(AlarmNames=[name, "no such alarm"])

    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    assert [item["HistorySummary"] for item in _history(cloudwatch, name)] == [
        f'Alarm "{name}" deleted',
        f'Alarm "{name}" created',
    ]


def test_alarms_are_found_by_each_filter(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, f"{name}-1", AlarmActions=[_TOPIC])
    _put(cloudwatch, f"{name}-2")
    _set(cloudwatch, f"{name}-2", "OK")

    def found(**filters: Any) -> list[str]:
        answer = cloudwatch.describe_alarms(**filters)
        return [each["AlarmName"].removeprefix(f"{name}-") for each in answer["MetricAlarms"]]

    assert found(AlarmNamePrefix=name) == ["1", "2"]
    assert found(AlarmNames=[f"{name}-2"]) == ["2"]
    assert found(AlarmNamePrefix=name, StateValue="OK") == ["2"]
    assert found(AlarmNamePrefix=name, ActionPrefix="arn:aws:sns") == ["1"]
    assert found(AlarmNamePrefix=name, AlarmTypes=["CompositeAlarm"]) == []
    refused = refusal(cloudwatch.describe_alarms, AlarmNamePrefix=name, AlarmNames=[name])
    assert refused.code == "InvalidParameterCombination"


def test_alarms_come_in_pages(cloudwatch: Any, name: str) -> None:
    for number in range(5):
        _put(cloudwatch, f"{name}-{number}")

    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=name, PaginationConfig={"PageSize": 2})

    assert [len(page["MetricAlarms"]) for page in pages] == [2, 2, 1]
    assert refusal(cloudwatch.describe_alarms, NextToken="none").code == "InvalidNextToken"


def test_alarms_are_found_by_their_metric(cloudwatch: Any, name: str) -> None:
    dimensions = [{"Name": "Shop", "Value": "x"}, {"Name": "Region", "Value": "y"}]
    _put(cloudwatch, f"{name}-1", MetricName=name, Dimensions=dimensions)
    _put(cloudwatch, f"{name}-2", MetricName=name, Period=300)

    def found(**filters: Any) -> list[str]:
        answer = cloudwatch.describe_alarms_for_metric(Namespace="Shop", MetricName=name, **filters)
        return [each["AlarmName"].removeprefix(f"{name}-") for each in answer["MetricAlarms"]]

    assert found(Dimensions=dimensions[::-1]) == ["1"]
    assert found() == ["2"]
    assert found(Period=60) == []
    assert found(Period=300, Statistic="Sum") == ["2"]
    assert found(Statistic="Average") == []


def test_history_is_filtered_ordered_and_paged(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name)
    for value in ("OK", "ALARM", "OK"):
        _set(cloudwatch, name, value)

    updates = _history(cloudwatch, name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    pages = list(
        cloudwatch.get_paginator("describe_alarm_history").paginate(AlarmName=name, PaginationConfig={"PageSize": 3})
    )

    assert [each["HistorySummary"].rpartition(" ")[2] for each in updates] == ["OK", "ALARM", "OK"]
    assert [len(page["AlarmHistoryItems"]) for page in pages] == [3, 1]
    assert _history(cloudwatch, name, StartDate=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert len(_history(cloudwatch, name, EndDate=datetime.now(UTC) + timedelta(minutes=1))) == 4
    assert {each["AlarmType"] for each in updates} == {"MetricAlarm"}


def test_tags_of_alarms(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name, Tags=[{"Key": "a", "Value": "1"}])
    arn = _described(cloudwatch, name)["AlarmArn"]

    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["b", "c"])

    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "3"}]
    unknown = refusal(cloudwatch.list_tags_for_resource, ResourceARN=f"{arn}-none")
    assert (unknown.code, unknown.status) == ("ResourceNotFoundException", 404)
    reserved = refusal(cloudwatch.tag_resource, ResourceARN=arn, Tags=[{"Key": "aws:x", "Value": "1"}])
    assert reserved.code == "InvalidParameterValue"


def test_a_composite_alarm_follows_its_children(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, f"{name}-a")
    _put(cloudwatch, f"{name}-b")
    rule = f'ALARM({name}-a) AND NOT ALARM("{name}-b")'
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-c", AlarmRule=rule, AlarmDescription="both")

    states = [_composite(cloudwatch, f"{name}-c")["StateValue"]]
    for child, value in (("a", "ALARM"), ("b", "ALARM"), ("b", "OK")):
        _set(cloudwatch, f"{name}-{child}", value)
        states.append(_composite(cloudwatch, f"{name}-c")["StateValue"])

    assert states == ["OK", "ALARM", "OK", "ALARM"]
    alarm = _composite(cloudwatch, f"{name}-c")
    assert (alarm["AlarmRule"], alarm["AlarmDescription"]) == (rule, "both")
    assert f"alarm:{name}-b transitioned to OK at" in alarm["StateReason"]
    [triggering] = json.loads(alarm["StateReasonData"])["triggeringAlarms"]
    assert triggering["arn"].endswith(f"{name}-a")


def test_a_composite_alarm_sees_that_a_child_is_gone(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, f"{name}-a")
    _set(cloudwatch, f"{name}-a", "ALARM")
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-c", AlarmRule=f"ALARM({name}-a)")
    before = _composite(cloudwatch, f"{name}-c")["StateValue"]

    cloudwatch.delete_alarms(AlarmNames=[f"{name}-a"])

    after = _composite(cloudwatch, f"{name}-c")
    assert (before, after["StateValue"]) == ("ALARM", "OK")
    assert after["StateReason"].endswith(f"alarm:{name}-a was deleted")


def test_the_family_of_a_composite_alarm(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, f"{name}-a")
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-b", AlarmRule=f"ALARM({name}-a)")
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-c", AlarmRule=f"OK({name}-b) OR ALARM({name}-a)")

    children = cloudwatch.describe_alarms(ChildrenOfAlarmName=f"{name}-c")
    parents = cloudwatch.describe_alarms(ParentsOfAlarmName=f"{name}-a")

    assert [each["AlarmName"] for each in children["MetricAlarms"]] == [f"{name}-a"]
    assert set(children["CompositeAlarms"][0]) == {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}
    assert [set(each) for each in parents["CompositeAlarms"]] == [{"AlarmName", "AlarmArn"}] * 2
    refused = refusal(cloudwatch.describe_alarms, ParentsOfAlarmName=f"{name}-a", StateValue="OK")
    assert refused.code == "ValidationError"


def test_put_composite_alarm_refuses(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name)
    put = cloudwatch.put_composite_alarm

    bad_rule = refusal(put, AlarmName=f"{name}-c", AlarmRule="BAD(x)")
    unknown = refusal(put, AlarmName=f"{name}-c", AlarmRule=f"ALARM({name}) OR ALARM({name}-none)")
    taken = refusal(put, AlarmName=name, AlarmRule="TRUE")
    half = refusal(put, AlarmName=f"{name}-c", AlarmRule="TRUE", ActionsSuppressor=name)

    assert bad_rule.code == "ValidationError"
    assert bad_rule.message == (
        "Error in AlarmRule [Unsupported token BAD must be: '(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or "
        "INSUFFICIENT_DATA]"
    )
    assert unknown.message == (
        f"Could not save the composite alarm as alarms [{name}-none] in the alarm rule do not exist"
    )
    assert "it is a MetricAlarm" in taken.message
    assert "ActionsSuppressorWaitPeriod" in half.message


def test_alarms_in_a_cycle_stay_as_they_are_and_cannot_be_deleted_until_it_is_broken(
    cloudwatch: Any, name: str
) -> None:
    first, second = f"{name}-1", f"{name}-2"
    cloudwatch.put_composite_alarm(AlarmName=first, AlarmRule="FALSE")
    cloudwatch.put_composite_alarm(AlarmName=second, AlarmRule=f"ALARM({first})")
    cloudwatch.put_composite_alarm(AlarmName=first, AlarmRule=f"ALARM({second}) OR TRUE")

    refused = refusal(cloudwatch.delete_alarms, AlarmNames=[first])

    assert _composite(cloudwatch, first)["StateValue"] == "OK"
    assert "is in a cycle" in refused.message
    cloudwatch.put_composite_alarm(AlarmName=first, AlarmRule="TRUE")
    assert _composite(cloudwatch, second)["StateValue"] == "ALARM"
    cloudwatch.delete_alarms(AlarmNames=[first])


def test_a_suppressor_in_alarm_holds_back_the_actions(cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, f"{name}-a")
    _put(cloudwatch, f"{name}-maintenance")
    _set(cloudwatch, f"{name}-maintenance", "ALARM")
    cloudwatch.put_composite_alarm(
        AlarmName=f"{name}-c",
        AlarmRule=f"ALARM({name}-a)",
        AlarmActions=[_TOPIC],
        ActionsSuppressor=f"{name}-maintenance",
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=0,
    )

    _set(cloudwatch, f"{name}-a", "ALARM")

    alarm = _composite(cloudwatch, f"{name}-c")
    assert (alarm["StateValue"], alarm["ActionsSuppressedBy"]) == ("ALARM", "Alarm")
    assert alarm["ActionsSuppressorWaitPeriod"] == 60
    _set(cloudwatch, f"{name}-maintenance", "OK")
    assert "ActionsSuppressedBy" not in _composite(cloudwatch, f"{name}-c")


def test_alarms_of_other_regions_are_apart(server: RunningServer, cloudwatch: Any, name: str) -> None:
    _put(cloudwatch, name)

    other = server.client("cloudwatch", region="eu-west-1")

    assert other.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    assert refusal(other.set_alarm_state, AlarmName=name, StateValue="OK", StateReason="x").status == 404


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_anomaly_detector", {"Namespace": "a", "MetricName": "b", "Stat": "Sum"}),
        ("describe_anomaly_detectors", {}),
        ("put_insight_rule", {"RuleName": "a", "RuleDefinition": "{}"}),
        ("describe_insight_rules", {}),
        ("put_metric_stream", {"Name": "a", "FirehoseArn": "b", "RoleArn": "c", "OutputFormat": "json"}),
        ("describe_alarm_contributors", {"AlarmName": "a"}),
    ],
)
def test_what_is_not_there_is_refused_by_name(cloudwatch: Any, operation: str, arguments: dict[str, Any]) -> None:
    refused = refusal(getattr(cloudwatch, operation), **arguments)

    assert refused.status == 400
    assert f"{operation.title().replace('_', '')} is not supported by Headgate" in refused.message


def _query(server: RunningServer, action: str, **fields: str) -> Answer:
    """One request of the query protocol, as Terraform makes it."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, Signature=x",
    }
    named = {key.replace("__", "."): value for key, value in fields.items()}
    return fetch(server.url, "POST", urlencode({"Action": action, "Version": "2010-08-01", **named}).encode(), headers)


def test_terraform_s_requests_in_the_query_protocol(server: RunningServer, cloudwatch: Any, name: str) -> None:
    put = _query(
        server,
        "PutMetricAlarm",
        AlarmName=name,
        ActionsEnabled="true",
        AlarmActions__member__1=_TOPIC,
        AlarmDescription="",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Dimensions__member__1__Name="ApiName",
        Dimensions__member__1__Value="orders",
        EvaluationPeriods="2",
        InsufficientDataActions="",
        MetricName="5XXError",
        Namespace="AWS/ApiGateway",
        OKActions="",
        Period="60",
        Statistic="Average",
        Tags__member__1__Key="team",
        Tags__member__1__Value="a",
        Threshold="0.05",
        TreatMissingData="missing",
    )
    described = _query(server, "DescribeAlarms", AlarmNames__member__1=name, AlarmTypes__member__1="MetricAlarm")
    arn = f"arn:aws:cloudwatch:us-east-1:{_ACCOUNT}:alarm:{name}"
    tags = _query(server, "ListTagsForResource", ResourceARN=arn)
    deleted = _query(server, "DeleteAlarms", AlarmNames__member__1=name)

    assert [each.status for each in (put, described, tags, deleted)] == [200] * 4
    text = described.body.decode()
    assert f"<AlarmArn>{arn}</AlarmArn>" in text
    assert re.findall("<(?:Threshold|EvaluationPeriods|TreatMissingData)>(.*?)<", text) == ["2", "0.05", "missing"]
    assert "<Name>ApiName</Name><Value>orders</Value>" in text
    assert "<CompositeAlarms></CompositeAlarms>" in text
    assert "<Key>team</Key><Value>a</Value>" in tags.body.decode()
    refused = _query(server, "SetAlarmState", AlarmName=name, StateValue="OK", StateReason="x")
    assert (refused.status, b"<Code>ResourceNotFound</Code>" in refused.body) == (404, True)
