"""Asynchronous calls through boto3: retries, destinations and dead letters, with queues and topics of the bridge."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from support.apis import Refused, fields, refusal, status
from support.functions import create_function
from support.server import RunningServer, running

_ACCOUNT: Final = "000000000000"
_QUEUE_ARN: Final = f"arn:aws:sqs:us-east-1:{_ACCOUNT}"
_DEADLINE_S: Final = 60

_WORKER = """
def handle(event, context):
    if event.get("fail"):
        raise ValueError("no")
    return {"got": event}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """One whose retries do not take minutes."""
    with running("--ephemeral", environment={"HEADGATE_EVENT_RETRY_S": "0.01,0.02"}) as started:
        yield started


class Queue:
    """A queue of the bridge."""

    def __init__(self, server: RunningServer, name: str) -> None:
        self._client = server.client("sqs")
        self._url = self._client.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"{_QUEUE_ARN}:{name}"

    def message(self) -> Any:
        """The next message, when it has come. Asks again and again: a long poll would hold up the bridge's thread."""
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            messages = self._client.receive_message(QueueUrl=self._url, MessageAttributeNames=["All"]).get("Messages")
            if messages:
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=messages[0]["ReceiptHandle"])
                return messages[0]
        raise AssertionError(f"no message came to {self.arn}")

    def record(self) -> Any:
        return json.loads(self.message()["Body"])


def send(server: RunningServer, name: str, event: Any, **options: Any) -> str:
    """An asynchronous call; its request id."""
    answer = server.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **options
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in answer
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def test_success_and_failure_are_told_to_their_destinations(server: RunningServer) -> None:
    succeeded, failed = Queue(server, "succeeded"), Queue(server, "failed")
    arn = create_function(server, "worker", _WORKER)
    server.client("lambda").put_function_event_invoke_config(
        FunctionName="worker",
        DestinationConfig={"OnSuccess": {"Destination": succeeded.arn}, "OnFailure": {"Destination": failed.arn}},
    )

    good, bad = send(server, "worker", {"order": 1}), send(server, "worker", {"fail": True})
    success, failure = succeeded.record(), failed.record()

    assert success.pop("timestamp").endswith("Z")
    assert success == {
        "version": "1.0",
        "requestContext": {
            "requestId": good,
            "functionArn": f"{arn}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"order": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"got": {"order": 1}},
    }
    assert failure["requestContext"] == {
        "requestId": bad,
        "functionArn": f"{arn}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert failure["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert failure["responsePayload"]["errorMessage"] == "no"


def test_a_dead_letter_is_the_event_with_why_it_failed(server: RunningServer) -> None:
    queue = Queue(server, "letters")
    create_function(server, "mortal", _WORKER, DeadLetterConfig={"TargetArn": queue.arn})

    request_id = send(server, "mortal", {"fail": 1})
    letter = queue.message()

    assert json.loads(letter["Body"]) == {"fail": 1}
    attributes = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no"}


def test_an_alias_has_its_own_retries_and_destination(server: RunningServer) -> None:
    queue = Queue(server, "of-alias")
    arn = create_function(server, "aliased", _WORKER, Publish=True)
    client = server.client("lambda")
    client.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1")
    client.put_function_event_invoke_config(
        FunctionName="aliased",
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue.arn}},
    )

    send(server, "aliased", {"fail": 1}, Qualifier="live")
    record = queue.record()

    assert record["requestContext"]["functionArn"] == f"{arn}:live"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["executedVersion"] == "1"


def test_a_topic_passes_the_record_on(server: RunningServer) -> None:
    queue = Queue(server, "of-topic")
    sns = server.client("sns")
    topic = sns.create_topic(Name="outcomes")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    create_function(server, "to-topic", _WORKER)
    server.client("lambda").put_function_event_invoke_config(
        FunctionName="to-topic", DestinationConfig={"OnSuccess": {"Destination": topic}}
    )

    request_id = send(server, "to-topic", {})

    assert queue.record()["requestContext"]["requestId"] == request_id


def test_an_event_bus_passes_the_record_on(server: RunningServer) -> None:
    queue = Queue(server, "of-bus")
    events = server.client("events")
    bus = events.create_event_bus(Name="outcomes")["EventBusArn"]
    events.put_rule(Name="all", EventBusName="outcomes", EventPattern='{"source":["lambda"]}')
    events.put_targets(Rule="all", EventBusName="outcomes", Targets=[{"Id": "1", "Arn": queue.arn}])
    create_function(server, "to-bus", _WORKER)
    server.client("lambda").put_function_event_invoke_config(
        FunctionName="to-bus", DestinationConfig={"OnSuccess": {"Destination": bus}}
    )

    request_id = send(server, "to-bus", {})
    event = queue.record()

    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["detail"]["requestContext"]["requestId"] == request_id


def test_a_function_is_a_destination_of_another(server: RunningServer) -> None:
    queue = Queue(server, "of-chain")
    last = create_function(server, "chain-last", _WORKER)
    create_function(server, "chain-first", _WORKER)
    client = server.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="chain-first", DestinationConfig={"OnSuccess": {"Destination": last}}
    )
    client.put_function_event_invoke_config(
        FunctionName="chain-last", DestinationConfig={"OnSuccess": {"Destination": queue.arn}}
    )

    request_id = send(server, "chain-first", {"n": 1})

    assert queue.record()["requestPayload"]["requestContext"]["requestId"] == request_id


def test_without_any_concurrency_an_event_goes_straight_to_its_failure(server: RunningServer) -> None:
    queue = Queue(server, "no-concurrency")
    create_function(server, "stopped", _WORKER, DeadLetterConfig={"TargetArn": queue.arn})
    client = server.client("lambda")
    client.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)

    send(server, "stopped", {"order": 1})
    letter = queue.message()

    assert json.loads(letter["Body"]) == {"order": 1}
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_the_older_form_runs_too(server: RunningServer) -> None:
    queue = Queue(server, "older")
    create_function(server, "older", _WORKER)
    client = server.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="older", DestinationConfig={"OnSuccess": {"Destination": queue.arn}}
    )

    answer = client.invoke_async(FunctionName="older", InvokeArgs=b'{"a":1}')

    assert (answer["Status"], status(answer)) == (202, 202)
    assert queue.record()["requestPayload"] == {"a": 1}


def test_settings_are_put_updated_listed_and_deleted(server: RunningServer) -> None:
    create_function(server, "set", _WORKER)
    client = server.client("lambda")

    put = client.put_function_event_invoke_config(
        FunctionName="set", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60
    )
    updated = client.update_function_event_invoke_config(FunctionName="set", MaximumEventAgeInSeconds=21600)
    listed = client.list_function_event_invoke_configs(FunctionName="set")
    deleted = client.delete_function_event_invoke_config(FunctionName="set")

    assert (put["MaximumRetryAttempts"], put["MaximumEventAgeInSeconds"]) == (1, 60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (1, 21600)
    assert listed["FunctionEventInvokeConfigs"] == [fields(updated)]
    assert status(deleted) == 204
    assert refusal(client.get_function_event_invoke_config, FunctionName="set") == Refused(
        "ResourceNotFoundException",
        f"The function arn:aws:lambda:us-east-1:{_ACCOUNT}:function:set:$LATEST doesn't have an EventInvokeConfig",
        404,
    )
