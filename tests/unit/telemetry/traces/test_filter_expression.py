"""Filter expressions: which traces each accepts, and what is said of one that cannot be read."""

from typing import Any

import pytest

from headgate.telemetry.traces.database import StoredTrace
from headgate.telemetry.traces.filter_expression import BadFilter, parse_filter
from headgate.telemetry.traces.view import TraceView

_TRACE_ID = "1-6b0dd4b5-72e0157ecf877bdbf8de4331"


def a_segment(number: int, name: str, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    segment = {
        "id": f"{number:016x}",
        "trace_id": _TRACE_ID,
        "name": name,
        "start_time": 100.0,
        "end_time": 100.5,
        **fields,
    }
    return segment if parent is None else {**segment, "parent_id": f"{parent:016x}"}


def a_trace(*segments: dict[str, Any]) -> TraceView:
    start_s = min(each["start_time"] for each in segments)
    end_s = max(each.get("end_time", start_s) for each in segments)
    return TraceView(StoredTrace(_TRACE_ID, start_s, end_s, list(segments)))


def _orders() -> TraceView:
    """A failed call of a function, which called a table that answered 400."""
    request = {"url": "http://orders.example/prod/pets", "method": "GET", "client_ip": "10.0.0.7", "user_agent": "curl"}
    call = {"id": f"{2:016x}", "name": "Lambda", "start_time": 100.1, "end_time": 102.9, "namespace": "aws"}
    table = {
        "id": f"{9:016x}",
        "name": "DynamoDB",
        "start_time": 100.3,
        "end_time": 100.4,
        "namespace": "aws",
        "error": True,
    }
    return a_trace(
        a_segment(
            1,
            "orders/prod",
            origin="AWS::ApiGateway::Stage",
            end_time=103.0,
            http={"request": request, "response": {"status": 502}},
            fault=True,
            user="ada",
            annotations={"request_id": "r-1", "size": 12, "paid": True, "my-key": "x"},
            subsegments=[call],
        ),
        a_segment(3, "stock", 2, origin="AWS::Lambda", start_time=100.2, end_time=102.8),
        a_segment(
            4,
            "stock",
            3,
            origin="AWS::Lambda::Function",
            start_time=100.2,
            end_time=103.2,
            fault=True,
            cause={"exceptions": [{"message": "no stock", "type": "ValueError"}]},
            subsegments=[table],
        ),
    )


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("", True),
        ("fault", True),
        ("ok", False),
        ("!ok", True),
        ("NOT fault", False),
        ("fault = false", False),
        ("fault != false", True),
        ("throttle", False),
        ("error", True),
        ("partial", False),
        ("responsetime > 2.9", True),
        ("responsetime > 3", False),
        ("duration > 3.1", True),
        ("duration >= 1 AND duration <= 2", False),
        ("http.status = 502", True),
        ("http.status != 502", False),
        ('http.url CONTAINS "/pets"', True),
        ('http.url BEGINSWITH "http://orders"', True),
        ('http.url ENDSWITH "pets"', True),
        ('http.url = "/pets"', False),
        ('http.method = "GET" AND http.clientip = "10.0.0.7" and http.useragent = "curl"', True),
        ('user = "ada"', True),
        ("user", True),
        ('message CONTAINS "stock"', True),
        ('annotation.request_id = "r-1"', True),
        ('annotation[request_id] = "r-1"', True),
        ('annotation["request_id"] = "r-1"', True),
        ('annotation.request_id="r-2"', False),
        ('annotation.my-key = "x"', True),
        ("annotation.missing", False),
        ('annotation.missing != "x"', False),
        ("annotation.request_id", True),
        ('annotation.request_id BEGINSWITH "r-"', True),
        ("annotation.size > 11", True),
        ("annotation.size = 12", True),
        ('annotation.size = "12"', False),
        ("annotation.paid = true", True),
        ("annotation.paid = 1", False),
        ('service("orders/prod")', True),
        ('service("nobody")', False),
        ('service("orders/prod") { fault }', True),
        ('service("stock") { responsetime > 2.9 }', True),
        ('service("orders/prod") { http.status = 200 }', False),
        ('service(id(name: "stock", type: "AWS::Lambda")) { fault }', False),
        ('service(id(name: "stock", type: "AWS::Lambda::Function")) { fault }', True),
        ("service() { inferred AND error }", True),
        ('service("DynamoDB") { inferred }', True),
        ('service("Lambda")', False),
        ('edge("orders/prod", "stock")', True),
        ('edge("stock", "orders/prod")', False),
        ('edge("orders/prod", "stock") { fault }', False),
        ('edge("stock", "stock") { fault }', True),
        ("ok OR fault AND throttle", False),
        ("(ok OR fault) AND !throttle", True),
        ("fault OR ok AND throttle", True),
        ('resource.arn = "x"', False),
    ],
)
def test_an_expression(expression: str, accepted: bool) -> None:
    assert parse_filter(expression).accepts(_orders()) is accepted


@pytest.mark.parametrize(
    ("expression", "annotation"),
    [
        ('annotation.request_id = "r-1"', ("request_id", "r-1")),
        ('fault AND annotation.request_id = "r-1"', ("request_id", "r-1")),
        ('(annotation.request_id = "r-1")', ("request_id", "r-1")),
        ('annotation.request_id = "r-1" OR fault', None),
        ('!(annotation.request_id = "r-1")', None),
        ('annotation.request_id != "r-1"', None),
        ("annotation.size = 12", None),
        ('annotation.aws:api_id = "a"', None),
        ('service("a") { annotation.request_id = "r-1" }', None),
    ],
)
def test_an_annotation_that_every_accepted_trace_has_can_be_looked_up(
    expression: str, annotation: tuple[str, str] | None
) -> None:
    assert parse_filter(expression).annotation == annotation


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("speed > 3", "unknown keyword 'speed' at 0"),
        ("responsetime >", "it ends in the middle"),
        ('responsetime > "3"', "give a number"),
        ("http.url CONTAINS 3", 'give a "text" in double quotes'),
        ("fault AND", "it ends in the middle"),
        ("fault fault", "AND, OR or the end was expected"),
        ("(fault", "')' was expected"),
        ("fault = maybe", "give true or false"),
        ("service(stock)", "a service's name"),
        ('service(id(size: "x"))', "it takes name and type"),
        ("annotation.size ~ 3", "cannot be read"),
        ('annotation.request_id > "a"', "texts have"),
        ("annotation.size = x", "is compared with 'x'"),
        ("((((" * 20 + "ok" + "))))" * 20, "nested deeper"),
        ("!" * 100 + "ok", "nested deeper"),
    ],
)
def test_what_cannot_be_read_is_said(expression: str, told: str) -> None:
    with pytest.raises(BadFilter, match=r".*") as caught:
        parse_filter(expression)

    assert told in str(caught.value)
