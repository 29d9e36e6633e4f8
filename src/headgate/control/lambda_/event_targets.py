"""Where the outcome of an event goes: dead-letter targets and destinations, and the requests that reach them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from headgate.control.lambda_.errors import invalid, unsupported
from headgate.control.lambda_.ports import Services
from headgate.model.event import Delivery
from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.sigv4 import unsigned_headers

_SHOWN_BYTES: Final = 300  # of an answer, in an error's text


class Target(StrEnum):
    """What an outcome can be sent to, by the service's name in its ARN."""

    QUEUE = "sqs"
    TOPIC = "sns"
    FUNCTION = "lambda"
    EVENT_BUS = "events"


DEAD_LETTER_TARGETS: Final = frozenset({Target.QUEUE, Target.TOPIC})

_ARN: Final = re.compile(
    r"arn:aws[\w-]*:(?P<service>[\w-]+):(?P<region>[\w-]+):(?P<account>\d{12}):(?P<resource>.+)", re.ASCII
)


class DeliveryFailed(Exception):
    """A message could not be sent; it may be tried again."""


def check_target(member: str, arn: str, accepted: frozenset[Target] = frozenset(Target)) -> Target:
    """What an ARN names. Raises ApiError (InvalidParameterValueException) for what nothing can be sent to."""
    found = _ARN.fullmatch(arn)
    target = next((target for target in Target if found is not None and found["service"] == target), None)
    if target not in accepted or target is None:
        names = {Target.QUEUE: "SQS queue", Target.TOPIC: "SNS topic", Target.FUNCTION: "function"}
        names |= {Target.EVENT_BUS: "EventBridge event bus"}
        listed = ", ".join(names[each] for each in Target if each in accepted)
        raise unsupported(member, arn, f"give the ARN of one of: {listed}")
    if target in {Target.QUEUE, Target.TOPIC} and arn.endswith(".fifo"):
        raise invalid(
            f"The {member} ARN {arn} is invalid: Lambda sends to standard queues and topics only, not to FIFO"
        )
    return target


class EventTargets:
    """Sends messages. Requests carry no signature: what answers in this process asks for none, and a request for AWS
    itself is signed by whoever forwards it.
    """

    def __init__(self, services: Services, invoke_later: Callable[[Delivery], Awaitable[None]]) -> None:
        """`invoke_later` has a function called with a message's body; it raises DeliveryFailed."""
        self._services = services
        self._invoke_later = invoke_later

    async def send(self, delivery: Delivery) -> None:
        """Raises DeliveryFailed."""
        found = _ARN.fullmatch(delivery.target)
        if found is None:
            raise DeliveryFailed(f"{delivery.target} is no ARN of a target")
        scope = Scope(account_id=found["account"], region=found["region"], service=found["service"])
        match found["service"]:
            case Target.QUEUE:
                await self._to_queue(delivery, scope, found["resource"])
            case Target.TOPIC:
                await self._to_topic(delivery, scope)
            case Target.EVENT_BUS:
                await self._to_event_bus(delivery, scope)
            case Target.FUNCTION:
                await self._invoke_later(delivery)
            case service:
                raise DeliveryFailed(f"nothing can be sent to {service}")

    async def _to_queue(self, delivery: Delivery, scope: Scope, name: str) -> None:
        owner = {"QueueName": name, "QueueOwnerAWSAccountId": scope.account_id}
        queue = await self._ask_json(scope, "AmazonSQS.GetQueueUrl", "1.0", owner)
        message: dict[str, Any] = {"QueueUrl": queue.get("QueueUrl"), "MessageBody": delivery.body}
        if delivery.attributes:
            message["MessageAttributes"] = {
                name: {"DataType": attribute.data_type, "StringValue": attribute.value}
                for name, attribute in delivery.attributes.items()
            }
        await self._ask_json(scope, "AmazonSQS.SendMessage", "1.0", message)

    async def _to_topic(self, delivery: Delivery, scope: Scope) -> None:
        form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": delivery.target, "Message": delivery.body}
        if delivery.subject:
            form["Subject"] = delivery.subject
        for number, (name, attribute) in enumerate(delivery.attributes.items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            form[f"{entry}.Name"] = name
            form[f"{entry}.Value.DataType"] = attribute.data_type
            form[f"{entry}.Value.StringValue"] = attribute.value
        content_type = "application/x-www-form-urlencoded; charset=utf-8"
        _checked(await self._ask(scope, {"content-type": content_type}, urlencode(form).encode()), "Publish")

    async def _to_event_bus(self, delivery: Delivery, scope: Scope) -> None:
        entry = {
            "Source": "lambda",
            "DetailType": delivery.detail_type,
            "Detail": delivery.body,
            "EventBusName": delivery.target,
        }
        answer = await self._ask_json(scope, "AWSEvents.PutEvents", "1.1", {"Entries": [entry]})
        if answer.get("FailedEntryCount"):
            raise DeliveryFailed(f"PutEvents refused the event: {answer.get('Entries')}")

    async def _ask_json(self, scope: Scope, target: str, version: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
        answer = _checked(await self._ask(scope, headers, orjson.dumps(members)), target)
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise DeliveryFailed(
                f"{target} was answered with what is no JSON: {answer.body[:_SHOWN_BYTES]!r}"
            ) from error
        return document if isinstance(document, dict) else {}

    async def _ask(self, scope: Scope, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        own = unsigned_headers(scope.service, scope)
        request = HttpRequest(method="POST", path="/", headers={**own, **headers}, body=body)
        return await self._services.answer(scope.service, request, scope)


def _checked(answer: HttpResponse, what: str) -> HttpResponse:
    if not 200 <= answer.status < 300:
        said = answer.body[:_SHOWN_BYTES].decode("utf-8", "replace")
        raise DeliveryFailed(f"{what} was answered {answer.status}: {said}")
    return answer
