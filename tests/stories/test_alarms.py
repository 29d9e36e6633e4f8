"""Alarms on live traffic, and those they tell: webhooks, functions, a topic's subscriptions; across a crash, too."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from support.apis import Api
from support.functions import create_function
from support.metrics import statistic
from support.receivers import WAIT_S, Posted, Receiver, receiving
from support.server import RunningServer, closing, start

_PERIOD_S: Final = 10


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def _start(folder: Path, receiver: Receiver) -> RunningServer:
    (folder / "headgate.toml").write_text(
        f'port = 0\ngateway_port = 0\ndata = "data"\n[alarm_webhooks]\noncall = "{receiver.url}/oncall?secret=1"\n'
    )
    return start(folder=folder)


def _watch(server: RunningServer, **options: Any) -> None:
    webhook = "arn:aws:headgate:::webhook/oncall"
    server.client("cloudwatch").put_metric_alarm(
        AlarmName="bad orders",
        **{
            "Namespace": "AWS/ApiGateway",
            "MetricName": "5XXError",
            "Dimensions": [{"Name": "ApiName", "Value": "orders"}],
            "Statistic": "Average",
            "Period": _PERIOD_S,
            "EvaluationPeriods": 1,
            "Threshold": 0.05,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "AlarmActions": [webhook],
            "OKActions": [webhook],
            **options,
        },
    )


def _orders(server: RunningServer) -> Api:
    api = Api(server)
    api.mock(api.resource("good"), body="good")
    api.mock(api.resource("bad"), body="bad", status=500)
    api.deploy("prod")
    return api


def _ask(api: Api, good: int, bad: int) -> tuple[datetime, datetime]:
    """Traffic; when it began and ended."""
    began = datetime.now(UTC)
    for number in range(good + bad):
        api.get(path="/bad" if number < bad else "/good")
    return began, datetime.now(UTC)


def _stored(server: RunningServer) -> float:
    """The requests that the metrics have: they are written when this is answered."""
    return statistic(server, "AWS/ApiGateway", "Count", ApiName="orders")


def _end_by_hand(server: RunningServer) -> None:
    server.client("cloudwatch").set_alarm_state(AlarmName="bad orders", StateValue="OK", StateReason="by hand")


def _state(posted: Posted) -> str:
    state: str = posted.json["detail"]["state"]["value"]
    return state


def _is(state: str) -> Any:
    return lambda posted: _state(posted) == state


def _assert_judged(alarm: Posted, began: datetime, ended: datetime) -> None:
    """The alarm is of a period in which the traffic was, and of no other."""
    data = json.loads(alarm.json["detail"]["state"]["reasonData"])
    [point] = data["evaluatedDatapoints"]
    at = datetime.fromisoformat(point["timestamp"])
    assert began - timedelta(seconds=_PERIOD_S) < at <= ended
    assert at.timestamp() % _PERIOD_S == 0
    assert point["value"] >= 0.05
    assert alarm.json["detail"]["previousState"]["value"] in {"OK", "INSUFFICIENT_DATA"}


def test_traffic_turns_bad_and_the_webhook_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    with closing(_start(tmp_path, receiver)) as server:
        api = _orders(server)
        _watch(server)

        began, ended = _ask(api, good=19, bad=1)
        alarm = receiver.next(_is("ALARM"))
        _end_by_hand(server)
        afterwards = receiver.until(_is("OK"))

        _assert_judged(alarm, began, ended)
        assert len(afterwards) == 1  # nothing came twice
        assert alarm.path == "/oncall?secret=1"
        assert alarm.json["id"] == alarm.headers["x-headgate-state-change-id"]
        assert alarm.json["detail-type"] == "CloudWatch Alarm State Change"
        assert alarm.json["resources"] == ["arn:aws:cloudwatch:us-east-1:000000000000:alarm:bad orders"]
        history = server.client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")
        ids = [json.loads(each["HistoryData"])["stateChangeId"] for each in history["AlarmHistoryItems"]]
        assert alarm.json["id"] in ids


def test_traffic_that_a_crash_followed_is_judged_after_it(tmp_path: Path, receiver: Receiver) -> None:
    with closing(_start(tmp_path, receiver)) as server:
        api = _orders(server)
        began, ended = _ask(api, good=19, bad=1)
        _watch(server)
        assert _stored(server) == 20.0

        server.kill()
    with closing(_start(tmp_path, receiver)) as server:
        told = receiver.until(_is("ALARM"))
        _end_by_hand(server)
        told += receiver.until(_is("OK"))

    alarms = [each for each in told if _state(each) == "ALARM"]
    _assert_judged(alarms[0], began, ended)
    assert len({each.json["id"] for each in alarms}) == 1


def test_a_message_that_a_crash_cut_off_comes_again_with_its_id(tmp_path: Path, receiver: Receiver) -> None:
    receiver.silent = True
    with closing(_start(tmp_path, receiver)) as server:
        _watch(server)
        server.client("cloudwatch").set_alarm_state(AlarmName="bad orders", StateValue="ALARM", StateReason="by hand")
        first = receiver.next(_is("ALARM"))

        server.kill()
        receiver.silent = False
    with closing(_start(tmp_path, receiver)) as server:
        again = receiver.next(_is("ALARM"))
        [described] = server.client("cloudwatch").describe_alarms()["MetricAlarms"]

    assert again.json == first.json
    assert described["AlarmActions"] == ["arn:aws:headgate:::webhook/oncall"]


def test_a_webhook_that_is_down_is_told_when_it_is_back(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 503
    with closing(_start(tmp_path, receiver)) as server:
        _watch(server)
        server.client("cloudwatch").set_alarm_state(AlarmName="bad orders", StateValue="ALARM", StateReason="by hand")
        refused = receiver.next(_is("ALARM"))
        receiver.status = 200

        taken = receiver.next(_is("ALARM"))

    assert taken.json["id"] == refused.json["id"]


def _reporting(url: str) -> str:
    return f"""
import json, urllib.request

def handle(event, context):
    urllib.request.urlopen(urllib.request.Request({url!r}, json.dumps(event).encode(), method="POST"))
"""


def _message(sqs: Any, queue: str) -> Any:
    """The next message, when it has come. Asks again and again: a long poll would hold up the thread that brings it."""
    deadline = time.monotonic() + WAIT_S
    while not (messages := sqs.receive_message(QueueUrl=queue).get("Messages")):
        assert time.monotonic() < deadline, f"no message came to {queue}"
    return messages[0]


def _may_call(server: RunningServer, name: str, principal: str) -> None:
    server.client("lambda").add_permission(
        FunctionName=name, StatementId="told", Action="lambda:InvokeFunction", Principal=principal
    )


def test_a_function_and_each_subscription_of_a_topic_are_told(tmp_path: Path, receiver: Receiver) -> None:
    with closing(_start(tmp_path, receiver)) as server:
        direct = create_function(server, "direct", _reporting(f"{receiver.url}/direct"), Timeout=30)
        _may_call(server, "direct", "lambda.alarms.cloudwatch.amazonaws.com")
        subscribed = create_function(server, "subscribed", _reporting(f"{receiver.url}/subscribed"), Timeout=30)
        _may_call(server, "subscribed", "sns.amazonaws.com")
        sns, sqs = server.client("sns"), server.client("sqs")
        topic = sns.create_topic(Name="oncall")["TopicArn"]
        queue = sqs.create_queue(QueueName="oncall")["QueueUrl"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{receiver.url}/topic")
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=subscribed)
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody@example.com")
        only_ok = json.dumps({"NewStateValue": ["OK"]})
        attributes = {"FilterPolicy": only_ok, "FilterPolicyScope": "MessageBody"}
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{receiver.url}/only-ok", Attributes=attributes)
        _watch(server, AlarmActions=[topic, direct])

        server.client("cloudwatch").set_alarm_state(AlarmName="bad orders", StateValue="ALARM", StateReason="by hand")
        came = {each.path: each for each in (receiver.next() for _ in range(3))}
        queued = _message(sqs, queue)

        assert set(came) == {"/direct", "/subscribed", "/topic"}
        event = came["/direct"].json
        assert (event["source"], event["alarmData"]["state"]["value"]) == ("aws.cloudwatch", "ALARM")
        in_topic = came["/topic"].json
        assert came["/topic"].headers["x-amz-sns-message-type"] == "Notification"
        assert in_topic["Subject"] == 'ALARM: "bad orders" in US East (N. Virginia)'
        assert json.loads(in_topic["Message"])["NewStateReason"] == "by hand"
        [record] = came["/subscribed"].json["Records"]
        assert (record["EventSource"], record["Sns"]["TopicArn"]) == ("aws:sns", topic)
        in_queue = json.loads(queued["Body"])
        assert in_queue["Message"] == in_topic["Message"] == record["Sns"]["Message"]
        ids = {event["id"], in_topic["MessageId"], record["Sns"]["MessageId"], in_queue["MessageId"]}
        assert len(ids) == 1


def test_a_function_that_has_not_let_alarms_call_it_is_not_called(tmp_path: Path, receiver: Receiver) -> None:
    with closing(_start(tmp_path, receiver)) as server:
        closed = create_function(server, "closed", _reporting(f"{receiver.url}/closed"), Timeout=30)
        opened = create_function(server, "opened", _reporting(f"{receiver.url}/opened"), Timeout=30)
        _may_call(server, "opened", "lambda.alarms.cloudwatch.amazonaws.com")
        _watch(server, AlarmActions=[closed, opened])

        server.client("cloudwatch").set_alarm_state(AlarmName="bad orders", StateValue="ALARM", StateReason="by hand")
        first = receiver.next()

        assert first.path == "/opened"
        _may_call(server, "closed", "lambda.alarms.cloudwatch.amazonaws.com")
        assert receiver.next().path == "/closed"
