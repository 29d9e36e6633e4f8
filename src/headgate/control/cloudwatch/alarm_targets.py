"""Where an alarm's messages go, and how: topics and their subscriptions, functions, webhooks."""

from collections.abc import Mapping
from typing import Final, Protocol

import orjson
from msgspec.structs import replace

from headgate.control.cloudwatch.alarm_actions import webhook_name
from headgate.control.cloudwatch.alarm_topics import (
    Services,
    envelope,
    function_records,
    http_headers,
    subscriptions_for,
)
from headgate.control.lambda_.event_targets import DeliveryFailed, EventTargets
from headgate.functions.permission import ALARMS, TOPICS
from headgate.model.alarm import AlarmDelivery, alarm_arn
from headgate.model.arn import FunctionRef, parse_function_arn
from headgate.model.errors import ApiError
from headgate.model.event import Delivery, MessageAttribute

ID_HEADER: Final = "x-headgate-state-change-id"


class TargetPorts(Protocol):
    """The outside acts of a delivery."""

    @property
    def services(self) -> Services: ...

    @property
    def webhooks(self) -> Mapping[str, str]:
        """URLs by name."""
        ...

    @property
    def has_own_topics(self) -> bool:
        """Whether topics are moto's: those elsewhere deliver by themselves."""
        ...

    def may_call(self, function: FunctionRef, source_arn: str, principal: str) -> bool:
        """Whether the function's policy lets this service call it."""
        ...

    async def call_later(self, function: FunctionRef, payload: bytes) -> None:
        """Have a function called, at least once. Raises ApiError."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. Raises DeliveryFailed where there is none; no error shows the URL."""
        ...


class AlarmTargets:
    def __init__(self, ports: TargetPorts) -> None:
        self._ports = ports
        self._services = EventTargets(ports.services, self._function_is_no_target)

    async def send(self, delivery: AlarmDelivery) -> list[AlarmDelivery]:
        """Send one message; what is to be sent in its place, as to a topic's subscriptions. Raises DeliveryFailed."""
        target = delivery.target
        if (name := webhook_name(target)) is not None:
            await self._to_webhook(delivery, name)
        elif (function := parse_function_arn(target)) is not None:
            await self._to_function(delivery, function)
        elif target.startswith(("http://", "https://")):
            await self._to_url(delivery)
        elif target.split(":")[2] == "sqs":
            body = delivery.body if delivery.raw else orjson.dumps(envelope(delivery)).decode()
            await self._services.send(Delivery(target=target, body=body))
        elif self._ports.has_own_topics:
            return await self._subscriptions(delivery)
        else:
            attributes = {"StateChangeId": MessageAttribute(data_type="String", value=delivery.change_id)}
            await self._services.send(
                Delivery(target=target, body=delivery.body, subject=delivery.subject, attributes=attributes)
            )
        return []

    async def _subscriptions(self, delivery: AlarmDelivery) -> list[AlarmDelivery]:
        found = await subscriptions_for(self._ports.services, delivery.target, delivery.body)
        return [
            replace(
                delivery,
                # By the subscription: a crash in the middle makes the same messages again, not others.
                id=f"{delivery.id}/{each.arn}",
                target=each.endpoint,
                topic=delivery.target,
                subscription=each.arn,
                raw=each.raw,
                attempts=0,
            )
            for each in found
        ]

    async def _to_function(self, delivery: AlarmDelivery, function: FunctionRef) -> None:
        if delivery.topic:
            source, principal = delivery.topic, TOPICS
            payload = orjson.dumps(function_records(delivery))
        else:
            source = alarm_arn(delivery.account_id, delivery.region, delivery.alarm_name)
            principal = ALARMS
            payload = delivery.body.encode()
        if not self._ports.may_call(function, source, principal):
            raise DeliveryFailed(f"{function.arn} is not there, or its policy does not let {principal} call it")
        try:
            await self._ports.call_later(function, payload)
        except ApiError as error:
            raise DeliveryFailed(error.message) from error

    async def _to_url(self, delivery: AlarmDelivery) -> None:
        body = delivery.body if delivery.raw else orjson.dumps(envelope(delivery)).decode()
        _check(await self._ports.post(delivery.target, http_headers(delivery), body.encode()), delivery.target)

    async def _to_webhook(self, delivery: AlarmDelivery, name: str) -> None:
        url = self._ports.webhooks.get(name)
        if url is None:
            raise DeliveryFailed(f"there is no webhook {name} under [alarm_webhooks] in headgate.toml")
        headers = {"content-type": "application/json", ID_HEADER: delivery.change_id, "user-agent": "Headgate"}
        _check(await self._ports.post(url, headers, delivery.body.encode()), f"the webhook {name}")

    async def _function_is_no_target(self, delivery: Delivery) -> None:
        raise DeliveryFailed(f"{delivery.target} is called otherwise")


def _check(status: int, what: str) -> None:
    if not 200 <= status < 300:
        raise DeliveryFailed(f"{what} answered {status}")
