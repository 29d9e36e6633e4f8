"""Metric filters: patterns whose matches become values of a metric."""

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.logs.errors import invalid, limit_exceeded, not_found
from headgate.control.logs.events import compiled
from headgate.control.logs.lookup import change, find_group, look
from headgate.control.logs.paging import decode_token, encode_token, next_name
from headgate.control.logs.ports import LogsPorts
from headgate.model.scope import Scope
from headgate.telemetry.filter_pattern import FilterPattern
from headgate.telemetry.filter_syntax import number
from headgate.telemetry.log_store import Writing

if TYPE_CHECKING:
    from headgate.wire.shapes import logs as shapes

MAX_FILTERS: Final = 100  # of one group
_MAX_DIMENSIONS: Final = 3
_PAGE: Final = 50


async def put_metric_filter(
    ports: LogsPorts, scope: Scope, now: float, request: "shapes.PutMetricFilterRequest"
) -> None:
    pattern = compiled(request["filterPattern"])
    for transformation in request["metricTransformations"]:
        _check(transformation, pattern)
    for member in ("fieldSelectionCriteria", "emitSystemFieldDimensions"):
        if request.get(member):
            raise invalid(f"{member} is not supported by Headgate: give a filter without it")
    body: dict[str, Any] = {
        "filterPattern": request["filterPattern"],
        "metricTransformations": request["metricTransformations"],
    }
    if "applyOnTransformedLogs" in request:
        body["applyOnTransformedLogs"] = request["applyOnTransformedLogs"]

    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        put_filter(writing, "metric_filter", group.id, request["filterName"], int(now * 1000), body, most=MAX_FILTERS)

    await change(ports, act)


async def describe_metric_filters(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DescribeMetricFiltersRequest"
) -> Mapping[str, Any]:
    metric, namespace = request.get("metricName"), request.get("metricNamespace")
    if (metric is None) != (namespace is None):
        raise invalid("If you include the metricName parameter, you must also include the metricNamespace parameter.")
    limit = request.get("limit", _PAGE)
    position = tuple(decode_token(request.get("nextToken"), "metric-filters").split("\n", 1))

    def act(connection: sqlite3.Connection) -> list[dict[str, Any]]:
        name = request.get("logGroupName")
        only = None if name is None else find_group(connection, scope, name).id
        rows = connection.execute(
            "SELECT f.name, f.created_ms, f.body, g.name FROM metric_filter f JOIN log_group g ON g.id = f.group_id "
            "WHERE g.account_id = ? AND g.region = ? AND (?3 IS NULL OR g.id = ?3) ORDER BY f.name, g.name",
            (scope.account_id, scope.region, only),
        )
        found = [
            {"filterName": row[0], "creationTime": row[1], **orjson.loads(row[2]), "logGroupName": row[3]}
            for row in rows
            if row[0].startswith(request.get("filterNamePrefix", "")) and (row[0], row[3]) > position
        ]
        return [each for each in found if metric is None or _makes(each, metric, namespace)]

    shown, following = next_name(
        await look(ports, act), limit, lambda each: f"{each['filterName']}\n{each['logGroupName']}"
    )
    return {"metricFilters": shown, "nextToken": encode_token(following, "metric-filters")}


async def delete_metric_filter(
    ports: LogsPorts, scope: Scope, _now: float, request: "shapes.DeleteMetricFilterRequest"
) -> None:
    def act(writing: Writing) -> None:
        group = find_group(writing.connection, scope, request["logGroupName"])
        if not delete_filter(writing, "metric_filter", group.id, request["filterName"]):
            raise not_found("metric filter")

    await change(ports, act)


async def try_metric_filter(
    _ports: LogsPorts, _scope: Scope, _now: float, request: "shapes.TestMetricFilterRequest"
) -> Mapping[str, Any]:
    pattern = compiled(request["filterPattern"])
    matches = []
    for at, message in enumerate(request["logEventMessages"], 1):
        match = pattern.match(message)
        if match is not None:
            matches.append({"eventNumber": at, "eventMessage": message, "extractedValues": match.extracted})
    return {"matches": matches}


def put_filter(
    writing: Writing, table: str, group_id: int, name: str, now_ms: int, body: Mapping[str, Any], *, most: int
) -> None:
    """Make a filter, or change it. Raises ApiError (LimitExceededException)."""
    writing.connection.execute(
        f"INSERT INTO {table} VALUES (?1, ?2, ?3, ?4) ON CONFLICT (group_id, name) DO UPDATE SET body = ?4",
        (group_id, name, now_ms, orjson.dumps(body).decode()),
    )
    count: int = writing.connection.execute(f"SELECT count(*) FROM {table} WHERE group_id = ?", (group_id,)).fetchone()[
        0
    ]
    if count > most:
        raise limit_exceeded()
    writing.forget()


def delete_filter(writing: Writing, table: str, group_id: int, name: str) -> bool:
    """Whether it was there."""
    writing.forget()
    return bool(
        writing.connection.execute(f"DELETE FROM {table} WHERE group_id = ? AND name = ?", (group_id, name)).rowcount
    )


def _check(transformation: "shapes.MetricTransformation", pattern: FilterPattern) -> None:
    value = transformation["metricValue"]
    if number(value) is None and not pattern.can_look_up(value):
        raise invalid(
            f"Invalid metric transformation: the metricValue {value!r} is no number and no field of the pattern"
        )
    if transformation["metricNamespace"].startswith("AWS/"):
        raise invalid("Invalid metric transformation: the metricNamespace must not begin with AWS/")
    dimensions = transformation.get("dimensions", {})
    if dimensions and "defaultValue" in transformation:
        raise invalid("Invalid metric transformation: dimensions and defaultValue cannot both be given")
    if len(dimensions) > _MAX_DIMENSIONS:
        raise invalid(
            f"Invalid metric transformation: {len(dimensions)} dimensions; at most {_MAX_DIMENSIONS} are allowed"
        )
    for name, selector in dimensions.items():
        if not pattern.can_look_up(selector):
            raise invalid(
                f"Invalid metric transformation: the dimension {name}: {selector!r} is no field of the pattern"
            )


def _makes(shown: Mapping[str, Any], metric: str, namespace: str | None) -> bool:
    return any(
        each["metricName"] == metric and each["metricNamespace"] == namespace for each in shown["metricTransformations"]
    )
