"""What follows an attempt to deliver an event: run again later, or settle it, and what is told to whom.

Rules: aws-semantics 9.4. The record's form is the one that Lambda documents for destinations.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from msgspec.structs import replace

from headgate.functions.errors import ReservedLimitReached, Throttled
from headgate.model.arn import FunctionRef
from headgate.model.event import Delivery, EventPolicy, FunctionEvent, MessageAttribute
from headgate.model.invocation import Outcome
from headgate.model.value import Value

_ERROR_MESSAGE_BYTES: Final = 1024  # of the dead letter's attribute


class Condition(StrEnum):
    """Why an event is settled."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


class Ran(Value, frozen=True):
    """The function was called."""

    version: str
    outcome: Outcome


class Missing(Value, frozen=True):
    """The function, version or alias was deleted meanwhile. It counts as a call that failed."""


Attempt = Ran | Missing | Throttled | None
"""How an attempt ended; None before the first."""


class PutBack(Value, frozen=True):
    """Try again as soon as the function has room. It counts as no call."""


class Retry(Value, frozen=True):
    event: FunctionEvent  # with its new count and time


class Settle(Value, frozen=True):
    condition: Condition
    event: FunctionEvent  # with its final count


Step = PutBack | Retry | Settle


def is_too_old(event: FunctionEvent, policy: EventPolicy, at: float) -> bool:
    return at - event.received_at > policy.max_age_s


def next_step(
    event: FunctionEvent, attempt: Attempt, policy: EventPolicy, retry_delays_s: Sequence[float], now: float
) -> Step:
    """Say what follows. A delay is taken by the number of calls so far, the last one from then on."""
    match attempt:
        case ReservedLimitReached(reserved=0):
            return Settle(condition=Condition.ZERO_RESERVED_CONCURRENCY, event=event)
        case Throttled() if is_too_old(event, policy, now):
            return Settle(condition=Condition.EVENT_AGE_EXCEEDED, event=event)
        case Throttled() | None:
            return PutBack()
    called = replace(event, attempts=event.attempts + 1)
    if isinstance(attempt, Ran) and attempt.outcome.error is None:
        return Settle(condition=Condition.SUCCESS, event=called)
    if event.attempts >= policy.max_retries:
        return Settle(condition=Condition.RETRIES_EXHAUSTED, event=called)
    due_at = now + retry_delays_s[min(event.attempts, len(retry_delays_s) - 1)]
    if is_too_old(event, policy, due_at):
        return Settle(condition=Condition.EVENT_AGE_EXCEEDED, event=called)
    return Retry(event=replace(called, due_at=due_at))


def deliveries(settled: Settle, attempt: Attempt, policy: EventPolicy, now: float) -> tuple[Delivery, ...]:
    """The messages that a settled event leaves: to a destination, and to the dead-letter target when it failed."""
    succeeded = settled.condition is Condition.SUCCESS
    messages = []
    if target := policy.on_success if succeeded else policy.on_failure:
        messages.append(
            Delivery(
                target=target,
                body=record(settled, attempt, now),
                chain=settled.event.chain + 1,
                detail_type=f"Lambda Function Invocation Result - {'Success' if succeeded else 'Failure'}",
            )
        )
    if policy.dead_letter and not succeeded:
        messages.append(
            Delivery(
                target=policy.dead_letter,
                body=settled.event.payload.decode(),
                attributes=_dead_letter_attributes(settled, attempt),
            )
        )
    return tuple(messages)


def record(settled: Settle, attempt: Attempt, now: float) -> str:
    """The invocation record that destinations are sent."""
    event = settled.event
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(now * 1000) % 1000:03d}Z",
        "requestContext": {
            "requestId": event.id,
            "functionArn": _qualified(event.function).arn,
            "condition": settled.condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": _embedded(event.payload),
    }
    match attempt:
        case Ran(version=version, outcome=outcome):
            context = {"statusCode": 200, "executedVersion": version}
            if outcome.error is not None:
                context["functionError"] = outcome.error
            document["responseContext"] = context
            document["responsePayload"] = _embedded(outcome.payload)
        case Missing():
            document["responseContext"] = {"statusCode": 404}
        case Throttled() if settled.condition is Condition.EVENT_AGE_EXCEEDED:
            document["responseContext"] = {"statusCode": 429}
    return orjson.dumps(document).decode()


def _embedded(payload: bytes) -> Any:
    """A payload as a part of the record. A custom runtime may answer with what is no JSON: that becomes a string."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode("utf-8", "replace")
    return orjson.Fragment(payload)  # as it is, to the digit


def _qualified(function: FunctionRef) -> FunctionRef:
    return replace(function, qualifier=function.qualifier or "$LATEST")


def _dead_letter_attributes(settled: Settle, attempt: Attempt) -> Mapping[str, MessageAttribute]:
    match attempt:
        case Ran(outcome=outcome):
            status, message = 200, _error_message(outcome.payload)
        case Missing():
            status, message = 404, f"Function not found: {settled.event.function.arn}"
        case ReservedLimitReached(reserved=0):
            status = 429
            message = "Function not invoked. Function is configured with zero reserved concurrent executions"
        case Throttled():
            status, message = 429, "Rate Exceeded."
        case None:
            status, message = 429, "The event was older than its maximum age before it could be delivered"
    text = message.encode()[:_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")
    return {
        "RequestID": MessageAttribute(data_type="String", value=settled.event.id),
        "ErrorCode": MessageAttribute(data_type="Number", value=str(status)),
        # A message attribute has to have a value.
        "ErrorMessage": MessageAttribute(data_type="String", value=text or "(none)"),
    }


def _error_message(document: bytes) -> str:
    try:
        error = orjson.loads(document)
    except orjson.JSONDecodeError:
        return ""
    message = error.get("errorMessage") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""
