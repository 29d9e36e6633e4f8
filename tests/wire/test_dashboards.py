"""Dashboards, and pictures of their widgets."""

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from support.apis import refusal
from support.server import RunningServer

_BODY = json.dumps({"widgets": [{"type": "text", "x": 0, "y": 0, "properties": {"markdown": "# Orders"}}]})


@pytest.fixture
def cloudwatch(server: RunningServer) -> Any:
    return server.client("cloudwatch")


@pytest.fixture
def name(cloudwatch: Any) -> Iterator[str]:
    """Of a dashboard that no other test has; those that begin with it are deleted."""
    prefix = f"dashboard-{uuid4().hex}"
    yield prefix
    found = [each["DashboardName"] for each in _listed(cloudwatch, prefix)]
    if found:
        cloudwatch.delete_dashboards(DashboardNames=found)


def _listed(cloudwatch: Any, prefix: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = cloudwatch.list_dashboards(DashboardNamePrefix=prefix)["DashboardEntries"]
    return entries


def test_a_dashboard_is_given_back_as_it_was_put(server: RunningServer, cloudwatch: Any, name: str) -> None:
    put = cloudwatch.put_dashboard(DashboardName=name, DashboardBody=_BODY)

    got = cloudwatch.get_dashboard(DashboardName=name)

    assert put["DashboardValidationMessages"] == []
    assert (got["DashboardName"], got["DashboardBody"]) == (name, _BODY)
    assert got["DashboardArn"] == f"arn:aws:cloudwatch::000000000000:dashboard/{name}"
    # An account's dashboards are the same in every region.
    assert server.client("cloudwatch", region="eu-west-1").get_dashboard(DashboardName=name)["DashboardBody"] == _BODY


def test_dashboards_are_listed_by_prefix_with_their_size_and_put_anew(cloudwatch: Any, name: str) -> None:
    cloudwatch.put_dashboard(DashboardName=f"{name}-b", DashboardBody=_BODY)
    cloudwatch.put_dashboard(DashboardName=f"{name}-a", DashboardBody='{"widgets": []}')
    cloudwatch.put_dashboard(DashboardName=f"{name}-a", DashboardBody=_BODY)

    entries = _listed(cloudwatch, name)

    assert [each["DashboardName"] for each in entries] == [f"{name}-a", f"{name}-b"]
    assert {each["Size"] for each in entries} == {len(_BODY)}
    assert all(datetime.now(UTC) - each["LastModified"] < timedelta(minutes=5) for each in entries)


def test_dashboards_are_deleted_together_or_not_at_all(cloudwatch: Any, name: str) -> None:
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=_BODY)

    refused = refusal(cloudwatch.delete_dashboards, DashboardNames=[name, f"{name}-none"])
    assert (refused.code, refused.status) == ("ResourceNotFound", 404)
    assert len(_listed(cloudwatch, name)) == 1
    cloudwatch.delete_dashboards(DashboardNames=[name])

    assert refusal(cloudwatch.get_dashboard, DashboardName=name).code == "ResourceNotFound"


def test_tags_of_dashboards(cloudwatch: Any, name: str) -> None:
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=_BODY)
    arn = cloudwatch.get_dashboard(DashboardName=name)["DashboardArn"]

    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "a"}])

    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "must be a valid JSON object"),
        ("[]", "must be a valid JSON object"),
        ("{}", '"widgets"'),
        ('{"widgets": [{"x": 0}]}', 'must be an object with a "type"'),
        (json.dumps({"widgets": [{"type": "text"}] * 501}), "500 widgets"),
    ],
)
def test_put_dashboard_refuses(cloudwatch: Any, name: str, body: str, told: str) -> None:
    refused = refusal(cloudwatch.put_dashboard, DashboardName=name, DashboardBody=body)

    assert (refused.code, refused.status) == ("InvalidParameterInput", 400)
    assert told in refused.message
    assert refusal(cloudwatch.put_dashboard, DashboardName="a b", DashboardBody=_BODY).code == "InvalidParameterInput"


def _picture(cloudwatch: Any, **widget: Any) -> Image.Image:
    answer = cloudwatch.get_metric_widget_image(MetricWidget=json.dumps(widget))
    return Image.open(io.BytesIO(answer["MetricWidgetImage"]))


def _colors(picture: Image.Image) -> set[Any]:
    return {color for _, color in picture.convert("RGB").getcolors(1 << 24) or []}


def test_a_widget_is_a_picture_of_its_metrics(cloudwatch: Any) -> None:
    namespace = f"Widget/{uuid4().hex}"
    now = int(time.time())
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": metric, "Value": value, "Timestamp": now - 60 * minute}
            for metric, value in (("Orders", 5.0), ("Errors", 1.0))
            for minute in range(30)
        ],
    )
    metrics = [
        [namespace, "Orders", {"id": "orders", "color": "#00ff00", "stat": "Sum"}],
        [".", "Errors", {"id": "errors", "visible": False}],
        [{"expression": "orders + errors", "label": "both", "color": "#0000ff", "id": "both"}],
    ]

    picture = _picture(cloudwatch, metrics=metrics, period=60, width=400, height=300, start="-PT1H", title="Orders")

    assert (picture.format, picture.size) == ("PNG", (400, 300))
    assert {(0, 255, 0), (0, 0, 255)} <= _colors(picture)


def test_a_widget_of_metrics_without_points_is_a_picture_too(cloudwatch: Any) -> None:
    picture = _picture(cloudwatch, metrics=[["None", "Such", "Shop", "x"], ["...", "y"]], stacked=True)

    assert picture.size == (600, 395)


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_at_the_end_of_time_is_refused_or_drawn(cloudwatch: Any, start: str) -> None:
    metrics = [["None", "Such", {"period": 86_400}]]

    if start.startswith("0"):
        assert _picture(cloudwatch, metrics=metrics, start=start).size == (600, 395)
    else:
        widget = json.dumps({"metrics": metrics, "start": start})
        assert refusal(cloudwatch.get_metric_widget_image, MetricWidget=widget).status == 400


@pytest.mark.parametrize(
    ("widget", "told"),
    [
        ("{", "is not JSON"),
        ({"metrics": []}, "metrics must be an array"),
        ({"metrics": [["a"]]}, "must have a namespace, a name"),
        ({"metrics": [[{}]]}, "neither a metric nor an expression"),
        ({"metrics": [["a", "b", {"period": 45}]]}, "45"),
        ({"metrics": [["a", "b"]], "view": "pie"}, "the view pie is not drawn by Headgate"),
        ({"metrics": [["a", "b"]], "width": 5000}, "width is 5000"),
        ({"metrics": [["a", "b"]], "start": "yesterday"}, "start is 'yesterday'"),
        ({"metrics": [["a", "b"]], "start": "PT0H"}, "start must be before end"),
        ({"metrics": [["a", "b"]], "timezone": "CET"}, "timezone is 'CET'"),
        ({"metrics": [[{"expression": "x +"}]]}, "Error in expression"),
    ],
)
def test_get_metric_widget_image_refuses(cloudwatch: Any, widget: Any, told: str) -> None:
    text = widget if isinstance(widget, str) else json.dumps(widget)

    refused = refusal(cloudwatch.get_metric_widget_image, MetricWidget=text)

    assert refused.status == 400
    assert told in refused.message
