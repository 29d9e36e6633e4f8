import json
from typing import Any

import pytest

from headgate.model.metric import MetricKey, Sample, point_of
from headgate.telemetry import metric_sink
from headgate.telemetry.embedded_metrics import embedded_metrics
from headgate.telemetry.metric_sink import GatheredMetrics

_NOON = 1_728_561_600


def _event(metrics: Any, dimensions: Any = None, **members: Any) -> str:
    directive: dict[str, Any] = {"Namespace": "Shop", "Metrics": metrics}
    if dimensions is not None:
        directive["Dimensions"] = dimensions
    metadata = {"Timestamp": (_NOON + 65) * 1000, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": metadata, **members})


def _found(message: str) -> list[tuple[str, tuple[tuple[str, str], ...], str, int, float]]:
    return [
        (each.key.name, each.key.dimensions, each.key.unit, each.at, each.point.sum)
        for each in embedded_metrics("111111111111", "eu-west-1", message)
    ]


def test_each_metric_is_of_each_set_of_dimensions() -> None:
    event = _event([{"Name": "Time", "Unit": "Milliseconds"}], [["Shop", "App"], []], Time=3.5, Shop="x", App="y")

    assert _found(event) == [
        ("Time", (("App", "y"), ("Shop", "x")), "Milliseconds", _NOON + 60, 3.5),
        ("Time", (), "Milliseconds", _NOON + 60, 3.5),
    ]


def test_without_dimensions_there_is_one_metric_and_the_resolution_is_kept() -> None:
    event = _event([{"Name": "Orders", "StorageResolution": 1}], Orders=[1, 2.5])

    assert _found(event) == [("Orders", (), "None", _NOON + 65, 1.0), ("Orders", (), "None", _NOON + 65, 2.5)]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("START RequestId: 1", id="a plain line"),
        pytest.param('not "_aws" JSON', id="no JSON"),
        pytest.param('{"_aws": 3}', id="no metadata"),
        pytest.param('{"_aws": {"Timestamp": "x", "CloudWatchMetrics": []}}', id="no timestamp"),
        pytest.param('{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [3, {}]}}', id="no directive"),
        pytest.param(_event([{"Name": "Time"}], Time="slow"), id="a value that is no number"),
        pytest.param(_event([{"Name": "Time"}], Time=True), id="nor is true one"),
        pytest.param(_event([{"Name": "Time"}], Time=1e200), id="a value that is too large"),
        pytest.param(_event([{"Name": "Time"}], [["Shop"]], Time=1), id="a dimension that is not there"),
        pytest.param(_event([{"Name": "Time"}], [["Shop"]], Time=1, Shop=3), id="a dimension that is no text"),
        pytest.param(_event(3, Time=1), id="metrics that are no list"),
    ],
)
def test_what_breaks_the_format_makes_no_metric(message: str) -> None:
    assert _found(message) == []


def _sample(value: float, at: int = _NOON, name: str = "Orders") -> Sample:
    key = MetricKey(account_id="111111111111", region="eu-west-1", namespace="Shop", name=name)
    return Sample(key=key, at=at, point=point_of(value))


def test_values_of_one_metric_and_time_are_merged_and_taken_once() -> None:
    sink = GatheredMetrics(lambda: _NOON)
    sink.put([_sample(1.0), _sample(2.0), _sample(5.0, at=_NOON + 1)])

    taken = [(each.at, each.point.count, each.point.sum) for each in sink.take()(_NOON)]

    assert taken == [(_NOON, 2, 3.0), (_NOON + 1, 1, 5.0)]
    assert sink.take()(_NOON) == []


def test_what_is_too_old_or_too_new_is_left_out() -> None:
    sink = GatheredMetrics(lambda: _NOON)

    sink.put([_sample(1.0, at=_NOON - 14 * 86_400 - 1), _sample(1.0, at=_NOON + 7_201)])

    assert sink.take()(_NOON) == []


def test_what_waits_is_bounded_and_the_rest_is_counted() -> None:
    sink = GatheredMetrics(lambda: _NOON)

    sink.put(_sample(1.0, name=f"m{number}") for number in range(metric_sink.MAX_WAITING + 10))

    assert len(sink.take()(_NOON)) == metric_sink.MAX_WAITING
    assert sink.lost == 10
