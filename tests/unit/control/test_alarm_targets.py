import asyncio
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from headgate.control.cloudwatch.alarm_targets import AlarmTargets
from headgate.control.lambda_.event_targets import DeliveryFailed
from headgate.model.alarm import AlarmDelivery
from headgate.model.arn import FunctionRef
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.wire.http import HttpRequest, HttpResponse

_TOPIC = "arn:aws:sns:eu-west-1:111111111111:oncall"
_FUNCTION = "arn:aws:lambda:eu-west-1:111111111111:function:tell"
_DELIVERY = AlarmDelivery(
    id="change-1/0",
    change_id="change-1",
    account_id="111111111111",
    region="eu-west-1",
    alarm_name="bad",
    alarm_type="MetricAlarm",
    target=_TOPIC,
    body='{"NewStateValue":"ALARM"}',
    subject="ALARM",
    created_at=0.0,
    due_at=0.0,
)


class _Services:
    """SNS: answers by the action that is asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answers: dict[str, list[str]] = {}
        self.status = 200

    async def answer(self, service: str, request: HttpRequest, scope: Scope) -> HttpResponse:
        assert (service, scope.account_id, scope.region) == ("sns", "111111111111", "eu-west-1")
        form = dict(parse_qsl(request.body.decode()))
        self.asked.append(form)
        answers = self.answers.get(form["Action"], ["<r/>"])
        body = answers.pop(0) if len(answers) > 1 else answers[0]
        return HttpResponse(status=self.status, headers=[], body=body.encode())


class _Ports:
    def __init__(self, *, has_own_topics: bool = True) -> None:
        self.services = _Services()
        self.webhooks: Mapping[str, str] = {"oncall": "http://127.0.0.1/secret"}
        self.has_own_topics = has_own_topics
        self.status = 200
        self.allowed = True
        self.missing = False
        self.posted: list[tuple[str, Mapping[str, str], bytes]] = []
        self.called: list[tuple[str, bytes]] = []
        self.judged: list[tuple[str, str]] = []

    def may_call(self, function: FunctionRef, source_arn: str, principal: str) -> bool:
        self.judged.append((source_arn, principal))
        return self.allowed

    async def call_later(self, function: FunctionRef, payload: bytes) -> None:
        if self.missing:
            raise ApiError("ResourceNotFoundException", "Function not found", 404)
        self.called.append((function.name, payload))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        self.posted.append((url, headers, body))
        return self.status


def _send(ports: _Ports, delivery: AlarmDelivery = _DELIVERY) -> list[AlarmDelivery]:
    return asyncio.run(AlarmTargets(ports).send(delivery))


def _subscription(arn: str, protocol: str, endpoint: str) -> str:
    return (
        f"<member><SubscriptionArn>{arn}</SubscriptionArn><Protocol>{protocol}</Protocol>"
        f"<Endpoint>{endpoint}</Endpoint></member>"
    )


def _listed(*members: str, token: str = "") -> str:
    following = f"<NextToken>{token}</NextToken>" if token else ""
    return f'<R xmlns="http://sns.amazonaws.com/doc/"><Subscriptions>{"".join(members)}</Subscriptions>{following}</R>'


def _attributes(**attributes: str) -> str:
    entries = "".join(f"<entry><key>{key}</key><value>{value}</value></entry>" for key, value in attributes.items())
    return f'<R xmlns="http://sns.amazonaws.com/doc/"><Attributes>{entries}</Attributes></R>'


def test_a_topic_s_own_subscriptions_become_messages_of_their_own_page_by_page() -> None:
    ports = _Ports()
    ports.services.answers["ListSubscriptionsByTopic"] = [
        _listed(
            _subscription(f"{_TOPIC}:1", "http", "http://127.0.0.1/1"),
            _subscription("PendingConfirmation", "http", "http://127.0.0.1/2"),
            _subscription(f"{_TOPIC}:3", "email", "a@example.com"),
            token="more",
        ),
        _listed(_subscription(f"{_TOPIC}:4", "lambda", _FUNCTION)),
    ]
    ports.services.answers["GetSubscriptionAttributes"] = [_attributes(RawMessageDelivery="true")]

    instead = _send(ports)

    assert [(each.id, each.target, each.topic, each.raw) for each in instead] == [
        (f"change-1/0/{_TOPIC}:1", "http://127.0.0.1/1", _TOPIC, True),
        (f"change-1/0/{_TOPIC}:4", _FUNCTION, _TOPIC, True),
    ]
    assert {each.change_id for each in instead} == {"change-1"}


@pytest.mark.parametrize(
    ("attributes", "takes"),
    [
        ({"FilterPolicy": '{"NewStateValue": ["ALARM"]}', "FilterPolicyScope": "MessageBody"}, True),
        ({"FilterPolicy": '{"NewStateValue": ["OK"]}', "FilterPolicyScope": "MessageBody"}, False),
        ({"FilterPolicy": '{"team": ["a"]}'}, False),  # of attributes, which an alarm's message has not
        ({"FilterPolicy": '{"team": [{"exists": false}]}'}, True),
        ({}, True),
    ],
)
def test_a_filter_policy_decides_who_is_told(attributes: dict[str, str], takes: bool) -> None:
    ports = _Ports()
    ports.services.answers["ListSubscriptionsByTopic"] = [_listed(_subscription(f"{_TOPIC}:1", "http", "http://x"))]
    ports.services.answers["GetSubscriptionAttributes"] = [_attributes(**attributes)]

    assert len(_send(ports)) == takes


def test_a_topic_elsewhere_is_published_to_with_the_change_s_id_as_an_attribute() -> None:
    ports = _Ports(has_own_topics=False)

    assert _send(ports) == []

    [asked] = ports.services.asked
    assert (asked["Action"], asked["TopicArn"], asked["Subject"]) == ("Publish", _TOPIC, "ALARM")
    assert (asked["MessageAttributes.entry.1.Name"], asked["MessageAttributes.entry.1.Value.StringValue"]) == (
        "StateChangeId",
        "change-1",
    )


@pytest.mark.parametrize("answer", [(404, "<r/>"), (200, "no XML")])
def test_a_topic_that_is_not_there_or_not_understood_is_tried_again(answer: tuple[int, str]) -> None:
    ports = _Ports()
    ports.services.status = answer[0]
    ports.services.answers["ListSubscriptionsByTopic"] = [answer[1]]

    with pytest.raises(DeliveryFailed, match="ListSubscriptionsByTopic"):
        _send(ports)


def test_a_function_is_called_for_the_alarm_and_a_subscribed_one_for_the_topic() -> None:
    ports = _Ports()

    _send(ports, replace(_DELIVERY, target=_FUNCTION))
    _send(ports, replace(_DELIVERY, target=_FUNCTION, topic=_TOPIC, subscription=f"{_TOPIC}:1"))

    assert ports.judged == [
        ("arn:aws:cloudwatch:eu-west-1:111111111111:alarm:bad", "lambda.alarms.cloudwatch.amazonaws.com"),
        (_TOPIC, "sns.amazonaws.com"),
    ]
    (_, event), (_, records) = ports.called
    assert event == _DELIVERY.body.encode()
    [record] = json.loads(records)["Records"]
    assert record["Sns"]["MessageId"] == "change-1"
    assert record["EventSubscriptionArn"] == f"{_TOPIC}:1"


def test_a_function_that_may_not_be_called_or_is_not_there_is_tried_again() -> None:
    closed, gone = _Ports(), _Ports()
    closed.allowed, gone.missing = False, True

    for ports, told in ((closed, "does not let"), (gone, "Function not found")):
        with pytest.raises(DeliveryFailed, match=told):
            _send(ports, replace(_DELIVERY, target=_FUNCTION))
    assert closed.called == []


def test_a_subscriber_gets_the_envelope_or_the_message_alone() -> None:
    ports = _Ports()
    subscribed = replace(_DELIVERY, target="http://127.0.0.1/1", topic=_TOPIC, subscription=f"{_TOPIC}:1")

    _send(ports, subscribed)
    _send(ports, replace(subscribed, raw=True))

    (_, _, wrapped), (_, headers, bare) = ports.posted
    assert json.loads(wrapped)["Message"] == _DELIVERY.body
    assert (bare, headers["x-amz-sns-rawdelivery"]) == (_DELIVERY.body.encode(), "true")


def test_a_webhook_s_refusal_and_its_absence_name_it_and_not_its_url() -> None:
    ports = _Ports()
    ports.status = 500
    webhook = replace(_DELIVERY, target="arn:aws:headgate:::webhook/oncall")

    with pytest.raises(DeliveryFailed, match=r"^the webhook oncall answered 500$"):
        _send(ports, webhook)
    ports.webhooks = {}
    with pytest.raises(DeliveryFailed, match="there is no webhook oncall under"):
        _send(ports, webhook)
