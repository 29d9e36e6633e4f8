"""The requests that reach dead-letter targets and destinations."""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
import pytest

from headgate.control.lambda_.event_targets import DeliveryFailed, EventTargets
from headgate.model.event import Delivery, MessageAttribute
from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, HttpResponse

from .account import ACCOUNT, QUEUE, REGION, arn

TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
BUS: Final = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/orders"
ATTRIBUTES: Final = {"ErrorCode": MessageAttribute(data_type="Number", value="200")}


class Services:
    """Keeps what it is asked; gives the answers it is told, in order."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, HttpRequest, Scope]] = []

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        self.asked.append((service, request, scope))
        status, body = self.answers.pop(0)
        return HttpResponse(status=status, headers=[], body=body)


def send(services: Services, target: str, **fields: Any) -> list[Delivery]:
    """Send a message; what functions were called with."""
    called: list[Delivery] = []

    async def invoke_later(delivery: Delivery) -> None:
        called.append(delivery)

    asyncio.run(EventTargets(services, invoke_later).send(Delivery(target=target, body='{"a":1}', **fields)))
    return called


def test_a_queue_is_asked_for_its_url_and_sent_the_message() -> None:
    services = Services((200, b'{"QueueUrl":"http://queue"}'), (200, b"{}"))

    send(services, QUEUE, attributes=ATTRIBUTES)

    asked = [(request.headers["x-amz-target"], orjson.loads(request.body)) for _, request, _ in services.asked]
    assert asked == [
        ("AmazonSQS.GetQueueUrl", {"QueueName": "queue", "QueueOwnerAWSAccountId": ACCOUNT}),
        (
            "AmazonSQS.SendMessage",
            {
                "QueueUrl": "http://queue",
                "MessageBody": '{"a":1}',
                "MessageAttributes": {"ErrorCode": {"DataType": "Number", "StringValue": "200"}},
            },
        ),
    ]


def test_a_topic_is_published_to() -> None:
    services = Services((200, b"<ok/>"))

    send(services, TOPIC, attributes=ATTRIBUTES)

    ((service, request, _),) = services.asked
    assert service == "sns"
    assert {name: values[0] for name, values in parse_qs(request.body.decode()).items()} == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": TOPIC,
        "Message": '{"a":1}',
        "MessageAttributes.entry.1.Name": "ErrorCode",
        "MessageAttributes.entry.1.Value.DataType": "Number",
        "MessageAttributes.entry.1.Value.StringValue": "200",
    }


def test_an_event_bus_is_put_an_event() -> None:
    services = Services((200, b'{"FailedEntryCount":0}'))

    send(services, BUS, detail_type="Lambda Function Invocation Result - Success")

    ((service, request, _),) = services.asked
    assert (service, request.headers["x-amz-target"]) == ("events", "AWSEvents.PutEvents")
    (entry,) = orjson.loads(request.body)["Entries"]
    assert entry == {
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Success",
        "Detail": '{"a":1}',
        "EventBusName": BUS,
    }


def test_a_function_is_called_later() -> None:
    services = Services()

    assert [delivery.body for delivery in send(services, arn("next"))] == ['{"a":1}']
    assert services.asked == []


def test_a_service_is_asked_in_the_targets_account_and_region() -> None:
    services = Services((200, b"{}"))

    send(services, TOPIC)

    _, request, scope = services.asked[0]
    assert scope == Scope(account_id=ACCOUNT, region=REGION, service="sns")
    assert f"Credential={ACCOUNT}/20000101/{REGION}/sns/aws4_request" in request.headers["authorization"]


@pytest.mark.parametrize(
    ("target", "answers", "message"),
    [
        (QUEUE, [(400, b"no such queue")], "AmazonSQS.GetQueueUrl was answered 400: no such queue"),
        (QUEUE, [(200, b'{"QueueUrl":"u"}'), (403, b"no")], "AmazonSQS.SendMessage was answered 403: no"),
        (QUEUE, [(200, b"<html>")], "AmazonSQS.GetQueueUrl was answered with what is no JSON"),
        (TOPIC, [(404, b"<no/>")], "Publish was answered 404"),
        (BUS, [(200, b'{"FailedEntryCount":1,"Entries":[]}')], "PutEvents refused the event"),
        ("arn:aws:s3:::bucket", [], "arn:aws:s3:::bucket is no ARN of a target"),
    ],
)
def test_what_is_not_accepted_was_not_sent(target: str, answers: list[tuple[int, bytes]], message: str) -> None:
    with pytest.raises(DeliveryFailed, match=message):
        send(Services(*answers), target)
