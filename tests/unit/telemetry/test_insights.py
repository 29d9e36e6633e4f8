"""Logs Insights' language: what queries make of events."""

import json
from typing import Any

import pytest

from headgate.telemetry.insights.query import QueryError, parse_query
from headgate.telemetry.insights.values import Record, Time

_NOON = 1_728_561_600_000  # 2024-10-10 12:00:00


def _event(number: int, document: dict[str, Any] | str) -> Record:
    message = document if isinstance(document, str) else json.dumps(document)
    fields = {"@timestamp": Time(_NOON + number * 60_000), "@message": message, "@logStream": f"s{number % 2}"}
    return Record(fields, message)


_EVENTS: list[dict[str, Any] | str] = [
    {"status": 200, "ms": 10, "user": {"name": "ann"}, "tags": ["a", "b"]},
    {"status": 404, "ms": 20, "user": {"name": "bob"}, "why": "not found"},
    {"status": 500, "ms": 30.5, "user": {"name": "ann"}, "why": "Exception: no good"},
    {"status": 200, "ms": 40, "user": {"name": "cid"}, "note": ""},
    "user=dan, method:GET, latency := 7",
]


def _rows(text: str, limit: int = 100) -> list[dict[str, str]]:
    query = parse_query(text)
    records, _ = query.run([_event(number, document) for number, document in enumerate(_EVENTS)], limit)
    return [dict(query.row(record)) for record in records]


def _column(text: str, name: str) -> list[str]:
    return [row.get(name, "") for row in _rows(text)]


_FILTERS = {
    "filter status = 200": [0, 3],
    "filter status = '200'": [0, 3],
    "filter status != 200": [1, 2, 4],  # what is not there differs
    "filter status >= 404 and ms < 30": [1],
    "filter status = 404 or status = 500": [1, 2],
    "filter not (status = 404 or status = 500)": [0, 3, 4],
    "filter status = 200 and user.name = 'cid' or status = 500": [2, 3],
    "filter status in [404, 500]": [1, 2],
    "filter user.name not in ['ann', 'bob']": [3, 4],
    "filter why like /(?i)exception/": [2],
    "filter why =~ 'not'": [1],
    "filter why not like 'not'": [0, 2, 3, 4],
    "filter @message like /user=\\w+/": [4],
    "filter ispresent(why)": [1, 2],
    "filter isempty(note) and ispresent(note)": [3],
    "filter isblank(status)": [4],
    "filter strcontains(why, 'good')": [2],
    "filter strlen(user.name) = 3 and ms % 20 = 0": [1, 3],
    "filter (ms + 2) * 2 = 24": [0],
    "filter ms / 0 = 1": [],
    "filter 2 ^ 3 = 8": [0, 1, 2, 3, 4],
    "filter -ms < -30": [2, 3],
    "filter tags.1 = 'b'": [0],
    "filter `user.name` = 'ann' # a comment | limit 1": [0, 2],
    "filter toupper(user.name) = 'BOB'": [1],
    "filter substr(user.name, 1, 1) = 'o'": [1],
    "filter abs(0 - ms) = 10 or floor(ms) = 30": [0, 2],
    "filter coalesce(why, user.name) = 'ann'": [0],
    "filter @logStream = 's1'": [1, 3],
}


@pytest.mark.parametrize(("text", "kept"), _FILTERS.items(), ids=_FILTERS)
def test_filters(text: str, kept: list[int]) -> None:
    times = [f"2024-10-10 12:0{number}:00.000" for number in kept]

    assert _column(text, "@timestamp") == times


def test_without_fields_the_time_and_the_message_are_shown() -> None:
    assert _rows("limit 1") == [{"@timestamp": "2024-10-10 12:00:00.000", "@message": json.dumps(_EVENTS[0])}]


def test_fields_are_named_by_their_text_or_their_alias_and_left_out_where_they_are_not() -> None:
    assert _rows("fields ms * 2, user.name as who, why | limit 2") == [
        {"ms * 2": "20", "who": "ann"},
        {"ms * 2": "40", "who": "bob", "why": "not found"},
    ]


def test_display_shows_what_was_made_before() -> None:
    assert _rows("fields ms as took | display took | limit 1") == [{"took": "10"}]


def test_stats_by_fields_and_by_time() -> None:
    by_user = (
        "filter ispresent(ms) | stats count(*) as n, sum(ms), max(ms) by user.name | sort n desc, user.name | limit 2"
    )
    assert _rows(by_user) == [
        {"user.name": "ann", "n": "2", "sum(ms)": "40.5", "max(ms)": "30.5"},
        {"user.name": "bob", "n": "1", "sum(ms)": "20", "max(ms)": "20"},
    ]
    assert _rows("stats count(status) by bin(2m) as at | sort at") == [
        {"at": "2024-10-10 12:00:00.000", "count(status)": "2"},
        {"at": "2024-10-10 12:02:00.000", "count(status)": "2"},
        {"at": "2024-10-10 12:04:00.000", "count(status)": "0"},
    ]


_AGGREGATES = {
    "count(*)": "5",
    "count(why)": "2",
    "count_distinct(user.name)": "3",
    "avg(ms)": "25.125",
    "min(ms)": "10",
    "max(user.name)": "cid",
    "pct(ms, 50)": "25.25",
    "pct(ms, 100)": "40",
    "median(ms)": "25.25",
    "stddev(ms)": "12.9767",
    "sum(ms) / count(ms)": "25.125",
    "latest(status)": "200",
    "earliest(why)": "not found",
}


@pytest.mark.parametrize(("aggregate", "value"), _AGGREGATES.items(), ids=_AGGREGATES)
def test_aggregates(aggregate: str, value: str) -> None:
    assert _rows(f"stats {aggregate} as it") == [{"it": value}]


def test_a_count_of_nothing_is_zero() -> None:
    assert _rows("filter status = 1 | stats count(*) as n") == [{"n": "0"}]


def test_parse_by_a_glob_and_by_a_regular_expression() -> None:
    glob = 'parse @message "user=*, method:*, latency := *" as @who, @method, @latency | filter ispresent(@who)'
    regex = "parse @message /user=(?<who>[a-z]+).*:= (?<took>\\d+)/ | filter ispresent(who) | display who, took + 1"

    assert _rows(f"{glob} | display @who, @method, @latency") == [{"@who": "dan", "@method": "GET", "@latency": "7"}]
    assert _rows(regex) == [{"who": "dan", "took + 1": "8"}]


def test_sort_puts_numbers_before_texts_and_what_is_not_there_first() -> None:
    assert _column("fields ms | sort ms desc", "ms") == ["40", "30.5", "20", "10", ""]


def test_dedup_keeps_the_first_of_each() -> None:
    assert _column("fields user.name, ms | sort ms desc | dedup user.name", "ms") == ["40", "30.5", "20", ""]


def test_the_limit_of_the_call_and_of_the_query_both_hold() -> None:
    assert len(_rows("limit 4", limit=3)) == 3
    assert len(_rows("limit 2", limit=3)) == 2


def test_the_report_of_a_function_s_call_is_read() -> None:
    message = (
        "REPORT RequestId: rid\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 39 MB\t"
    )
    query = parse_query("fields @type, @requestId, @duration, @billedDuration, @memorySize, @maxMemoryUsed")

    [record], matched = query.run([_event(0, message)], 10)

    assert matched == 1
    assert [value for _, value in query.row(record)] == ["REPORT", "rid", "1.23", "2", "128000000", "39000000"]


_INVALID = {
    "": "unexpected the end; one of the commands fields, display, filter",
    "select x": "unexpected 'select'; one of the commands",
    "fields": "unexpected the end; a field, a value or a function was expected",
    "fields a b": "unexpected 'b'; | or the end was expected",
    "filter a = ": "unexpected the end",
    "filter a like b": "unexpected 'b'; a text in quotes or a regular expression",
    "filter a like /(/": "is no regular expression",
    "filter nope(a)": "there is no function nope; there are abs, avg",
    "filter strlen(a, b)": "strlen takes 1 to 1 arguments, not 2",
    "filter count(*) > 1": "count is for stats only",
    "stats ms": "stats needs an aggregate such as count(*)",
    "stats sum(count(*))": "count is for stats only",
    "stats pct(ms, x)": "the second argument of pct must be a number",
    "limit 0": "a number from 1 to 10000",
    "limit 10001": "a number from 1 to 10000",
    'parse "a * b * c" as x, y, z': "parse finds 2 values and names 3 fields",
    "parse @message x": "a text with * in quotes or a regular expression",
    "sort": "unexpected the end",
    "fields " + "(" * 100 + "a" + ")" * 100: "less nesting was expected",
    "fields a ? b": "unexpected '?'",
}


@pytest.mark.parametrize(("text", "message"), _INVALID.items(), ids=lambda it: it[:30])
def test_a_query_that_is_none_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_query(text)

    assert message in str(refused.value)
    assert 0 <= refused.value.start <= refused.value.end <= len(text)
