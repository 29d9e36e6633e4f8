"""Segment documents: what one may be, how they are joined, and the service graph of what they make."""

from typing import Any

import orjson
import pytest

from headgate.telemetry.traces.graph import graph_of
from headgate.telemetry.traces.segments import BadSegment, joined, parse_segment
from headgate.telemetry.traces.view import summary
from unit.telemetry.traces.test_filter_expression import _orders, a_segment, a_trace


def _document(**changes: Any) -> bytes:
    segment = {**a_segment(1, "orders"), **changes}
    return orjson.dumps({name: value for name, value in segment.items() if value is not ...}, default=str)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(b"{", "ParseError", id="no JSON"),
        pytest.param(b"[]", "ParseError", id="no object"),
        pytest.param(_document(id="1"), "MissingId", id="short id"),
        pytest.param(_document(trace_id="1-2-3"), "MissingTraceId", id="no trace id"),
        pytest.param(_document(name=""), "MissingName", id="no name"),
        pytest.param(_document(start_time="now"), "MissingStartTime", id="start is no number"),
        pytest.param(_document(end_time=None), "MissingEndTime", id="no end"),
        pytest.param(_document(type="subsegment"), "MissingParentId", id="subsegment without parent"),
        pytest.param(_document(parent_id=[1]), "InvalidParentId", id="parent is a list"),
        pytest.param(_document(subsegments=[{"id": "x"}]), "MissingId", id="bad subsegment"),
        pytest.param(
            _document(subsegments=[a_segment(2, "x", start_time="y")]), "MissingStartTime", id="subsegment's start"
        ),
        pytest.param(b'{"a":"' + b"x" * 70_000 + b'"}', "DocumentTooLarge", id="too large"),
    ],
)
def test_what_is_no_segment_is_told_with_its_code(document: bytes, code: str) -> None:
    with pytest.raises(BadSegment) as caught:
        parse_segment(document)

    assert caught.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"in_progress": True, "end_time": ...},
        {"subsegments": 5},
        {"annotations": [1]},
        {"http": "x", "cause": {"exceptions": [1]}, "aws": 3},
    ],
    ids=["in progress", "subsegments are no list", "annotations are no map", "nonsense where nothing is checked"],
)
def test_a_document_with_odd_fields_is_kept_and_shown(fields: dict[str, Any]) -> None:
    segment = parse_segment(_document(**fields))

    shown = summary(a_trace(segment))

    assert shown["EntryPoint"]["Name"] == "orders"
    assert shown["IsPartial"] is bool(fields.get("in_progress"))


def test_a_subsegment_that_came_apart_stands_below_its_parent() -> None:
    inner = {"id": f"{2:016x}", "name": "inner", "start_time": 100.1, "end_time": 100.2}
    apart = a_segment(3, "apart", 2, type="subsegment")

    roots = joined([apart, a_segment(1, "orders", subsegments=[inner])])

    assert [root["name"] for root in roots] == ["orders"]
    assert roots[0]["subsegments"][0]["subsegments"][0]["name"] == "apart"


def test_a_subsegment_without_its_parent_stands_alone() -> None:
    assert [root["name"] for root in joined([a_segment(3, "apart", 2, type="subsegment")])] == ["apart"]


def test_subsegments_that_are_each_other_s_parents_stand_alone_and_end_nothing() -> None:
    left, right = a_segment(1, "left", 2, type="subsegment"), a_segment(2, "right", 1, type="subsegment")

    assert {root["name"] for root in joined([left, right])} == {"left", "right"}


def test_a_trace_s_summary_is_of_its_root() -> None:
    shown = summary(_orders())

    assert (shown["HasFault"], shown["HasError"], shown["ResponseTime"], shown["Duration"]) == (True, False, 3.0, 3.2)
    assert shown["Http"]["HttpStatus"] == 502
    assert shown["EntryPoint"]["Type"] == "AWS::ApiGateway::Stage"
    assert [each["Name"] for each in shown["ServiceIds"]] == ["orders/prod", "stock", "stock", "DynamoDB"]
    assert shown["Annotations"]["paid"][0]["AnnotationValue"] == {"BooleanValue": True}
    assert shown["Annotations"]["size"][0]["AnnotationValue"] == {"NumberValue": 12}


def test_a_graph_has_each_service_once_and_counts_its_calls() -> None:
    services = graph_of([_orders(), _orders()])

    by_number = {each["ReferenceId"]: each for each in services}
    called = {
        (each.get("Name"), each.get("Type")): [by_number[edge["ReferenceId"]]["Type"] for edge in each["Edges"]]
        for each in services
    }
    assert called == {
        ("orders/prod", "AWS::ApiGateway::Stage"): ["AWS::Lambda"],
        ("stock", "AWS::Lambda"): ["AWS::Lambda::Function"],
        ("stock", "AWS::Lambda::Function"): ["AWS::DynamoDB"],
        ("DynamoDB", "AWS::DynamoDB"): [],
        (None, "client"): ["AWS::ApiGateway::Stage"],
    }
    statistics = services[0]["SummaryStatistics"]
    assert (statistics["TotalCount"], statistics["FaultStatistics"]["TotalCount"], statistics["OkCount"]) == (2, 2, 0)
    table = next(each for each in services if each.get("Name") == "DynamoDB")
    assert table["SummaryStatistics"]["ErrorStatistics"] == {"ThrottleCount": 0, "OtherCount": 2, "TotalCount": 2}
