"""Event patterns: each rule on both of its sides, and what is no pattern."""

import json
from typing import Any

import pytest

from headgate.functions.event_pattern import BadPattern, matches, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ({"a": ["x", "y"]}, {"a": "y"}, {"a": "z"}),
        ({"a": [1]}, {"a": 1.0}, {"a": True}),
        ({"a": [True]}, {"a": True}, {"a": 1}),
        ({"a": [None]}, {"a": None}, {}),
        ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}, {"a": "x"}),
        ({"a": {"b": {"c": [1]}}}, {"a": {"b": {"c": 1}}}, {"a": {"b": 1}}),
        ({"a": ["x"]}, {"a": ["w", "x"]}, {"a": []}),
        ({"a": {"b": [1]}}, {"a": [{"b": 2}, {"b": 1}]}, {"a": [{"b": 2}]}),
        ({"a": [{"prefix": "x"}]}, {"a": "xy"}, {"a": "yx"}),
        ({"a": [{"prefix": {"equals-ignore-case": "X"}}]}, {"a": "xy"}, {"a": "yx"}),
        ({"a": [{"suffix": "y"}]}, {"a": "xy"}, {"a": "yx"}),
        ({"a": [{"equals-ignore-case": "Xy"}]}, {"a": "xY"}, {"a": "xyz"}),
        ({"a": [{"anything-but": ["x", 1]}]}, {"a": "y"}, {"a": 1}),
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, {}),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "yx"}, {"a": "xy"}),
        ({"a": [{"exists": True}]}, {"a": None}, {}),
        ({"a": [{"exists": False}]}, {}, {"a": 0}),
        ({"a": [{"numeric": [">", 1, "<=", 2]}]}, {"a": 2}, {"a": 1}),
        ({"a": [{"numeric": ["=", 3]}]}, {"a": 3.0}, {"a": "3"}),
        ({"$or": [{"a": [1]}, {"b": [1]}]}, {"b": 1}, {"a": 2, "b": 2}),
        ({}, {"any": "thing"}, None),
    ],
)
def test_a_pattern_fits_one_event_and_not_the_other(pattern: Any, fitting: Any, other: Any) -> None:
    parsed = parse_pattern(json.dumps(pattern))

    assert matches(parsed, fitting)
    assert other is None or not matches(parsed, other)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"a": 1}',
        '{"a": []}',
        '{"a": [[1]]}',
        '{"a": [{}]}',
        '{"a": [{"wildcard": "*"}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"exists": "yes"}]}',
        '{"a": [{"numeric": [">"]}]}',
        '{"a": [{"numeric": ["~", 1]}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": {"exists": true}}]}',
        '{"$or": {}}',
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        parse_pattern(text)
