"""Metrics that logs give: by metric filters, and by the embedded metric format in a function's lines."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.functions import create_function
from support.metrics import statistic
from support.server import RunningServer, running

_EMBEDDING = """
import json, time

def handle(event, context):
    directive = {"Namespace": "Shop", "Dimensions": [["Shop"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}]}
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": metadata, "Shop": event["shop"], "Orders": event["orders"]}))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("--ephemeral") as started:
        yield started


def _sum(server: RunningServer, name: str, region: str = "us-east-1", **dimensions: str) -> float:
    return statistic(server, "Shop", name, region=region, **dimensions)


def _stored_lines(server: RunningServer, group: str, region: str = "us-east-1") -> list[str]:
    """The group's lines: what was printed before is written when this is answered."""
    events: list[dict[str, Any]] = server.client("logs", region=region).filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def test_embedded_metrics_of_a_function_are_its_account_s_and_region_s(server: RunningServer) -> None:
    create_function(server, "embedding", _EMBEDDING, Timeout=30)
    invoke = server.client("lambda").invoke
    for shop, orders in (("x", 2), ("x", 3), ("y", 5)):
        invoke(FunctionName="embedding", Payload=json.dumps({"shop": shop, "orders": orders}))

    assert sum('"_aws"' in line for line in _stored_lines(server, "/aws/lambda/embedding")) == 3

    assert _sum(server, "Orders", Shop="x") == 5.0
    assert _sum(server, "Orders", Shop="y") == 5.0
    assert _sum(server, "Orders", region="eu-west-1", Shop="x") == 0.0


def test_embedded_metrics_of_what_is_put_into_a_group(server: RunningServer) -> None:
    logs = server.client("logs", region="eu-west-1")
    logs.create_log_group(logGroupName="embedded")
    logs.create_log_stream(logGroupName="embedded", logStreamName="s")
    now_ms = int(time.time() * 1000)
    directive = {"Namespace": "Shop", "Dimensions": [[]], "Metrics": [{"Name": "Returns"}]}
    event = {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]}, "Returns": [1, 2]}

    logs.put_log_events(
        logGroupName="embedded",
        logStreamName="s",
        logEvents=[{"timestamp": now_ms, "message": json.dumps(event)}],
    )

    assert _sum(server, "Returns", region="eu-west-1") == 3.0


def test_a_metric_filter_counts_what_is_put_into_its_group(server: RunningServer) -> None:
    logs = server.client("logs", region="eu-west-1")
    logs.create_log_group(logGroupName="orders")
    logs.create_log_stream(logGroupName="orders", logStreamName="s")
    logs.put_metric_filter(
        logGroupName="orders",
        filterName="slow",
        filterPattern="{ $.ms > 100 }",
        metricTransformations=[{"metricName": "Slow", "metricNamespace": "Shop", "metricValue": "1"}],
    )
    now_ms = int(time.time() * 1000)

    logs.put_log_events(
        logGroupName="orders",
        logStreamName="s",
        logEvents=[{"timestamp": now_ms, "message": json.dumps({"ms": ms})} for ms in (50, 150, 250)],
    )

    assert len(_stored_lines(server, "orders", region="eu-west-1")) == 3
    assert _sum(server, "Slow", region="eu-west-1") == 2.0
    assert _sum(server, "Slow") == 0.0
