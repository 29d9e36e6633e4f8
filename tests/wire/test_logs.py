"""CloudWatch Logs through boto3."""

import base64
import json
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from support.apis import Refused, fields, refusal, status
from support.functions import create_function
from support.server import RunningServer

_DAY_MS = 86_400_000
_WAIT_S = 60
_ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"
_NO_GROUP = Refused("ResourceNotFoundException", "The specified log group does not exist.", 400)
_NO_STREAM = Refused("ResourceNotFoundException", "The specified log stream does not exist.", 400)
_BAD_TOKEN = Refused("InvalidParameterException", "The specified nextToken is invalid.", 400)


class Group:
    """A new log group with one stream, `s`."""

    def __init__(self, server: RunningServer) -> None:
        self.client = server.client("logs")
        self.name = f"/test/{uuid4().hex}"
        self.now_ms = int(time.time() * 1000)
        self.client.create_log_group(logGroupName=self.name)
        self.stream("s")

    def stream(self, name: str) -> None:
        self.client.create_log_stream(logGroupName=self.name, logStreamName=name)

    def put(self, *messages: str, stream: str = "s", at_ms: int | None = None) -> Any:
        """Messages a millisecond apart; the answer."""
        first = self.now_ms if at_ms is None else at_ms
        events = [{"timestamp": first + number, "message": message} for number, message in enumerate(messages)]
        return self.client.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=events)

    def get(self, **options: Any) -> Any:
        return self.client.get_log_events(logGroupName=self.name, logStreamName="s", **options)

    def filter(self, pattern: str = "", **options: Any) -> list[str]:
        """The messages of all pages."""
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=self.name, filterPattern=pattern, **options
        )
        return [event["message"] for page in pages for event in page["events"]]

    def query(self, text: str) -> list[dict[str, str]]:
        """The rows of a query's answer."""
        at_s = self.now_ms // 1000
        query = self.client.start_query(
            logGroupName=self.name, startTime=at_s - 60, endTime=at_s + 60, queryString=text
        )["queryId"]
        answer = _result(self.client, query)
        assert answer["status"] == "Complete"
        return [{each["field"]: each["value"] for each in row} for row in answer["results"]]


def _result(client: Any, query: str) -> Any:
    """A query's answer when it is over."""
    deadline = time.monotonic() + _WAIT_S
    while (answer := client.get_query_results(queryId=query))["status"] in {"Scheduled", "Running"}:
        assert time.monotonic() < deadline, answer
    return answer


def _messages(page: Any) -> list[str]:
    return [event["message"] for event in page["events"]]


@pytest.fixture
def group(server: RunningServer) -> Group:
    return Group(server)


# Groups.


def test_a_group_is_shown_as_it_was_made(server: RunningServer) -> None:
    logs = server.client("logs")
    name = f"/made/{uuid4().hex}"
    before = int(time.time() * 1000)

    logs.create_log_group(logGroupName=name, tags={"team": "orders"}, logGroupClass="INFREQUENT_ACCESS")

    [shown] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert before <= shown.pop("creationTime") <= int(time.time() * 1000)
    assert shown == {
        "logGroupName": name,
        "metricFilterCount": 0,
        "arn": f"{_ARN}{name}:*",
        "logGroupArn": f"{_ARN}{name}",
        "storedBytes": 0,
        "logGroupClass": "INFREQUENT_ACCESS",
        "deletionProtectionEnabled": False,
    }
    assert logs.list_tags_for_resource(resourceArn=f"{_ARN}{name}")["tags"] == {"team": "orders"}
    assert refusal(logs.create_log_group, logGroupName=name) == Refused(
        "ResourceAlreadyExistsException", "The specified log group already exists", 400
    )


def test_a_deleted_group_is_gone_with_its_events(group: Group) -> None:
    group.put("one")

    group.client.delete_log_group(logGroupName=group.name)

    assert refusal(group.client.delete_log_group, logGroupName=group.name) == _NO_GROUP
    assert refusal(group.get) == _NO_GROUP
    group.client.create_log_group(logGroupName=group.name)
    group.stream("s")
    assert group.filter() == []


def test_groups_are_listed_by_prefix_or_pattern_in_pages(server: RunningServer) -> None:
    logs = server.client("logs")
    base = f"list{uuid4().hex}"
    names = [f"{base}/{number:02d}" for number in range(5)]
    for name in [*reversed(names), f"other/{base}"]:
        logs.create_log_group(logGroupName=name)

    first = logs.describe_log_groups(logGroupNamePrefix=base, limit=2)
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=base, PaginationConfig={"PageSize": 2}
    )

    assert [each["logGroupName"] for each in first["logGroups"]] == names[:2]
    assert [each["logGroupName"] for page in pages for each in page["logGroups"]] == names
    by_pattern = logs.describe_log_groups(logGroupNamePattern=base)["logGroups"]
    assert [each["logGroupName"] for each in by_pattern] == [*names, f"other/{base}"]
    by_identifier = logs.describe_log_groups(logGroupIdentifiers=[names[3], f"{_ARN}{names[1]}"])["logGroups"]
    assert [each["logGroupName"] for each in by_identifier] == [names[1], names[3]]
    assert refusal(logs.describe_log_groups, logGroupNamePrefix="a", logGroupNamePattern="b") == Refused(
        "InvalidParameterException",
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        400,
    )
    assert refusal(logs.describe_log_groups, nextToken="no token") == _BAD_TOKEN


def test_a_group_belongs_to_its_account_and_region(server: RunningServer, group: Group) -> None:
    others = [server.client("logs", "eu-west-1"), server.client("logs", access_key="111111111111")]

    for other in others:
        assert refusal(other.get_log_events, logGroupName=group.name, logStreamName="s") == _NO_GROUP
        assert refusal(other.list_tags_for_resource, resourceArn=_ARN + group.name) == _NO_GROUP


def test_retention_is_set_shown_and_taken_away(group: Group) -> None:
    group.client.put_retention_policy(logGroupName=group.name, retentionInDays=7)
    [shown] = group.client.describe_log_groups(logGroupNamePrefix=group.name)["logGroups"]
    assert shown["retentionInDays"] == 7

    group.client.delete_retention_policy(logGroupName=group.name)
    [shown] = group.client.describe_log_groups(logGroupNamePrefix=group.name)["logGroups"]
    assert "retentionInDays" not in shown

    assert refusal(group.client.put_retention_policy, logGroupName=group.name, retentionInDays=4).message.startswith(
        "1 validation error detected: Value '4' at 'retentionInDays' failed to satisfy constraint: Member must satisfy "
        "enum value set: [1, 3, 5, 7, "
    )


def test_events_beyond_the_retention_are_out_of_sight_at_once_and_taken_no_more(group: Group) -> None:
    group.put("old", at_ms=group.now_ms - 4 * _DAY_MS)
    group.put("new")
    group.client.put_retention_policy(logGroupName=group.name, retentionInDays=3)

    assert group.filter() == ["new"]
    assert _messages(group.get(startFromHead=True)) == ["new"]
    answer = group.put("expired", at_ms=group.now_ms - 4 * _DAY_MS)
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}


def test_a_protected_group_is_not_deleted(group: Group) -> None:
    group.client.put_log_group_deletion_protection(logGroupIdentifier=group.name, deletionProtectionEnabled=True)

    assert refusal(group.client.delete_log_group, logGroupName=group.name).code == "ValidationException"

    group.client.put_log_group_deletion_protection(logGroupIdentifier=group.name, deletionProtectionEnabled=False)
    group.client.delete_log_group(logGroupName=group.name)


def test_tags_by_name_and_by_arn_are_the_same_tags(group: Group) -> None:
    logs, arn = group.client, _ARN + group.name
    logs.tag_log_group(logGroupName=group.name, tags={"a": "1", "b": "2"})
    logs.tag_resource(resourceArn=arn, tags={"b": "3", "c": "4"})
    assert logs.list_tags_log_group(logGroupName=group.name)["tags"] == {"a": "1", "b": "3", "c": "4"}

    logs.untag_log_group(logGroupName=group.name, tags=["a"])
    logs.untag_resource(resourceArn=arn, tagKeys=["c"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "3"}

    many = {str(number): "x" for number in range(50)}
    assert refusal(logs.tag_resource, resourceArn=arn, tags=many).code == "TooManyTagsException"
    assert refusal(logs.tag_resource, resourceArn=arn, tags={"aws:x": "y"}).code == "InvalidParameterException"
    assert refusal(logs.list_tags_for_resource, resourceArn=f"{_ARN}absent").code == "ResourceNotFoundException"


# Streams.


def test_a_stream_is_shown_with_the_times_of_its_events(group: Group) -> None:
    [empty] = group.client.describe_log_streams(logGroupName=group.name)["logStreams"]
    assert {"firstEventTimestamp", "lastEventTimestamp", "lastIngestionTime"}.isdisjoint(empty)

    group.put("b", "c")
    group.put("a", at_ms=group.now_ms - 1000)

    [shown] = group.client.describe_log_streams(logGroupName=group.name)["logStreams"]
    assert shown["firstEventTimestamp"] == group.now_ms - 1000
    assert shown["lastEventTimestamp"] == group.now_ms + 1
    assert shown["lastIngestionTime"] >= group.now_ms
    assert shown["arn"] == f"{_ARN}{group.name}:log-stream:s"
    assert refusal(group.stream, name="s") == Refused(
        "ResourceAlreadyExistsException", "The specified log stream already exists", 400
    )


def test_streams_are_listed_by_name_or_last_event_in_both_directions_and_in_pages(group: Group) -> None:
    group.client.delete_log_stream(logGroupName=group.name, logStreamName="s")
    for at, name in enumerate(["c", "a", "b"]):
        group.stream(name)
        group.put("x", stream=name, at_ms=group.now_ms + at)

    def listed(**options: Any) -> list[str]:
        pages = group.client.get_paginator("describe_log_streams").paginate(
            logGroupName=group.name, PaginationConfig={"PageSize": 1}, **options
        )
        return [each["logStreamName"] for page in pages for each in page["logStreams"]]

    assert listed() == ["a", "b", "c"]
    assert listed(descending=True) == ["c", "b", "a"]
    assert listed(logStreamNamePrefix="b") == ["b"]
    assert listed(orderBy="LastEventTime") == ["c", "a", "b"]
    assert listed(orderBy="LastEventTime", descending=True) == ["b", "a", "c"]
    assert refusal(
        group.client.describe_log_streams,
        logGroupName=group.name,
        orderBy="LastEventTime",
        logStreamNamePrefix="a",
    ) == Refused(
        "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.", 400
    )  # fmt: skip


def test_a_deleted_stream_takes_its_events_with_it(group: Group) -> None:
    group.stream("other")
    group.put("kept", stream="other")
    group.put("gone")

    group.client.delete_log_stream(logGroupName=group.name, logStreamName="s")

    assert group.filter() == ["kept"]
    assert refusal(group.get) == _NO_STREAM
    group.stream("s")
    assert _messages(group.get()) == []


# Putting events.


def test_a_batch_may_have_a_megabyte_with_26_bytes_more_for_each_event(group: Group) -> None:
    group.put("x" * (1_048_576 - 26))

    with pytest.raises(group.client.exceptions.InvalidParameterException, match="Upload too large: 1048577 bytes"):
        group.put("ä" + "x" * (1_048_576 - 27))
    with pytest.raises(group.client.exceptions.InvalidParameterException, match="exceeds limit of 1048576"):
        group.put(*["x" * 100] * 9_000)


def test_events_must_be_in_order_and_within_a_day(group: Group) -> None:
    def put(*at_ms: int) -> Refused:
        events = [{"timestamp": group.now_ms + at, "message": "x"} for at in at_ms]
        return refusal(group.client.put_log_events, logGroupName=group.name, logStreamName="s", logEvents=events)

    assert put(0, -1).message == "Log events in a single PutLogEvents request must be in chronological order."
    assert put(-_DAY_MS - 1, 0).message == (
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
    )
    assert put(0, *[1] * 10_000).message.startswith("1 validation error detected: Value ")
    assert group.filter() == []


def test_events_too_old_or_too_new_are_told_and_the_others_taken(group: Group) -> None:
    hour = 3_600_000
    old = [{"timestamp": group.now_ms - 14 * _DAY_MS + at * hour, "message": str(at)} for at in (-2, -1, 1)]
    new = [{"timestamp": group.now_ms + at * hour, "message": str(at)} for at in (1, 3, 4)]

    put = group.client.put_log_events
    with_old = put(logGroupName=group.name, logStreamName="s", logEvents=old, sequenceToken="ignored")
    with_new = put(logGroupName=group.name, logStreamName="s", logEvents=new)

    assert with_old["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert with_new["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert group.filter() == ["1", "1"]


def test_events_go_to_a_stream_that_is_there(group: Group) -> None:
    with pytest.raises(group.client.exceptions.ResourceNotFoundException, match="log stream does not exist"):
        group.put("x", stream="absent")


# Reading events.


def test_pages_go_forward_to_the_end_where_the_token_stays(group: Group) -> None:
    group.put(*(str(number) for number in range(5)))

    first = group.get(startFromHead=True, limit=2)
    second = group.get(nextToken=first["nextForwardToken"], limit=2)
    third = group.get(nextToken=second["nextForwardToken"], limit=2)
    end = group.get(nextToken=third["nextForwardToken"], limit=2)

    assert [_messages(page) for page in (first, second, third, end)] == [["0", "1"], ["2", "3"], ["4"], []]
    assert end["nextForwardToken"] == third["nextForwardToken"]
    group.put("5", at_ms=group.now_ms + 10)
    assert _messages(group.get(nextToken=end["nextForwardToken"])) == ["5"]
    assert _messages(group.get(nextToken=end["nextBackwardToken"], limit=2)) == ["3", "4"]


def test_pages_go_backward_from_the_latest_to_the_beginning_where_the_token_stays(group: Group) -> None:
    group.put(*(str(number) for number in range(5)))

    last = group.get(limit=2)
    before = group.get(nextToken=last["nextBackwardToken"], limit=2)
    first = group.get(nextToken=before["nextBackwardToken"], limit=2)
    end = group.get(nextToken=first["nextBackwardToken"], limit=2)

    assert [_messages(page) for page in (last, before, first, end)] == [["3", "4"], ["1", "2"], ["0"], []]
    assert end["nextBackwardToken"] == first["nextBackwardToken"]
    assert _messages(group.get(nextToken=end["nextForwardToken"], limit=2)) == ["0", "1"]


def test_a_stream_s_events_are_within_their_times(group: Group) -> None:
    group.put("0", "1", "2")

    assert _messages(group.get(startTime=group.now_ms + 1, endTime=group.now_ms + 2)) == ["1"]
    assert _messages(
        group.client.get_log_events(logGroupIdentifier=f"{_ARN}{group.name}", logStreamName="s", limit=1)
    ) == ["2"]
    assert refusal(group.get, nextToken="f/1/s") == _BAD_TOKEN
    assert refusal(group.get, nextToken=f"f/{'9' * 56}/s") == _BAD_TOKEN


def test_a_page_has_a_megabyte_at_most(group: Group) -> None:
    for number in range(3):
        group.put(str(number) * 500_000, at_ms=group.now_ms + number)

    assert [message[0] for message in _messages(group.get(startFromHead=True))] == ["0", "1"]
    assert [message[0] for message in _messages(group.get())] == ["1", "2"]
    assert [message[0] for message in group.filter()] == ["0", "1", "2"]


def test_a_filter_reads_all_streams_interleaved_or_the_named_ones(group: Group) -> None:
    for name in ("a1", "a2"):
        group.stream(name)
    group.put("0", stream="a1", at_ms=group.now_ms)
    group.put("1", stream="a2", at_ms=group.now_ms + 1)
    group.put("2", stream="a1", at_ms=group.now_ms + 2)
    group.put("3", stream="s", at_ms=group.now_ms + 3)

    assert group.filter() == ["0", "1", "2", "3"]
    assert group.filter(logStreamNames=["a1"]) == ["0", "2"]
    assert group.filter(logStreamNames=["a1", "s"]) == ["0", "2", "3"]
    assert group.filter(logStreamNamePrefix="a") == ["0", "1", "2"]
    assert group.filter(startTime=group.now_ms + 1, endTime=group.now_ms + 2) == ["1", "2"]
    assert group.filter(PaginationConfig={"PageSize": 1}) == ["0", "1", "2", "3"]
    assert group.filter(startFromHead=False, PaginationConfig={"PageSize": 3}) == ["3", "2", "1", "0"]
    [event] = group.client.filter_log_events(logGroupName=group.name, limit=1)["events"]
    assert (event["logStreamName"], event["timestamp"], len(event["eventId"])) == ("a1", group.now_ms, 56)
    both = {"logStreamNames": ["a1"], "logStreamNamePrefix": "a"}
    assert refusal(group.filter, **both).message == (
        "Only one of logStreamNames or logStreamNamePrefix can be provided."
    )
    assert refusal(group.filter, logStreamNames=["absent"]) == _NO_STREAM


def test_a_filter_pattern_chooses_and_one_that_is_none_is_refused(group: Group) -> None:
    group.put('{"n": 1, "user": "ann"}', '{"n": 7, "user": "bob"}', "an ERROR")

    assert group.filter("ERROR") == ["an ERROR"]
    assert group.filter('{ $.n > 3 && $.user = "b*" }') == ['{"n": 7, "user": "bob"}']
    assert refusal(group.filter, pattern="a.b").message == "Invalid character(s) in term 'a.b'"
    assert refusal(group.filter, pattern="{ $.a > x }").message.startswith("Invalid metric filter pattern: ")


# Metric filters.


def test_metric_filters_are_kept_shown_changed_and_deleted(group: Group) -> None:
    logs = group.client
    latency = {"metricName": "Latency", "metricNamespace": group.name, "metricValue": "$.ms", "unit": "Milliseconds"}
    count = {"metricName": "Count", "metricNamespace": group.name, "metricValue": "1", "defaultValue": 0.0}

    def put(name: str, pattern: str, transformation: Any) -> None:
        logs.put_metric_filter(
            logGroupName=group.name, filterName=name, filterPattern=pattern, metricTransformations=[transformation]
        )

    put("latency", "{ $.ms = * }", latency)
    put("count", "old", count)
    put("count", "", count)

    shown = logs.describe_metric_filters(logGroupName=group.name)["metricFilters"]
    assert [
        (each["filterName"], each["filterPattern"], each["metricTransformations"], each["logGroupName"])
        for each in shown
    ] == [("count", "", [count], group.name), ("latency", "{ $.ms = * }", [latency], group.name)]
    by_metric = logs.describe_metric_filters(metricName="Latency", metricNamespace=group.name)["metricFilters"]
    assert [each["filterName"] for each in by_metric] == ["latency"]
    assert logs.describe_log_groups(logGroupNamePrefix=group.name)["logGroups"][0]["metricFilterCount"] == 2
    first = logs.describe_metric_filters(logGroupName=group.name, limit=1)
    second = logs.describe_metric_filters(logGroupName=group.name, limit=1, nextToken=first["nextToken"])
    assert [each["filterName"] for each in second["metricFilters"]] == ["latency"]
    assert "nextToken" not in second

    logs.delete_metric_filter(logGroupName=group.name, filterName="count")
    assert refusal(logs.delete_metric_filter, logGroupName=group.name, filterName="count") == Refused(
        "ResourceNotFoundException", "The specified metric filter does not exist.", 400
    )


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        ("{ $.ms > x }", {}),
        ("ERROR", {"metricValue": "$.ms"}),
        ("{ $.ms = * }", {"metricValue": "many"}),
        ("{ $.ms = * }", {"dimensions": {"user": "ann"}}),
        ("{ $.ms = * }", {"dimensions": {"user": "$.user"}, "defaultValue": 0.0}),
        ("{ $.ms = * }", {"dimensions": {name: f"$.{name}" for name in "abcd"}}),
        ("{ $.ms = * }", {"metricNamespace": "AWS/Orders"}),
    ],
)
def test_a_metric_filter_that_could_make_no_value_is_refused(group: Group, pattern: str, changed: Any) -> None:
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1", **changed}

    refused = refusal(
        group.client.put_metric_filter,
        logGroupName=group.name,
        filterName="f",
        filterPattern=pattern,
        metricTransformations=[transformation],
    )

    assert (refused.code, refused.status) == ("InvalidParameterException", 400)
    assert group.client.describe_metric_filters(logGroupName=group.name)["metricFilters"] == []


def test_a_metric_filter_is_tested_without_being_made(server: RunningServer) -> None:
    tested = server.client("logs").test_metric_filter(
        filterPattern="[ip, ..., status = 4*]", logEventMessages=["1.2.3.4 GET / 404", "1.2.3.4 GET / 200"]
    )

    assert fields(tested) == {
        "matches": [
            {
                "eventNumber": 1,
                "eventMessage": "1.2.3.4 GET / 404",
                "extractedValues": {"$ip": "1.2.3.4", "$2": "GET", "$3": "/", "$status": "404"},
            }
        ]
    }


# Subscription filters.

_FORWARD = """
import base64, gzip, json
def handle(event, context):
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    print("DELIVERED " + json.dumps(data))
"""


def _subscribe(group: Group, function_arn: str, name: str = "to-function", pattern: str = "") -> Any:
    return group.client.put_subscription_filter(
        logGroupName=group.name, filterName=name, filterPattern=pattern, destinationArn=function_arn
    )


def test_a_subscribed_function_is_given_what_matches(server: RunningServer, group: Group) -> None:
    name = f"receiver-{uuid4().hex}"
    arn = create_function(server, name, _FORWARD)
    refused = refusal(lambda **_: _subscribe(group, arn))
    assert refused.message.startswith("Could not execute the lambda function. Make sure you have given CloudWatch Logs")
    server.client("lambda").add_permission(
        FunctionName=name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"{_ARN}{group.name}:*",
    )

    _subscribe(group, arn, pattern="{ $.level = ERROR }")
    group.put('{"level": "INFO"}', '{"level": "ERROR", "n": 1}', '{"level": "ERROR", "n": 2}')

    # The delivery is seen in the function's own log, which is asked for until it is there.
    found: list[Any] = []
    deadline = time.monotonic() + _WAIT_S
    while not found:
        assert time.monotonic() < deadline
        try:
            found = group.client.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="DELIVERED")[
                "events"
            ]
        except group.client.exceptions.ResourceNotFoundException:
            continue
    [delivered] = [json.loads(event["message"].removeprefix("DELIVERED ")) for event in found]
    events = delivered.pop("logEvents")
    assert delivered == {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": group.name,
        "logStream": "s",
        "subscriptionFilters": ["to-function"],
    }
    assert [(event["timestamp"] - group.now_ms, json.loads(event["message"])["n"]) for event in events] == [
        (1, 1),
        (2, 2),
    ]
    shown = group.client.describe_subscription_filters(logGroupName=group.name)["subscriptionFilters"]
    assert [(each["filterName"], each["destinationArn"], each["distribution"]) for each in shown] == [
        ("to-function", arn, "ByLogStream")
    ]


def test_a_group_has_two_subscriptions_at_most(server: RunningServer, group: Group) -> None:
    name = f"receiver-{uuid4().hex}"
    arn = create_function(server, name, "def handle(event, context): pass")
    server.client("lambda").add_permission(
        FunctionName=name, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.us-east-1.amazonaws.com"
    )
    for number in range(2):
        _subscribe(group, arn, f"f{number}")

    refused = refusal(lambda **_: _subscribe(group, arn, "f2"))

    assert refused == Refused("LimitExceededException", "Resource limit exceeded.", 400)
    group.client.delete_subscription_filter(logGroupName=group.name, filterName="f0")
    shown = group.client.describe_subscription_filters(logGroupName=group.name)["subscriptionFilters"]
    assert [each["filterName"] for each in shown] == ["f1"]
    assert refusal(group.client.delete_subscription_filter, logGroupName=group.name, filterName="f0") == Refused(
        "ResourceNotFoundException", "The specified subscription filter does not exist.", 400
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:000000000000:function:absent",
        "arn:aws:kinesis:us-east-1:000000000000:stream/s",
        "no arn",
    ],
)
def test_a_destination_that_cannot_be_delivered_to_is_refused(group: Group, arn: str) -> None:
    refused = refusal(lambda **_: _subscribe(group, arn))

    assert (refused.code, refused.status) == ("InvalidParameterException", 400)


# Queries.


def test_a_query_answers_with_its_rows_and_what_it_read(group: Group) -> None:
    group.put(*(json.dumps({"n": number, "user": "ab"[number % 2]}) for number in range(6)), "no json")

    rows = group.query("filter n > 1 | stats count(*) as calls, max(n) by user | sort user")
    latest = group.query("fields n | limit 2")

    assert rows == [{"user": "a", "calls": "2", "max(n)": "4"}, {"user": "b", "calls": "2", "max(n)": "5"}]
    assert [row.get("n") for row in latest] == [None, "5"]  # the newest first
    record = group.client.get_log_record(logRecordPointer=latest[1]["@ptr"])["logRecord"]
    assert (record["n"], record["user"], record["@logStream"]) == ("5", "b", "s")


def test_a_query_is_listed_with_its_status_and_statistics(group: Group) -> None:
    group.put("one", "two")
    at_s = group.now_ms // 1000
    query = group.client.start_query(
        logGroupNames=[group.name], startTime=at_s - 60, endTime=at_s + 60, queryString="filter @message like 'o'"
    )["queryId"]

    answer = _result(group.client, query)
    listed = group.client.describe_queries(logGroupName=group.name)["queries"]

    statistics = answer["statistics"]
    assert (statistics["recordsMatched"], statistics["recordsScanned"], statistics["bytesScanned"]) == (2, 2, 6)
    assert [(each["queryId"], each["status"]) for each in listed] == [(query, "Complete")]
    assert refusal(group.client.stop_query, queryId=query).message == (
        "Query provided in the request has already ended."
    )
    assert refusal(group.client.get_query_results, queryId="absent").code == "ResourceNotFoundException"


def test_a_query_that_is_none_is_refused_with_its_place(group: Group) -> None:
    with pytest.raises(group.client.exceptions.MalformedQueryException) as refused:
        group.query("fields a | select b")

    assert refused.value.response["queryCompileError"]["location"] == {"startCharOffset": 11, "endCharOffset": 17}


def test_a_query_that_would_run_for_ever_is_stopped_and_harms_nobody(group: Group) -> None:
    group.put("a" * 60 + "b")
    at_s = group.now_ms // 1000
    query = group.client.start_query(
        logGroupName=group.name,
        startTime=at_s - 60,
        endTime=at_s + 60,
        queryString="filter @message like /^(a+)+$/",
    )["queryId"]
    deadline = time.monotonic() + _WAIT_S
    while group.client.get_query_results(queryId=query)["status"] == "Scheduled":
        assert time.monotonic() < deadline

    assert group.client.stop_query(queryId=query)["success"] is True

    assert group.client.get_query_results(queryId=query)["status"] == "Cancelled"


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


_BIG = 2**63 - 1


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("get_log_events", {"startTime": _BIG, "endTime": _BIG, "logStreamName": "s"}),
        ("filter_log_events", {"startTime": _BIG, "endTime": _BIG}),
        ("filter_log_events", {"nextToken": _token("head:" + "9" * 56)}),
        ("filter_log_events", {"nextToken": _token("head:\u00b2")}),
        ("describe_log_streams", {"nextToken": _token("name:\0"), "descending": True}),
        ("describe_log_streams", {"nextToken": _token(f"time:{10**30}/1"), "orderBy": "LastEventTime"}),
        ("describe_metric_filters", {"nextToken": _token("metric-filters:x")}),
        ("describe_subscription_filters", {"nextToken": "\u00e4"}),
        ("start_query", {"startTime": _BIG, "endTime": _BIG, "queryString": "limit 1"}),
        ("put_log_events", {"logStreamName": "s", "logEvents": [{"timestamp": _BIG, "message": "a\0b"}]}),
    ],
    ids=str,
)
def test_no_time_and_no_token_fails_the_server(group: Group, operation: str, options: Any) -> None:
    try:
        answer = getattr(group.client, operation)(logGroupName=group.name, **options)
    except ClientError as error:
        answer = error.response

    assert status(answer) in {200, 400}


@pytest.mark.parametrize("pointer", [str(10**30), str(-(10**30)), "x", ""])
def test_a_pointer_to_no_record_is_refused(group: Group, pointer: str) -> None:
    refused = refusal(group.client.get_log_record, logRecordPointer=_token(pointer))

    assert refused.status == 400


def test_an_operation_that_is_not_there_is_refused_and_not_sent_to_the_bridge(server: RunningServer) -> None:
    assert refusal(server.client("logs").describe_export_tasks) == Refused(
        "UnsupportedOperationException",
        "Amazon CloudWatch Logs: DescribeExportTasks is not supported by Headgate.",
        400,
    )
