"""Messages of SQS as Lambda hands them to a function, and what a function says of them (Developer Guide, "SQS")."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from headgate.functions.event_pattern import matches
from headgate.model.event_source import QueueRef

Message = Mapping[str, Any]
"""A message as ReceiveMessage answers it."""

MAX_EVENT_BYTES: Final = 6_291_456  # what an invocation may carry


def record(message: Message, queue: QueueRef, queue_arn: str) -> dict[str, Any]:
    """One item of an event's Records."""
    made = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": message.get("Attributes") or {},
        "messageAttributes": {
            name: _attribute(value) for name, value in (message.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue.region,
    }
    if digest := message.get("MD5OfMessageAttributes"):
        made["md5OfMessageAttributes"] = digest
    return made


def fits(made: Mapping[str, Any], patterns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a record fits one of these patterns; with none, every record does.

    A pattern looks into a body that is a JSON object, and a pattern for text fits only a body that is none.
    """
    if not patterns:
        return True
    parsed = _json_object(made["body"])
    for pattern in patterns:
        wants_object = isinstance(pattern.get("body"), dict)
        if "body" in pattern and wants_object is not (parsed is not None):
            continue
        if matches(pattern, {**made, "body": parsed} if wants_object else made):
            return True
    return False


def events(records: Sequence[Mapping[str, Any]]) -> list[tuple[list[Mapping[str, Any]], bytes]]:
    """The records in as few events as their size allows, each with its records."""
    made: list[tuple[list[Mapping[str, Any]], bytes]] = []
    taken: list[Mapping[str, Any]] = []
    parts: list[bytes] = []
    size = 0
    for each in records:
        part = orjson.dumps(each)
        if taken and size + len(part) + 1 > MAX_EVENT_BYTES - 64:
            made.append((taken, _event(parts)))
            taken, parts, size = [], [], 0
        taken.append(each)
        parts.append(part)
        size += len(part) + 1
    if taken:
        made.append((taken, _event(parts)))
    return made


def failed_ids(answer: bytes, ids: frozenset[str]) -> frozenset[str]:
    """The messages that a function reports as failed, of those it was given.

    An answer that cannot be read, or names what it was not given, means all of them ("Conditions of success and
    failure"); no answer, or an empty one, means none.
    """
    try:
        result = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return ids
    if result is None:
        return frozenset()
    if not isinstance(result, dict):
        return ids
    failures = result.get("batchItemFailures")
    if not failures and (failures is None or isinstance(failures, list)):
        return frozenset()
    if not isinstance(failures, list):
        return ids
    named = frozenset(str(each.get("itemIdentifier")) if isinstance(each, dict) else "" for each in failures)
    if not named.issubset(ids):
        return ids
    return named


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if "StringValue" in value:
        made["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        made["binaryValue"] = value["BinaryValue"]
    return {**made, "stringListValues": [], "binaryListValues": [], "dataType": value.get("DataType", "String")}


def _json_object(body: str) -> dict[str, Any] | None:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _event(parts: list[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(parts) + b"]}"
