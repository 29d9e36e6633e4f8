"""Messages as events, and what a function's answer says of them."""

import json
from typing import Any

import pytest

from headgate.control.polling.sqs_event import MAX_EVENT_BYTES, events, failed_ids, fits
from headgate.functions.event_pattern import parse_pattern

IDS = frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"null", ()),
        (b"{}", ()),
        (b'{"batchItemFailures": []}', ()),
        (b'{"batchItemFailures": null}', ()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', ("a",)),
        (b'{"batchItemFailures": [{"itemIdentifier": "other"}]}', ("a", "b")),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ("a", "b")),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ("a", "b")),
        (b'{"batchItemFailures": [{}]}', ("a", "b")),
        (b'{"batchItemFailures": ["a"]}', ("a", "b")),
        (b'{"batchItemFailures": "a"}', ("a", "b")),
        (b'"text"', ("a", "b")),
        (b"no json", ("a", "b")),
    ],
)
def test_an_answer_says_which_messages_failed(answer: bytes, failed: tuple[str, ...]) -> None:
    assert failed_ids(answer, IDS) == frozenset(failed)


@pytest.mark.parametrize(
    ("pattern", "body", "expected"),
    [
        ({"body": {"a": [1]}}, '{"a": 1}', True),
        ({"body": {"a": [1]}}, '{"a": 2}', False),
        ({"body": {"a": [{"exists": False}]}}, "text", False),
        ({"body": ["text"]}, "text", True),
        ({"body": [{"prefix": "{"}]}, '{"a": 1}', False),
        ({"messageId": ["m"]}, "anything", True),
        ({"messageId": ["n"]}, "anything", False),
    ],
)
def test_a_filter_looks_into_a_body_of_its_own_kind(pattern: Any, body: str, expected: bool) -> None:
    assert fits({"messageId": "m", "body": body}, [parse_pattern(json.dumps(pattern))]) is expected


def test_any_of_the_filters_lets_a_message_through_and_no_filter_all() -> None:
    record = {"messageId": "m", "body": "x"}
    patterns = [parse_pattern('{"body": ["y"]}'), parse_pattern('{"body": ["x"]}')]

    assert fits(record, patterns)
    assert not fits(record, patterns[:1])
    assert fits(record, [])


def test_records_that_do_not_fit_into_one_event_go_into_two() -> None:
    records = [{"messageId": str(number), "body": "x" * (MAX_EVENT_BYTES // 2)} for number in range(3)]

    made = events(records)

    assert [[each["messageId"] for each in some] for some, _ in made] == [["0"], ["1"], ["2"]]
    assert all(len(event) <= MAX_EVENT_BYTES for _, event in made)
    assert json.loads(events(records[:1])[0][1]) == {"Records": records[:1]}
    assert events([]) == []
