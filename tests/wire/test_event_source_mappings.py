"""Event source mappings of SQS queues: their configuration, and messages on their way to a function.

A function here writes what it is given to another queue; that is what a test waits for, by long polling of
its own until a deadline.
"""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from support.apis import Refused, fields, refusal, status
from support.lambdas import a_function, arn_of, conflict, invalid, missing, new_name
from support.server import RunningServer

WAIT_S = 60

# Passes each event on to the queue in OUT, then does what the bodies say. Without an SDK, which takes long to import.
RELAY = """
import json, os, urllib.request

CREDENTIAL = "Credential=test/20000101/us-east-1/sqs/aws4_request"

def send(text):
    headers = {
        "X-Amz-Target": "AmazonSQS.SendMessage",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 {CREDENTIAL}, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"QueueUrl": os.environ["OUT"], "MessageBody": text}).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers), timeout=20).close()

def handle(event, context):
    send(json.dumps(event))
    bodies = {record["messageId"]: record["body"] for record in event["Records"]}
    if "raise" in bodies.values():
        raise ValueError("no")
    return {"batchItemFailures": [{"itemIdentifier": each} for each, body in bodies.items() if body == "fail"]}
"""


class Queue:
    """A queue of the server's SQS."""

    def __init__(self, server: RunningServer, name: str = "", **attributes: str) -> None:
        self._client = server.client("sqs")
        self.name = name or new_name("queue")
        self.url = self._client.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{self.name}"

    def send(self, body: str, **options: Any) -> str:
        message_id: str = self._client.send_message(QueueUrl=self.url, MessageBody=body, **options)["MessageId"]
        return message_id

    def send_all(self, *bodies: str) -> None:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        self._client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def counts(self) -> tuple[int, int]:
        """Messages that wait, and messages that were received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def take(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """What arrives, until that is enough."""
        taken: list[str] = []
        ends = time.monotonic() + WAIT_S
        while not enough(taken):
            assert time.monotonic() < ends, f"not enough arrived in {self.name}: {taken}"
            for message in self._client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
                taken.append(message["Body"])
                self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def wait_for_counts(self, waiting: int, in_flight: int) -> None:
        ends = time.monotonic() + WAIT_S
        while self.counts() != (waiting, in_flight):
            assert time.monotonic() < ends, self.counts()


class Relay:
    """A queue, a function that passes on what it is given, and the queue where that arrives."""

    def __init__(self, server: RunningServer, source: Queue | None = None, **mapping: Any) -> None:
        self.client = server.client("lambda")
        self.source, self.out = source or Queue(server, VisibilityTimeout="900"), Queue(server)
        self.name = a_function(server, RELAY, Timeout=30, Environment={"Variables": {"OUT": self.out.url}})
        self.mapping = self.client.create_event_source_mapping(
            EventSourceArn=self.source.arn, FunctionName=self.name, **mapping
        )

    def records(self, count: int) -> list[dict[str, Any]]:
        """So many records that the function was given, in all its calls."""

        def enough(taken: list[str]) -> bool:
            return sum(len(json.loads(each)["Records"]) for each in taken) >= count

        return [record for event in self.out.take(enough) for record in json.loads(event)["Records"]]


def test_a_mapping_is_shown_as_it_was_made_and_changed(server: RunningServer) -> None:
    client = server.client("lambda")
    queue, name = Queue(server), a_function(server)

    created = client.create_event_source_mapping(
        EventSourceArn=queue.arn,
        FunctionName=name,
        Enabled=False,
        BatchSize=100,
        MaximumBatchingWindowInSeconds=2,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        ScalingConfig={"MaximumConcurrency": 3},
    )
    shown = fields(client.get_event_source_mapping(UUID=created["UUID"]))
    updated = client.update_event_source_mapping(UUID=created["UUID"], BatchSize=5, FilterCriteria={}, ScalingConfig={})

    mapping_id = shown.pop("UUID")
    assert (status(created), created["State"]) == (202, "Creating")
    assert shown.pop("LastModified") == created["LastModified"]
    assert shown == {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 2,
        "EventSourceArn": queue.arn,
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
        "FunctionArn": arn_of(name),
        "State": "Disabled",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 3},
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{mapping_id}",
    }
    assert (updated["State"], updated["BatchSize"]) == ("Updating", 5)
    assert not {"FilterCriteria", "ScalingConfig"} & updated.keys()


def test_mappings_are_listed_by_queue_and_by_function(server: RunningServer) -> None:
    client = server.client("lambda")
    queues, name, other = [Queue(server), Queue(server)], a_function(server), a_function(server)
    made = [
        client.create_event_source_mapping(EventSourceArn=queue.arn, FunctionName=function, Enabled=False)["UUID"]
        for queue, function in ((queues[0], name), (queues[1], name), (queues[0], other))
    ]

    def listed(**which: str) -> set[str]:
        return {each["UUID"] for each in client.list_event_source_mappings(**which)["EventSourceMappings"]}

    assert listed(FunctionName=name) == {made[0], made[1]}
    assert listed(EventSourceArn=queues[0].arn) == {made[0], made[2]}
    assert listed(EventSourceArn=queues[0].arn, FunctionName=arn_of(other)) == {made[2]}


def test_a_deleted_mapping_is_gone(server: RunningServer) -> None:
    client = server.client("lambda")
    made = client.create_event_source_mapping(EventSourceArn=Queue(server).arn, FunctionName=a_function(server))

    deleted = client.delete_event_source_mapping(UUID=made["UUID"])

    assert (status(deleted), deleted["State"]) == (202, "Deleting")
    for operation in (client.get_event_source_mapping, client.delete_event_source_mapping):
        assert refusal(operation, UUID=made["UUID"]) == missing("The resource you requested does not exist.")


def test_a_mapping_has_tags_by_its_arn(server: RunningServer) -> None:
    client = server.client("lambda")
    made = client.create_event_source_mapping(
        EventSourceArn=Queue(server).arn, FunctionName=a_function(server), Enabled=False, Tags={"a": "1"}
    )

    client.tag_resource(Resource=made["EventSourceMappingArn"], Tags={"b": "2"})

    assert client.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"a": "1", "b": "2"}


def test_a_message_reaches_the_function_as_a_record_and_is_deleted(server: RunningServer) -> None:
    relay = Relay(server)

    message_id = relay.source.send(
        "hello", MessageAttributes={"kind": {"DataType": "String", "StringValue": "greeting"}}
    )
    (record,) = relay.records(1)

    attributes = record.pop("attributes")
    assert attributes["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= attributes.keys()
    assert record.pop("receiptHandle")
    assert record.pop("md5OfMessageAttributes")
    assert record == {
        "messageId": message_id,
        "body": "hello",
        "messageAttributes": {
            "kind": {
                "stringValue": "greeting",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": relay.source.arn,
        "awsRegion": "us-east-1",
    }
    relay.source.wait_for_counts(waiting=0, in_flight=0)


def test_a_batch_that_fails_stays_in_its_queue(server: RunningServer) -> None:
    relay = Relay(server, BatchSize=2, MaximumBatchingWindowInSeconds=30)

    relay.source.send_all("raise", "fine")

    assert {each["body"] for each in relay.records(2)} == {"raise", "fine"}
    relay.source.wait_for_counts(waiting=0, in_flight=2)


def test_of_a_batch_only_what_is_reported_as_failed_stays(server: RunningServer) -> None:
    relay = Relay(
        server,
        BatchSize=3,
        MaximumBatchingWindowInSeconds=30,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    relay.source.send_all("one", "fail", "two")

    assert {each["body"] for each in relay.records(3)} == {"one", "fail", "two"}
    relay.source.wait_for_counts(waiting=0, in_flight=1)


def test_a_report_counts_only_where_the_mapping_asks_for_it(server: RunningServer) -> None:
    relay = Relay(server)

    relay.source.send("fail")

    assert [each["body"] for each in relay.records(1)] == ["fail"]
    relay.source.wait_for_counts(waiting=0, in_flight=0)


def test_a_window_gathers_more_than_one_receive_can_give(server: RunningServer) -> None:
    relay = Relay(server, BatchSize=20, MaximumBatchingWindowInSeconds=60)

    for at in range(0, 20, 10):
        relay.source.send_all(*(str(number) for number in range(at, at + 10)))

    (event,) = relay.out.take(bool)
    assert sorted(int(record["body"]) for record in json.loads(event)["Records"]) == list(range(20))


def test_messages_of_a_fifo_queue_come_in_their_order_and_as_such(server: RunningServer) -> None:
    source = Queue(server, new_name("queue") + ".fifo", FifoQueue="true", VisibilityTimeout="900")
    relay = Relay(server, source, BatchSize=2, ScalingConfig={"MaximumConcurrency": 5})
    for number in range(12):
        source.send(str(number), MessageGroupId="one", MessageDeduplicationId=str(number))

    records = relay.records(12)

    assert [each["body"] for each in records] == [str(number) for number in range(12)]
    attributes = records[0]["attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("one", "0")
    assert attributes["SequenceNumber"]
    source.wait_for_counts(0, 0)


def test_what_no_filter_lets_through_is_deleted_and_not_seen(server: RunningServer) -> None:
    pattern = json.dumps({"body": {"kind": [{"prefix": "order"}], "size": [{"numeric": [">", 5]}]}})
    relay = Relay(server, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    wanted = json.dumps({"kind": "order-new", "size": 6})

    relay.source.send_all(json.dumps({"kind": "order-new", "size": 5}), "no json", json.dumps({"kind": "x", "size": 9}))
    relay.source.send(wanted)

    assert [each["body"] for each in relay.records(1)] == [wanted]
    relay.source.wait_for_counts(waiting=0, in_flight=0)


def test_a_disabled_mapping_takes_nothing_until_it_is_enabled(server: RunningServer) -> None:
    relay = Relay(server, Enabled=False)
    other = Relay(server)
    relay.source.send("later")

    other.source.send("now")  # once this has come through, a poller of the first queue would have had its turn
    other.records(1)
    before = relay.source.counts()
    answer = relay.client.update_event_source_mapping(UUID=relay.mapping["UUID"], Enabled=True)

    assert before == (1, 0)
    assert answer["State"] == "Enabling"
    assert [each["body"] for each in relay.records(1)] == ["later"]
    assert relay.client.get_event_source_mapping(UUID=relay.mapping["UUID"])["State"] == "Enabled"


def test_a_mapping_to_an_alias_calls_the_version_of_the_alias(server: RunningServer) -> None:
    client = server.client("lambda")
    source, out = Queue(server), Queue(server)
    code = RELAY.replace("json.dumps(event)", "context.function_version + ' ' + context.invoked_function_arn")
    name = a_function(server, code, Environment={"Variables": {"OUT": out.url}}, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    made = client.create_event_source_mapping(EventSourceArn=source.arn, FunctionName=f"{name}:live")
    source.send("x")

    assert made["FunctionArn"] == arn_of(name, "live")
    assert out.take(bool) == [f"1 {arn_of(name, 'live')}"]


def test_messages_wait_while_their_function_is_gone(server: RunningServer) -> None:
    relay = Relay(server, Enabled=False)  # so that no receive is under way while the function goes
    relay.client.delete_function(FunctionName=relay.name)
    relay.source.send("x")
    relay.client.update_event_source_mapping(UUID=relay.mapping["UUID"], Enabled=True)
    other = Relay(server)

    other.source.send("now")
    other.records(1)

    assert relay.source.counts() == (1, 0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"},
            invalid(
                "Event source arn:aws:kinesis:us-east-1:000000000000:stream/s is not supported by Headgate: "
                "give the ARN of an SQS queue"
            ),
        ),
        ({"EventSourceArn": None}, invalid("Unrecognized event source. Give EventSourceArn, the ARN of an SQS queue")),
        ({"FunctionName": "ghost"}, invalid(f"Function does not exist: {arn_of('ghost')}")),
        (
            {"BatchSize": 11},
            invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"),
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}},
            invalid(
                "Invalid filter pattern definition. the field 'body' needs a list of values or rules, "
                "or a pattern for what is in it"
            ),
        ),
        (
            {"StartingPosition": "LATEST"},
            invalid("StartingPosition is not supported for an SQS queue, which is the event source here: leave it out"),
        ),
    ],
    ids=["another source", "no source", "no function", "a large batch without a window", "filter", "for streams"],
)
def test_create_refuses(server: RunningServer, given: dict[str, Any], expected: Refused) -> None:
    client = server.client("lambda")
    whole = {"EventSourceArn": Queue(server).arn, "FunctionName": a_function(server), **given}

    refused = refusal(
        client.create_event_source_mapping, **{name: value for name, value in whole.items() if value is not None}
    )

    assert refused == expected


def test_a_queue_that_is_not_there_is_refused_in_its_own_words(server: RunningServer) -> None:
    refused = refusal(
        server.client("lambda").create_event_source_mapping,
        EventSourceArn="arn:aws:sqs:us-east-1:000000000000:ghost",
        FunctionName=a_function(server),
    )

    assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
    assert refused.message.startswith("Error occurred while ReceiveMessage. SQS Error Code: ")
    assert "NonExistentQueue" in refused.message or "QueueDoesNotExist" in refused.message


def test_a_queue_that_shows_messages_again_too_soon_is_refused(server: RunningServer) -> None:
    refused = refusal(
        server.client("lambda").create_event_source_mapping,
        EventSourceArn=Queue(server).arn,
        FunctionName=a_function(server, Timeout=60),
    )

    assert refused == invalid("Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds")


def test_a_queue_is_mapped_to_a_function_once(server: RunningServer) -> None:
    client = server.client("lambda")
    where = {"EventSourceArn": Queue(server).arn, "FunctionName": a_function(server), "Enabled": False}
    made = client.create_event_source_mapping(**where)

    assert refusal(client.create_event_source_mapping, **where) == conflict(
        f'An event source mapping with SQS arn (" {where["EventSourceArn"]} ") and function '
        f'(" {where["FunctionName"]} ") already exists. Please update or delete the existing mapping with UUID '
        f"{made['UUID']}"
    )


def test_an_unknown_mapping_is_not_updated(server: RunningServer) -> None:
    refused = refusal(server.client("lambda").update_event_source_mapping, UUID=str(uuid.UUID(int=1)), BatchSize=1)

    assert refused == missing("The resource you requested does not exist.")
