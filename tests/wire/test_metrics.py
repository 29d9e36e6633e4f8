"""CloudWatch's operations for metrics, by boto3 and, where it says so, by the query protocol."""

import gzip
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from support.apis import refusal
from support.server import Answer, RunningServer, fetch

_MINUTE = 60


@pytest.fixture
def namespace() -> str:
    return f"Wire/{uuid4().hex}"


@pytest.fixture
def cloudwatch(server: RunningServer) -> Any:
    return server.client("cloudwatch")


def _minute(ago: int = 0) -> int:
    """The beginning of a minute of the last hours, in seconds since the epoch."""
    return int(time.time()) // _MINUTE * _MINUTE - ago * _MINUTE


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_NOW = _minute()


def _statistics(cloudwatch: Any, namespace: str, **options: Any) -> list[dict[str, Any]]:
    asked = {
        "MetricName": "Orders",
        "StartTime": _at(_minute(60)),
        "EndTime": _at(_minute() + _MINUTE),
        "Period": 7200,
        "Statistics": ["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        **options,
    }
    answer: list[dict[str, Any]] = cloudwatch.get_metric_statistics(Namespace=namespace, **asked)["Datapoints"]
    return sorted(answer, key=lambda point: point["Timestamp"])


def _query(server: RunningServer, action: str, fields: dict[str, str], *, compress: bool = False) -> Answer:
    """One request of the query protocol, as Terraform and older SDKs make it."""
    body = urlencode({"Action": action, "Version": "2010-08-01", **fields}).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, Signature=x",
    }
    if compress:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    return fetch(server.url, "POST", body, headers)


@pytest.mark.parametrize(
    ("datum", "expected"),
    [
        pytest.param({"Value": 5.0}, (5.0, 5.0, 5.0, 5.0, 1.0), id="a value"),
        pytest.param({"Values": [1.0, 2.0, 3.0]}, (6.0, 2.0, 1.0, 3.0, 3.0), id="values"),
        pytest.param({"Values": [1.0, 4.0], "Counts": [3.0, 1.0]}, (7.0, 1.75, 1.0, 4.0, 4.0), id="counted values"),
        pytest.param({"Value": -2.5}, (-2.5, -2.5, -2.5, -2.5, 1.0), id="a negative value"),
        pytest.param(
            {"StatisticValues": {"SampleCount": 4, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}},
            (10.0, 2.5, 1.0, 4.0, 4.0),
            id="a statistic set",
        ),
    ],
)
def test_a_metric_is_put_and_its_statistics_are_got(
    cloudwatch: Any, namespace: str, datum: dict[str, Any], expected: tuple[float, ...]
) -> None:
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Orders", **datum}])

    [point] = _statistics(cloudwatch, namespace)
    found = tuple(point[name] for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount"))
    assert found == expected
    assert point["Unit"] == "None"


def test_percentiles_are_of_the_single_values_and_a_statistic_set_has_none(cloudwatch: Any, namespace: str) -> None:
    values = [float(value) for value in range(1, 101)]
    datum = {"MetricName": "Orders", "Timestamp": _at(_minute())}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{**datum, "Values": values}])
    asked = {"ExtendedStatistics": ["p90", "tm90"]}

    [known] = _statistics(cloudwatch, namespace, **asked)
    whole = {"SampleCount": 4, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{**datum, "StatisticValues": whole}])
    [unknown] = _statistics(cloudwatch, namespace, **asked)

    assert known["ExtendedStatistics"] == pytest.approx({"p90": 90.0, "tm90": 45.5}, rel=0.01)
    assert unknown.get("ExtendedStatistics", {}) == {}


def test_other_dimensions_and_other_units_are_other_metrics(cloudwatch: Any, namespace: str) -> None:
    dimensions = [{"Name": "Shop", "Value": "a"}, {"Name": "Area", "Value": "b"}]
    data = [
        {"MetricName": "Orders", "Value": 1.0},
        {"MetricName": "Orders", "Value": 2.0, "Dimensions": dimensions},
        {"MetricName": "Orders", "Value": 4.0, "Dimensions": dimensions, "Unit": "Count"},
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    reversed_set = dimensions[::-1]
    assert [point["Sum"] for point in _statistics(cloudwatch, namespace)] == [1.0]
    assert {point["Unit"]: point["Sum"] for point in _statistics(cloudwatch, namespace, Dimensions=reversed_set)} == {
        "None": 2.0,
        "Count": 4.0,
    }
    assert [point["Sum"] for point in _statistics(cloudwatch, namespace, Dimensions=reversed_set, Unit="Count")] == [
        4.0
    ]


def test_points_stand_at_the_beginning_of_their_period_and_empty_periods_are_absent(
    cloudwatch: Any, namespace: str
) -> None:
    first, third = _minute(30), _minute(28)
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": "Orders", "Value": 1.0, "Timestamp": _at(first + 10)},
            {"MetricName": "Orders", "Value": 2.0, "Timestamp": _at(first + 50)},
            {"MetricName": "Orders", "Value": 4.0, "Timestamp": _at(third + 59)},
        ],
    )

    points = _statistics(cloudwatch, namespace, Period=_MINUTE)

    assert [(point["Timestamp"], point["Sum"]) for point in points] == [(_at(first), 3.0), (_at(third), 4.0)]


def test_a_metric_of_high_resolution_is_read_by_the_second(cloudwatch: Any, namespace: str) -> None:
    at = _minute(5)
    data = [
        {"MetricName": "Orders", "Value": 1.0, "Timestamp": _at(at + second), "StorageResolution": 1}
        for second in (0, 0, 7)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    asked = {"StartTime": _at(at), "EndTime": _at(at + _MINUTE)}
    by_second = _statistics(cloudwatch, namespace, Period=1, **asked)
    by_ten = _statistics(cloudwatch, namespace, Period=10, **asked)

    assert [(point["Timestamp"], point["Sum"]) for point in by_second] == [(_at(at), 2.0), (_at(at + 7), 1.0)]
    assert [(point["Timestamp"], point["Sum"]) for point in by_ten] == [(_at(at), 3.0)]


def test_accounts_and_regions_are_apart(server: RunningServer, cloudwatch: Any, namespace: str) -> None:
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Orders", "Value": 1.0}])

    for other in (server.client("cloudwatch", region="eu-west-1"), server.client("cloudwatch", access_key="1" * 12)):
        assert other.list_metrics(Namespace=namespace)["Metrics"] == []
        assert _statistics(other, namespace) == []


@pytest.mark.parametrize(
    ("datum", "code", "told"),
    [
        ({}, "MissingParameter", "At least one of the parameters must be specified"),
        ({"Value": float("nan")}, "InvalidParameterValue", "The value NaN for parameter MetricData.member.1.Value"),
        ({"Value": 1e300}, "InvalidParameterValue", "The value 1e+300 for parameter"),
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination", "mutually exclusive"),
        ({"Values": [1.0] * 151}, "InvalidParameterValue", "must not have a size greater than 150"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue", "must be of the same size"),
        ({"Values": [1.0], "Counts": [-1.0]}, "InvalidParameterValue", "a count is not negative"),
        ({"Value": 1.0, "StorageResolution": 5}, "InvalidParameterValue", "StorageResolution is invalid; give 1 or 60"),
        ({"Value": 1.0, "Timestamp": datetime.now(UTC) - timedelta(days=15)}, "InvalidParameterValue", "two weeks"),
        ({"Value": 1.0, "Timestamp": datetime.now(UTC) + timedelta(hours=3)}, "InvalidParameterValue", "two hours"),
        (
            {"StatisticValues": {"SampleCount": 0, "Sum": 0.0, "Minimum": 0.0, "Maximum": 0.0}},
            "InvalidParameterValue",
            "SampleCount is invalid; it must be above 0",
        ),
    ],
)
def test_put_metric_data_refuses(cloudwatch: Any, namespace: str, datum: dict[str, Any], code: str, told: str) -> None:
    refused = refusal(cloudwatch.put_metric_data, Namespace=namespace, MetricData=[{"MetricName": "Orders", **datum}])

    assert (refused.code, refused.status) == (code, 400)
    assert told in refused.message


def test_a_refused_metric_takes_all_of_its_call_along(cloudwatch: Any, namespace: str) -> None:
    data = [{"MetricName": "Orders", "Value": 1.0}, {"MetricName": "Orders"}]

    refusal(cloudwatch.put_metric_data, Namespace=namespace, MetricData=data)

    assert _statistics(cloudwatch, namespace) == []


def test_aws_namespaces_are_reserved(cloudwatch: Any) -> None:
    refused = refusal(
        cloudwatch.put_metric_data, Namespace="AWS/ApiGateway", MetricData=[{"MetricName": "Count", "Value": 1.0}]
    )

    assert refused.code == "InvalidParameterValue"
    assert "AWS/ApiGateway" in refused.message


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (
            {"Period": 60, "StartTime": _at(_NOW - 7200 * _MINUTE), "EndTime": _at(_NOW)},
            "InvalidParameterCombination",
            (
                "You have requested up to 7,200 datapoints, which exceeds the limit of 1,440. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            ),
        ),
        ({"Period": 45}, "InvalidParameterValue", "The value 45 for parameter Period is invalid"),
        ({"ExtendedStatistics": ["p101"]}, "InvalidParameterValue", "The value p101"),
        (
            {"EndTime": _at(1_000_000_000)},
            "InvalidParameterCombination",
            "The parameter StartTime must be less than the parameter EndTime.",
        ),
    ],
)
def test_get_metric_statistics_refuses(
    cloudwatch: Any, namespace: str, options: dict[str, Any], code: str, told: str
) -> None:
    asked = {
        "MetricName": "Orders",
        "StartTime": _at(_minute(60)),
        "EndTime": _at(_minute()),
        "Period": 60,
        "Statistics": ["Sum"],
        **options,
    }

    refused = refusal(cloudwatch.get_metric_statistics, Namespace=namespace, **asked)

    assert (refused.code, refused.status) == (code, 400)
    assert told in refused.message


def test_at_least_one_statistic_must_be_asked_for(cloudwatch: Any, namespace: str) -> None:
    refused = refusal(
        cloudwatch.get_metric_statistics,
        Namespace=namespace,
        MetricName="Orders",
        StartTime=_at(_minute(60)),
        EndTime=_at(_minute()),
        Period=60,
    )

    assert refused.code == "InvalidParameterCombination"
    assert "Statistics and ExtendedStatistics must be specified" in refused.message


def _put_two(cloudwatch: Any, namespace: str) -> int:
    """Requests of 100 and 200, errors of 1 and 10, a minute apart; the first minute."""
    at = _minute(20)
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": name, "Value": value, "Timestamp": _at(at + minute * _MINUTE)}
            for name, values in (("Requests", (100.0, 200.0)), ("Errors", (1.0, 10.0)))
            for minute, value in enumerate(values)
        ],
    )
    return at


def _stat(id: str, namespace: str, name: str, **options: Any) -> dict[str, Any]:  # noqa: A002  the wire's name
    metric = {"Namespace": namespace, "MetricName": name}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": _MINUTE, "Stat": "Sum"}, **options}


def _data(cloudwatch: Any, at: int, *queries: dict[str, Any], **options: Any) -> Any:
    return cloudwatch.get_metric_data(
        MetricDataQueries=list(queries), StartTime=_at(at), EndTime=_at(at + 10 * _MINUTE), **options
    )


def test_an_expression_is_over_the_other_queries_and_only_what_is_wanted_returns(
    cloudwatch: Any, namespace: str
) -> None:
    at = _put_two(cloudwatch, namespace)

    [rate] = _data(
        cloudwatch,
        at,
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "error rate, at most ${MAX}"},
        _stat("requests", namespace, "Requests", ReturnData=False),
        _stat("errors", namespace, "Errors", ReturnData=False),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]

    assert rate["Values"] == [1.0, 5.0]
    assert rate["Timestamps"] == [_at(at), _at(at + _MINUTE)]
    assert rate["Label"] == "error rate, at most 5"
    assert rate["StatusCode"] == "Complete"


def test_the_newest_value_is_first_unless_asked_otherwise(cloudwatch: Any, namespace: str) -> None:
    at = _put_two(cloudwatch, namespace)

    [found] = _data(cloudwatch, at, _stat("m", namespace, "Requests"))["MetricDataResults"]

    assert found["Values"] == [200.0, 100.0]
    assert found["Label"] == "Requests"


def test_search_finds_what_was_put_and_labels_what_tells_it_apart(cloudwatch: Any, namespace: str) -> None:
    at = _put_two(cloudwatch, namespace)
    expression = f"SEARCH('{{{namespace}}} Requests OR Errors', 'Sum', 60)"

    found = _data(cloudwatch, at, {"Id": "all", "Expression": expression})["MetricDataResults"]

    assert {each["Label"]: each["Values"] for each in found} == {"Requests": [200.0, 100.0], "Errors": [10.0, 1.0]}
    assert {each["Id"] for each in found} == {"all"}


def test_points_come_in_pages(cloudwatch: Any, namespace: str) -> None:
    at = _put_two(cloudwatch, namespace)
    queries = [_stat("r", namespace, "Requests"), _stat("e", namespace, "Errors")]
    seen: list[tuple[str, float]] = []
    options: dict[str, Any] = {"MaxDatapoints": 3}

    pages = 0
    while True:
        answer = _data(cloudwatch, at, *queries, **options)
        pages += 1
        seen += [(each["Id"], value) for each in answer["MetricDataResults"] for value in each["Values"]]
        if "NextToken" not in answer:
            break
        options["NextToken"] = answer["NextToken"]

    assert pages == 2
    assert seen == [("r", 200.0), ("r", 100.0), ("e", 10.0), ("e", 1.0)]


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        ([{"Id": "Up", "Expression": "1"}], "is not matching the expected pattern"),
        ([{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}], "it depends on itself"),
        ([{"Id": "a", "Expression": "1 +"}], "Error in expression 'a': The expression ends too early"),
        ([{"Id": "a", "Expression": "1 + 1"}], "it gives a single value"),
        ([{"Id": "a"}], "must have one of MetricStat and Expression"),
        ([{"Id": "a", "Expression": "TIME_SERIES(1)", "ReturnData": False}], "ReturnData"),
        ([{"Id": "a", "Expression": "TIME_SERIES(1)"}] * 2, "are not unique: a"),
        ([{"Id": "a", "Expression": "+".join(["1"] * 400)}], "more than 250 operators"),
    ],
)
def test_get_metric_data_refuses(cloudwatch: Any, queries: list[dict[str, Any]], told: str) -> None:
    refused = refusal(
        cloudwatch.get_metric_data, MetricDataQueries=queries, StartTime=_at(_minute(20)), EndTime=_at(_minute())
    )

    assert (refused.code, refused.status) == ("ValidationError", 400)
    assert told in refused.message


def test_metrics_are_listed_by_namespace_name_and_dimension_each_once(cloudwatch: Any, namespace: str) -> None:
    def metric(name: str, unit: str, **dimensions: str) -> dict[str, Any]:
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        return {"MetricName": name, "Value": 1.0, "Unit": unit, "Dimensions": named}

    data = [
        metric("a", "None", Shop="x"),
        metric("a", "Count", Shop="x"),
        metric("a", "None", Shop="y"),
        metric("b", "None"),
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def listed(**filters: Any) -> list[tuple[str, list[str]]]:
        found = cloudwatch.list_metrics(Namespace=namespace, **filters)["Metrics"]
        return [(each["MetricName"], [dimension["Value"] for dimension in each["Dimensions"]]) for each in found]

    assert listed() == [("a", ["x"]), ("a", ["y"]), ("b", [])]
    assert listed(MetricName="b") == [("b", [])]
    assert listed(Dimensions=[{"Name": "Shop"}]) == [("a", ["x"]), ("a", ["y"])]
    assert listed(Dimensions=[{"Name": "Shop", "Value": "y"}], RecentlyActive="PT3H") == [("a", ["y"])]


def test_what_had_no_point_for_three_hours_is_not_recently_active(cloudwatch: Any, namespace: str) -> None:
    datum = {"MetricName": "Orders", "Value": 1.0, "Timestamp": _at(_minute(200))}
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[datum])

    assert len(cloudwatch.list_metrics(Namespace=namespace)["Metrics"]) == 1
    assert cloudwatch.list_metrics(Namespace=namespace, RecentlyActive="PT3H")["Metrics"] == []


def test_five_hundred_metrics_are_a_page(cloudwatch: Any, namespace: str) -> None:
    data = [{"MetricName": f"m{number:04}", "Value": 1.0} for number in range(501)]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    pages = [
        [each["MetricName"] for each in page["Metrics"]]
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=namespace)
    ]

    assert [len(page) for page in pages] == [500, 1]
    assert sorted(pages[0] + pages[1]) == [f"m{number:04}" for number in range(501)]
    assert refusal(cloudwatch.list_metrics, NextToken="none").code == "InvalidParameterValue"


def test_the_query_protocol_puts_and_gets_compressed_or_not(server: RunningServer, namespace: str) -> None:
    put = {
        "Namespace": namespace,
        "MetricData.member.1.MetricName": "Orders",
        "MetricData.member.1.Value": "2.5",
        "MetricData.member.1.Timestamp": _at(_minute()).isoformat(),
        "MetricData.member.1.Dimensions.member.1.Name": "Shop",
        "MetricData.member.1.Dimensions.member.1.Value": "a",
    }
    get = {
        "Namespace": namespace,
        "MetricName": "Orders",
        "Dimensions.member.1.Name": "Shop",
        "Dimensions.member.1.Value": "a",
        "StartTime": _at(_minute(60)).isoformat(),
        "EndTime": _at(_minute() + _MINUTE).isoformat(),
        "Period": "7200",
        "Statistics.member.1": "Sum",
    }

    answers = [_query(server, "PutMetricData", put, compress=compress).status for compress in (False, True)]
    got = _query(server, "GetMetricStatistics", get)

    assert answers == [200, 200]
    assert re.findall(r"<Sum>(.*?)</Sum>", got.body.decode()) == ["5.0"]


def test_a_refusal_of_the_query_protocol_is_xml_with_its_code(server: RunningServer) -> None:
    answer = _query(server, "PutMetricData", {"Namespace": "AWS/Mine", "MetricData.member.1.MetricName": "x"})

    assert answer.status == 400
    assert b"<Code>InvalidParameterValue</Code>" in answer.body
