"""An SNS topic's subscriptions, told by us: moto answers for topics, and would tell them from its one thread.

It has no deadline for an HTTP subscriber and no retry, leaves out those after one that failed, and looks for a function
among its own. So its Publish is not used: its list of subscriptions is, and each is told on its own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode

import orjson

from headgate.control.lambda_.event_targets import DeliveryFailed
from headgate.functions.event_pattern import BadPattern, matches, parse_pattern
from headgate.model.alarm import AlarmDelivery
from headgate.model.scope import Scope
from headgate.model.value import Value
from headgate.telemetry.alarm_reason import long_time
from headgate.wire.http import HttpRequest, HttpResponse
from headgate.wire.sigv4 import unsigned_headers

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

PROTOCOLS: Final = frozenset({"http", "https", "sqs", "lambda"})
_MAX_PAGES: Final = 100


class Services(Protocol):
    """The services that are not Headgate's own."""

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse: ...


class Subscription(Value, frozen=True):
    arn: str
    protocol: str
    endpoint: str  # a URL, or the ARN of a queue or function
    raw: bool


async def subscriptions_for(services: Services, topic: str, message: str) -> list[Subscription]:
    """Those of a topic that take this message and that can be told. Raises DeliveryFailed."""
    found = []
    form = {"TopicArn": topic}
    for _ in range(_MAX_PAGES):
        answer = await _ask(services, topic, "ListSubscriptionsByTopic", form)
        for member in answer.iter("member"):
            arn, protocol = member.findtext("SubscriptionArn", ""), member.findtext("Protocol", "")
            if protocol in PROTOCOLS and arn.startswith("arn:"):  # others are not confirmed, or are no machine's
                subscription = await _looked_at(
                    services, topic, arn, protocol, member.findtext("Endpoint", ""), message
                )
                if subscription is not None:
                    found.append(subscription)
        token = answer.findtext(".//NextToken")
        if not token:
            break
        form["NextToken"] = token
    return found


def envelope(delivery: AlarmDelivery) -> dict[str, Any]:
    """What SNS wraps a message in. The message's id is that of the change, at a repeat too. Nobody has signed it."""
    return {
        "Type": "Notification",
        "MessageId": delivery.change_id,
        "TopicArn": delivery.topic,
        "Subject": delivery.subject,
        "Message": delivery.body,
        "Timestamp": long_time(delivery.created_at).replace("+0000", "Z"),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "EXAMPLE",
        "UnsubscribeURL": "EXAMPLE",
    }


def function_records(delivery: AlarmDelivery) -> dict[str, Any]:
    """The event of a function that is subscribed to a topic."""
    notification = envelope(delivery)
    notification |= {"SigningCertUrl": notification.pop("SigningCertURL")}
    notification |= {"UnsubscribeUrl": notification.pop("UnsubscribeURL"), "MessageAttributes": {}}
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": delivery.subscription,
        "Sns": notification,
    }
    return {"Records": [record]}


def http_headers(delivery: AlarmDelivery) -> dict[str, str]:
    headers = {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": delivery.change_id,
        "x-amz-sns-topic-arn": delivery.topic,
        "x-amz-sns-subscription-arn": delivery.subscription,
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
    }
    return headers | {"x-amz-sns-rawdelivery": "true"} if delivery.raw else headers


async def _looked_at(
    services: Services, topic: str, arn: str, protocol: str, endpoint: str, message: str
) -> Subscription | None:
    answer = await _ask(services, topic, "GetSubscriptionAttributes", {"SubscriptionArn": arn})
    attributes = {entry.findtext("key", ""): entry.findtext("value", "") for entry in answer.iter("entry")}
    if not _takes(attributes, message):
        return None
    raw = attributes.get("RawMessageDelivery", "").lower() == "true"
    return Subscription(arn=arn, protocol=protocol, endpoint=endpoint, raw=raw)


def _takes(attributes: Mapping[str, str], message: str) -> bool:
    """By its filter policy: an alarm's message has a body to be filtered by, and no attributes."""
    policy = attributes.get("FilterPolicy")
    if not policy:
        return True
    try:
        pattern = parse_pattern(policy)
    except BadPattern:
        return True
    of_body = attributes.get("FilterPolicyScope") == "MessageBody"
    return matches(pattern, orjson.loads(message) if of_body else {})


async def _ask(services: Services, topic: str, action: str, members: Mapping[str, str]) -> "Element":
    """The answer's elements, without their namespace."""
    from xml.etree import ElementTree  # slow to import, and of use to alarms that tell a topic alone

    account_id, region = topic.split(":")[4], topic.split(":")[3]
    scope = Scope(account_id=account_id, region=region, service="sns")
    form_type = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = HttpRequest(
        method="POST",
        path="/",
        headers={**unsigned_headers("sns", scope), **form_type},
        body=urlencode({"Action": action, "Version": "2010-03-31", **members}).encode(),
    )
    answer = await services.answer("sns", request, scope)
    if answer.status != 200:
        raise DeliveryFailed(f"{action} of {topic} was answered {answer.status}: {answer.body[:300]!r}")
    try:
        root = ElementTree.fromstring(answer.body)
    except ElementTree.ParseError as error:
        raise DeliveryFailed(f"{action} of {topic} was answered with what is no XML") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
