"""Notices to webhooks, over real sockets."""

import json

import pytest

from headgate.model.release import Notify
from headgate.release.failures import Refused, Unavailable
from headgate.release.notices import Notice, deliver
from support.raw_servers import serving_raw

NOTICE = Notice(
    release="orders-2.1",
    number=7,
    kind="promoted",
    text="4200 requests, no harm",
    at=1_800_000_000.0,
    url="http://c/r/7",
)


def nowhere(topic: str, subject: str, message: str) -> None:
    raise AssertionError(topic)


def answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Something\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_a_webhook_gets_a_text_for_chats_the_facts_and_a_key() -> None:
    with serving_raw([answer(200, b"ok")]) as server:
        deliver(Notify(webhook=f"{server.url}/hook"), NOTICE, nowhere)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook HTTP/1.1\r\n")
    assert b"\r\nIdempotency-Key: orders-2.1/7\r\n" in head
    assert json.loads(body)["text"] == "orders-2.1: 4200 requests, no harm http://c/r/7"
    assert json.loads(body)["kind"] == "promoted"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_receiver_that_cannot_now_is_tried_again(status: int) -> None:
    with serving_raw([answer(status)]) as server:
        with pytest.raises(Unavailable, match=f"answered {status} to a notice: no body"):
            deliver(Notify(webhook=server.url), NOTICE, nowhere)


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_a_receiver_that_will_not_is_not_tried_again_and_the_secret_is_not_told(status: int) -> None:
    with serving_raw([answer(status, b"no /services/T0/s3cret")]) as server:
        with pytest.raises(Refused) as refused:
            deliver(Notify(webhook=f"{server.url}/services/T0/s3cret"), NOTICE, nowhere)

    assert str(refused.value) == f"{server.url} answered {status} to a notice: no ***"


def test_nobody_there_is_tried_again() -> None:
    with pytest.raises(Unavailable, match="connection refused"):
        deliver(Notify(webhook="http://127.0.0.1:1/hook"), NOTICE, nowhere)
