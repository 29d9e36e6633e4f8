"""Notices to topics; those to webhooks need a port, see stories/releases/test_notices.py."""

import json

import pytest

from headgate.model.release import Notify
from headgate.release.failures import Refused
from headgate.release.notices import Notice, deliver

TOPIC = Notify(sns="arn:aws:sns:eu-west-1:123456789012:releases")


def a_notice(text: str = "5XX alarm is in ALARM") -> Notice:
    return Notice(release="orders-2.1", number=7, kind="rolled-back", text=text, at=1_800_000_000.5, region="eu-west-1")


def published(notice: Notice) -> tuple[str, str, str]:
    calls: list[tuple[str, str, str]] = []
    deliver(TOPIC, notice, lambda topic, subject, message: calls.append((topic, subject, message)))
    (call,) = calls
    return call


def test_a_topic_gets_a_subject_for_people_and_a_message_for_programs() -> None:
    topic, subject, message = published(a_notice())

    assert topic == TOPIC.sns
    assert subject == "orders-2.1 rolled-back: 5XX alarm is in ALARM"
    assert json.loads(message) == {
        "text": "orders-2.1 (eu-west-1): 5XX alarm is in ALARM",
        "release": "orders-2.1",
        "number": 7,
        "kind": "rolled-back",
        "region": "eu-west-1",
        "reason": "5XX alarm is in ALARM",
        "at": "2027-01-15T08:00:00.500Z",
        "url": "",
    }


def test_a_subject_is_what_sns_takes() -> None:
    subject = published(a_notice("p99\n412 ms — über 300 ms " + "x" * 200))[1]

    assert subject.startswith("orders-2.1 rolled-back: p99 412 ms ? ?ber 300 ms xxx")
    assert len(subject) == 99


def test_a_notification_to_nobody_is_refused() -> None:
    with pytest.raises(Refused):
        deliver(Notify(), a_notice(), lambda *_: None)
