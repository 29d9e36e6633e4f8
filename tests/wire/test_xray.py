"""X-Ray through boto3: segments, searches, graphs, sampling, groups, tags and the encryption configuration."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from support.apis import Refused, fields, refusal
from support.lambdas import a_function, invoke
from support.server import RunningServer, running

_WAIT_S = 60
_BEGAN = float(int(time.time()) - 60)


@pytest.fixture
def xray(server: RunningServer) -> Any:
    return server.client("xray")


@pytest.fixture(scope="module")
def own() -> Iterator[Any]:
    """A client of a server that holds nothing but what a module's tests of lists and graphs put there."""
    with running("--ephemeral") as started:
        yield started.client("xray")


def _trace_id(number: int) -> str:
    return f"1-{int(_BEGAN):08x}-{number:024x}"


def _segment(trace: int, number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{number:016x}",
        "trace_id": _trace_id(trace),
        "name": "orders",
        "start_time": _BEGAN,
        "end_time": _BEGAN + 0.5,
        **changes,
    }


def _put(xray: Any, *segments: dict[str, Any]) -> Any:
    return fields(xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(each) for each in segments]))


def _found(xray: Any, expression: str = "", **options: Any) -> list[Any]:
    pages = xray.get_paginator("get_trace_summaries").paginate(
        StartTime=_BEGAN - 10, EndTime=_BEGAN + 10, FilterExpression=expression, **options
    )
    return [summary for page in pages for summary in page["TraceSummaries"]]


def test_segments_are_kept_and_read_back_and_a_bad_one_is_told_of(xray: Any) -> None:
    answer = _put(xray, _segment(1), {**_segment(2), "name": ""})

    assert [(each["Id"], each["ErrorCode"]) for each in answer["UnprocessedTraceSegments"]] == [
        (f"{1:016x}", "MissingName")
    ]
    read = fields(xray.batch_get_traces(TraceIds=[_trace_id(1), _trace_id(2)]))
    assert read["UnprocessedTraceIds"] == [_trace_id(2)]
    assert [(each["Id"], each["Duration"], each["LimitExceeded"]) for each in read["Traces"]] == [
        (_trace_id(1), 0.5, False)
    ]
    assert json.loads(read["Traces"][0]["Segments"][0]["Document"]) == _segment(1)


def test_an_unsigned_daemon_may_send_segments(server: RunningServer) -> None:
    import boto3

    unsigned: Any = boto3.client(
        "xray", region_name="us-east-1", endpoint_url=server.url, config=Config(signature_version=UNSIGNED)
    )

    assert _put(unsigned, _segment(3)) == {"UnprocessedTraceSegments": []}
    unsigned.close()


def test_more_than_five_traces_at_a_time_are_refused(xray: Any) -> None:
    assert refusal(xray.batch_get_traces, TraceIds=["x"] * 6) == Refused(
        "InvalidRequestException", "Too many trace ids: 6 given, at most 5 at a time.", 400
    )


def test_telemetry_of_a_daemon_is_taken(xray: Any) -> None:
    record = {"Timestamp": _BEGAN, "SegmentsReceivedCount": 3}

    assert fields(xray.put_telemetry_records(TelemetryRecords=[record])) == {}


def test_a_search_by_filter_expression(xray: Any) -> None:
    _put(
        xray,
        _segment(10, annotations={"request_id": "wire-10"}, http={"response": {"status": 500}}, fault=True),
        _segment(11, annotations={"request_id": "wire-11"}),
    )

    found = _found(xray, 'annotation.request_id BEGINSWITH "wire-" AND fault')

    assert [(each["Id"], each["HasFault"], each["Http"]["HttpStatus"]) for each in found] == [
        (_trace_id(10), True, 500)
    ]
    assert _found(xray, 'annotation.request_id = "wire-11"')[0]["Id"] == _trace_id(11)


def test_a_search_is_paged_and_newest_comes_first(own: Any) -> None:
    for first in range(0, 250, 50):
        _put(own, *(_segment(trace, start_time=_BEGAN + trace / 100) for trace in range(first, first + 50)))

    found = [each["Id"] for each in _found(own)]

    assert found == [_trace_id(number) for number in reversed(range(250))]
    half = _found(own, SamplingStrategy={"Name": "FixedRate", "Value": 0.0})
    assert half == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"FilterExpression": "speed > 3"}, "Invalid filter expression: unknown keyword 'speed' at 0; known are"),
        ({"EndTime": _BEGAN - 1}, "The start time must be before the end time."),
        ({"NextToken": "bogus"}, "Invalid NextToken."),
    ],
)
def test_a_search_that_is_refused(xray: Any, options: dict[str, Any], message: str) -> None:
    refused = refusal(xray.get_trace_summaries, **{"StartTime": _BEGAN, "EndTime": _BEGAN + 1, **options})

    assert (refused.code, refused.status) == ("InvalidRequestException", 400)
    assert refused.message.startswith(message)


def test_traces_of_other_accounts_and_regions_are_not_seen(server: RunningServer, xray: Any) -> None:
    _put(xray, _segment(20, annotations={"request_id": "mine"}))

    for other in (server.client("xray", "eu-west-1"), server.client("xray", access_key="111111111111")):
        assert _found(other, 'annotation.request_id = "mine"') == []
        assert other.batch_get_traces(TraceIds=[_trace_id(20)])["Traces"] == []


def _names(services: list[Any]) -> dict[str | None, list[str | None]]:
    """Each service with those that it calls."""
    by_number = {each["ReferenceId"]: each.get("Name") for each in services}
    return {each.get("Name"): [by_number[edge["ReferenceId"]] for edge in each["Edges"]] for each in services}


def test_graphs_of_traces_of_a_time_and_of_a_group(own: Any) -> None:
    call = {"id": f"{2:016x}", "name": "stock", "start_time": _BEGAN, "end_time": _BEGAN + 0.2, "namespace": "remote"}
    _put(
        own,
        _segment(900, name="shop", annotations={"group": "graph"}, subsegments=[call]),
        _segment(900, 3, name="stock", parent_id=f"{2:016x}"),
    )
    group = own.create_group(GroupName="graphed", FilterExpression='annotation.group = "graph"')["Group"]
    expected = {"shop": ["stock"], "stock": [], None: ["shop"]}

    traced = own.get_trace_graph(TraceIds=[_trace_id(900)])["Services"]
    by_name = own.get_service_graph(StartTime=_BEGAN - 1, EndTime=_BEGAN + 1, GroupName="graphed")
    by_arn = own.get_service_graph(StartTime=_BEGAN - 1, EndTime=_BEGAN + 1, GroupARN=group["GroupARN"])
    every = own.get_service_graph(StartTime=_BEGAN - 1, EndTime=_BEGAN + 1)

    assert _names(traced) == _names(by_name["Services"]) == _names(by_arn["Services"]) == expected
    assert "orders" not in _names(by_name["Services"])
    assert "shop" in _names(every["Services"])
    shop = next(each for each in traced if each.get("Name") == "shop")
    assert shop["SummaryStatistics"]["OkCount"] == 1
    assert shop["ResponseTimeHistogram"] == [{"Value": 0.5, "Count": 1}]


_RULE: dict[str, Any] = {
    "RuleName": "checkout",
    "ResourceARN": "*",
    "Priority": 10,
    "FixedRate": 0.5,
    "ReservoirSize": 4,
    "ServiceName": "shop",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "GET",
    "URLPath": "/checkout/*",
    "Version": 1,
    "Attributes": {},
}


def test_the_life_of_a_sampling_rule(own: Any) -> None:
    arn = "arn:aws:xray:us-east-1:000000000000:sampling-rule/checkout"

    made = own.create_sampling_rule(SamplingRule=_RULE, Tags=[{"Key": "team", "Value": "shop"}])["SamplingRuleRecord"]
    listed = own.get_sampling_rules()["SamplingRuleRecords"]
    changed = own.update_sampling_rule(SamplingRuleUpdate={"RuleARN": arn, "FixedRate": 0.25})["SamplingRuleRecord"]
    tags = own.list_tags_for_resource(ResourceARN=arn)["Tags"]
    deleted = own.delete_sampling_rule(RuleName="checkout")["SamplingRuleRecord"]

    assert made["SamplingRule"] == {**_RULE, "RuleARN": arn}
    assert [each["SamplingRule"]["RuleName"] for each in listed] == ["checkout", "Default"]
    assert changed["SamplingRule"] == {**_RULE, "RuleARN": arn, "FixedRate": 0.25}
    assert changed["ModifiedAt"] >= changed["CreatedAt"] == made["CreatedAt"]
    assert tags == [{"Key": "team", "Value": "shop"}]
    assert deleted["SamplingRule"]["FixedRate"] == 0.25
    assert [each["SamplingRule"]["RuleName"] for each in own.get_sampling_rules()["SamplingRuleRecords"]] == ["Default"]
    assert refusal(own.list_tags_for_resource, ResourceARN=arn).code == "ResourceNotFoundException"


def test_the_default_rule_may_be_made_stricter_and_no_more(server: RunningServer) -> None:
    client = server.client("xray", "eu-central-1")

    changed = client.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "FixedRate": 0.1})

    assert changed["SamplingRuleRecord"]["SamplingRule"]["FixedRate"] == 0.1
    assert client.get_sampling_rules()["SamplingRuleRecords"][0]["SamplingRule"]["FixedRate"] == 0.1
    assert refusal(
        client.update_sampling_rule, SamplingRuleUpdate={"RuleName": "Default", "Host": "x"}
    ).message.startswith("Host of the default rule cannot be changed")
    assert refusal(client.delete_sampling_rule, RuleName="Default").message == "The default rule cannot be deleted."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RuleName": "Default"}, "Sampling rule Default already exists."),
        ({"Version": 2}, "Version is 2; only 1 is supported"),
        ({"RuleARN": "arn"}, "A new rule has a RuleName and no RuleARN."),
        ({"SamplingRateBoost": {"MaxRate": 0.5, "CooldownWindowMinutes": 1}}, "SamplingRateBoost is not served"),
    ],
)
def test_a_rule_that_is_refused(xray: Any, changes: dict[str, Any], message: str) -> None:
    refused = refusal(xray.create_sampling_rule, SamplingRule={**_RULE, **changes})

    assert refused.code == "InvalidRequestException"
    assert refused.message.startswith(message)


def test_there_can_be_twenty_five_rules(server: RunningServer) -> None:
    client = server.client("xray", "ap-south-1")
    for number in range(25):
        client.create_sampling_rule(SamplingRule={**_RULE, "RuleName": f"rule-{number}"})

    assert refusal(client.create_sampling_rule, SamplingRule=_RULE).code == "RuleLimitExceededException"
    assert refusal(client.create_sampling_rule, SamplingRule={**_RULE, "RuleName": "rule-3"}).message.startswith(
        "Sampling rule rule-3 already exists"
    )


def test_a_client_is_given_its_share_of_a_rule_and_its_counts_are_shown(server: RunningServer) -> None:
    client = server.client("xray", "eu-west-2")
    client.create_sampling_rule(SamplingRule=_RULE)
    counts = {"Timestamp": time.time(), "RequestCount": 10, "SampledCount": 5, "BorrowCount": 1}

    answer = client.get_sampling_targets(
        SamplingStatisticsDocuments=[
            {"RuleName": "checkout", "ClientID": "a" * 24, **counts},
            {"RuleName": "gone", "ClientID": "a" * 24, **counts},
        ]
    )

    target = answer["SamplingTargetDocuments"][0]
    assert (target["RuleName"], target["FixedRate"], target["ReservoirQuota"], target["Interval"]) == (
        "checkout",
        0.5,
        4,
        10,
    )
    assert [each["RuleName"] for each in answer["UnprocessedStatistics"]] == ["gone"]
    summaries = client.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    shown = [(each["RuleName"], each["RequestCount"], each["SampledCount"], each["BorrowCount"]) for each in summaries]
    assert shown == [("checkout", 10, 5, 1)]


def test_the_life_of_a_group(xray: Any) -> None:
    made = xray.create_group(GroupName="slow", FilterExpression="responsetime > 5")["Group"]

    read = xray.get_group(GroupName="slow")["Group"]
    changed = xray.update_group(GroupARN=made["GroupARN"], FilterExpression="duration > 5")["Group"]
    listed = [each["GroupName"] for each in xray.get_groups()["Groups"]]
    xray.delete_group(GroupName="slow")

    assert read == made
    assert made["GroupARN"].startswith("arn:aws:xray:us-east-1:000000000000:group/slow/")
    assert (made["FilterExpression"], changed["FilterExpression"]) == ("responsetime > 5", "duration > 5")
    assert "slow" in listed
    assert refusal(xray.get_group, GroupName="slow").message == "Group slow not found."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"FilterExpression": "speed > 3"}, "Invalid filter expression: unknown keyword"),
        ({"GroupName": "Default"}, "Group Default already exists."),
        ({"InsightsConfiguration": {"InsightsEnabled": True}}, "InsightsConfiguration.InsightsEnabled is true"),
    ],
)
def test_a_group_that_is_refused(xray: Any, options: dict[str, Any], message: str) -> None:
    assert refusal(xray.create_group, **{"GroupName": "refused", **options}).message.startswith(message)


def test_tags_of_a_group(xray: Any) -> None:
    arn = xray.create_group(GroupName="tagged", Tags=[{"Key": "a", "Value": "1"}])["Group"]["GroupARN"]

    xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    both = xray.list_tags_for_resource(ResourceARN=arn)["Tags"]
    xray.untag_resource(ResourceARN=arn, TagKeys=["a"])
    one = xray.list_tags_for_resource(ResourceARN=arn)["Tags"]

    assert both == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    assert one == [{"Key": "b", "Value": "2"}]
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert refusal(xray.tag_resource, ResourceARN=arn, Tags=many).code == "TooManyTagsException"


def test_the_encryption_configuration_is_kept_and_shown(server: RunningServer) -> None:
    client = server.client("xray", "eu-north-1")

    before = client.get_encryption_config()["EncryptionConfig"]
    put = client.put_encryption_config(Type="KMS", KeyId="alias/traces")["EncryptionConfig"]

    assert before == {"Status": "ACTIVE", "Type": "NONE"}
    assert put == client.get_encryption_config()["EncryptionConfig"]
    assert put == {"Status": "ACTIVE", "Type": "KMS", "KeyId": "alias/traces"}
    assert refusal(client.put_encryption_config, Type="KMS").code == "InvalidRequestException"


def test_what_is_not_there_says_so(xray: Any) -> None:
    refused = refusal(xray.get_insight, InsightId="0" * 8 + "-0000-0000-0000-" + "0" * 12)

    assert (refused.code, refused.status) == ("UnsupportedOperationException", 400)


def test_segments_over_udp_are_of_the_account_whose_trace_they_are_in(server: RunningServer) -> None:
    told = a_function(server, "import os\ndef handle(event, context): return os.environ['AWS_XRAY_DAEMON_ADDRESS']\n")
    host, port = invoke(server, told).split(":")
    client = server.client("xray", "eu-west-1", "111111111111")
    _put(client, _segment(30))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in (b"nonsense", b'{"format": "json", "version": 1}\n' + json.dumps(_segment(30, 2)).encode()):
            sender.sendto(packet, (host, int(port)))

    deadline = time.monotonic() + _WAIT_S
    while len(segments := client.batch_get_traces(TraceIds=[_trace_id(30)])["Traces"][0]["Segments"]) < 2:
        assert time.monotonic() < deadline, segments

    assert {each["Id"] for each in segments} == {f"{1:016x}", f"{2:016x}"}
