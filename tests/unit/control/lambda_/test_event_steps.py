"""What follows an attempt to deliver an event: aws-semantics 9.4."""

import json
from typing import Any, Final

import pytest
from msgspec.structs import replace

from headgate.control.lambda_.event_steps import (
    Attempt,
    Condition,
    Missing,
    PutBack,
    Ran,
    Retry,
    Settle,
    deliveries,
    is_too_old,
    next_step,
    record,
)
from headgate.functions.errors import ReservedLimitReached, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.event import EventPolicy, FunctionEvent
from headgate.model.invocation import FunctionError, Outcome

from .account import ACCOUNT, NOON, QUEUE, REGION, arn

DELAYS: Final = (60.0, 120.0)
EVENT: Final = FunctionEvent(
    id="request-1",
    function=FunctionRef(account_id=ACCOUNT, region=REGION, name="hello", qualifier="live"),
    payload=b'{"order": 1}',
    received_at=NOON,
    due_at=NOON,
)
SUCCESS: Final = Ran(version="2", outcome=Outcome(payload=b'{"done": 1.10}'))
FAILURE: Final = Ran(
    version="2", outcome=Outcome(payload=b'{"errorMessage":"no","errorType":"E"}', error=FunctionError.UNHANDLED)
)
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"


def step(attempt: Attempt, *, attempts: int = 0, now: float = NOON, **policy: Any) -> Any:
    return next_step(replace(EVENT, attempts=attempts), attempt, EventPolicy(**policy), DELAYS, now)


def settled(condition: Condition, attempts: int = 3) -> Settle:
    return Settle(condition=condition, event=replace(EVENT, attempts=attempts))


def test_a_call_that_succeeds_settles_the_event() -> None:
    assert step(SUCCESS) == settled(Condition.SUCCESS, attempts=1)


@pytest.mark.parametrize("attempt", [FAILURE, Missing()], ids=["failed", "deleted"])
def test_a_call_that_fails_is_made_again_after_one_and_after_two_minutes(attempt: Attempt) -> None:
    first = step(attempt)
    second = step(attempt, attempts=1)

    assert first == Retry(event=replace(EVENT, attempts=1, due_at=NOON + 60))
    assert second == Retry(event=replace(EVENT, attempts=2, due_at=NOON + 120))


@pytest.mark.parametrize(("max_retries", "attempts"), [(2, 2), (1, 1), (0, 0)])
def test_after_the_last_retry_the_event_is_settled(max_retries: int, attempts: int) -> None:
    assert step(FAILURE, attempts=attempts, max_retries=max_retries) == settled(
        Condition.RETRIES_EXHAUSTED, attempts=attempts + 1
    )


def test_a_retry_that_would_come_after_the_maximum_age_is_not_made() -> None:
    in_time = step(FAILURE, now=NOON + 40, max_age_s=100.0)
    too_late = step(FAILURE, now=NOON + 41, max_age_s=100.0)

    assert isinstance(in_time, Retry)
    assert too_late == settled(Condition.EVENT_AGE_EXCEEDED, attempts=1)


def test_a_throttled_call_is_tried_again_until_the_maximum_age_and_counts_as_none() -> None:
    throttled = Throttled("full")

    assert step(throttled, attempts=1, now=NOON + 100, max_age_s=100.0) == PutBack()
    assert step(throttled, attempts=1, now=NOON + 100.1, max_age_s=100.0) == settled(
        Condition.EVENT_AGE_EXCEEDED, attempts=1
    )


def test_without_any_concurrency_the_event_is_settled_at_once() -> None:
    assert step(ReservedLimitReached(0)) == settled(Condition.ZERO_RESERVED_CONCURRENCY, attempts=0)
    assert step(ReservedLimitReached(1)) == PutBack()


def test_the_maximum_age_itself_is_not_too_old() -> None:
    policy = EventPolicy(max_age_s=60)

    assert not is_too_old(EVENT, policy, NOON + 60)
    assert is_too_old(EVENT, policy, NOON + 60.001)


def test_the_record_says_all_of_a_call_that_failed() -> None:
    assert json.loads(record(settled(Condition.RETRIES_EXHAUSTED), FAILURE, NOON)) == {
        "version": "1.0",
        "timestamp": "2024-10-10T13:55:36.750Z",
        "requestContext": {
            "requestId": "request-1",
            "functionArn": arn(qualifier="live"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"order": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "2", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no", "errorType": "E"},
    }


def test_the_record_of_success_has_the_answer_to_the_digit_and_no_error() -> None:
    text = record(settled(Condition.SUCCESS, attempts=1), SUCCESS, NOON)

    assert '"responsePayload":{"done": 1.10}' in text
    assert json.loads(text)["responseContext"] == {"statusCode": 200, "executedVersion": "2"}


def test_the_record_names_the_function_as_latest_where_no_qualifier_was_used() -> None:
    event = replace(EVENT, function=EVENT.function.unqualified)

    document = json.loads(record(Settle(condition=Condition.SUCCESS, event=event), SUCCESS, NOON))

    assert document["requestContext"]["functionArn"] == arn(qualifier="$LATEST")


@pytest.mark.parametrize(
    ("condition", "attempt", "context"),
    [
        (Condition.EVENT_AGE_EXCEEDED, Throttled("full"), {"statusCode": 429}),
        (Condition.EVENT_AGE_EXCEEDED, None, None),
        (Condition.ZERO_RESERVED_CONCURRENCY, ReservedLimitReached(0), None),
        (Condition.RETRIES_EXHAUSTED, Missing(), {"statusCode": 404}),
    ],
    ids=["throttled", "too old", "no concurrency", "deleted"],
)
def test_the_record_of_a_call_that_did_not_run_has_no_answer(
    condition: Condition, attempt: Attempt, context: object
) -> None:
    document = json.loads(record(settled(condition), attempt, NOON))

    assert "responsePayload" not in document
    assert document.get("responseContext") == context


def test_an_answer_that_is_no_json_is_a_string_of_the_record() -> None:
    answer = Ran(version="2", outcome=Outcome(payload=b"plain \xff"))

    assert json.loads(record(settled(Condition.SUCCESS), answer, NOON))["responsePayload"] == "plain \ufffd"


def test_success_is_told_to_its_destination_alone() -> None:
    policy = EventPolicy(on_success=QUEUE, on_failure=TOPIC, dead_letter=TOPIC)

    (message,) = deliveries(settled(Condition.SUCCESS), SUCCESS, policy, NOON)

    assert message.target == QUEUE
    assert message.body == record(settled(Condition.SUCCESS), SUCCESS, NOON)
    assert message.detail_type == "Lambda Function Invocation Result - Success"


def test_failure_is_told_to_its_destination_and_to_the_dead_letter_target() -> None:
    policy = EventPolicy(on_success=TOPIC, on_failure=QUEUE, dead_letter=TOPIC)

    destination, dead_letter = deliveries(settled(Condition.RETRIES_EXHAUSTED), FAILURE, policy, NOON)

    assert (destination.target, destination.detail_type) == (QUEUE, "Lambda Function Invocation Result - Failure")
    assert (dead_letter.target, dead_letter.body) == (TOPIC, '{"order": 1}')
    assert {name: (each.data_type, each.value) for name, each in dead_letter.attributes.items()} == {
        "RequestID": ("String", "request-1"),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no"),
    }


def test_nothing_is_told_where_no_target_is_set() -> None:
    assert deliveries(settled(Condition.RETRIES_EXHAUSTED), FAILURE, EventPolicy(), NOON) == ()


@pytest.mark.parametrize(
    ("attempt", "code", "message"),
    [
        (Missing(), "404", f"Function not found: {arn(qualifier='live')}"),
        (Throttled("full"), "429", "Rate Exceeded."),
        (
            ReservedLimitReached(0),
            "429",
            "Function not invoked. Function is configured with zero reserved concurrent executions",
        ),
        (Ran(version="1", outcome=Outcome(payload=b"{}", error=FunctionError.UNHANDLED)), "200", "(none)"),
        (
            Ran(version="1", outcome=Outcome(payload=b'{"errorMessage":"%s"}' % (b"x" * 2000))),
            "200",
            "x" * 1024,
        ),
    ],
    ids=["deleted", "throttled", "no concurrency", "an error without a message", "a long message"],
)
def test_the_dead_letter_says_why(attempt: Attempt, code: str, message: str) -> None:
    policy = EventPolicy(dead_letter=QUEUE)

    (letter,) = deliveries(settled(Condition.RETRIES_EXHAUSTED), attempt, policy, NOON)

    assert letter.attributes["ErrorCode"].value == code
    assert letter.attributes["ErrorMessage"].value == message
