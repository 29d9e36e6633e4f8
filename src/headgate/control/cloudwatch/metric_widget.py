"""GetMetricWidgetImage: the metrics of a dashboard's widget as a picture (CloudWatch API Reference, "Metric widget
structure"). What a widget asks for that is not drawn here is refused by name."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from headgate.control.cloudwatch.errors import validation
from headgate.control.cloudwatch.get_metric_data import MAX_DATAPOINTS, Reading, Shown, checked_queries
from headgate.control.cloudwatch.periods import check_period
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.errors import ApiError
from headgate.model.scope import Scope
from headgate.telemetry.line_chart import PALETTE, Chart, Level, Line, NoPillow, png

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_PIXELS: Final = 2000  # of a side
MAX_METRICS: Final = 500
_DURATION: Final = re.compile(
    r"-?P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,9})S)?)?"
)
_UNITS_S: Final = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
_LATEST_S: Final = 250_000_000_000.0  # of year 9892: what is later cannot be shown in every time zone
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_VIEWS: Final = ("timeSeries",)


async def get_metric_widget_image(
    ports: MetricPorts, scope: Scope, now: float, request: "shapes.GetMetricWidgetImageInput"
) -> Mapping[str, Any]:
    if request.get("OutputFormat", "png") != "png":
        raise validation(f"OutputFormat {request['OutputFormat']} is not supported by Headgate; it gives png")
    widget = _read(request["MetricWidget"])
    start, end = _time(widget, "start", "-PT3H", now), _time(widget, "end", "PT0H", now)
    if start >= end:
        raise validation("MetricWidget: start must be before end")
    metrics = _metrics(widget)
    # A metric is read for the region that it or its widget names.
    region = widget.get("region", scope.region)
    queries = checked_queries(
        [_query(number, metric, widget) for number, metric in enumerate(metrics, 1)],
        Scope(account_id=scope.account_id, region=str(region)),
    )
    period = min((query.period for query in queries if query.period is not None), default=300)
    if (end - start) / period > MAX_DATAPOINTS:
        raise validation(f"MetricWidget: {period} s is too short a period for this range")
    begin = int(start) // period * period
    found = await ports.run(lambda database, now: Reading(database, scope, queries, begin, int(end), now).read())
    chart = _chart(widget, found, {query.id: query.period or period for query in queries}, metrics, begin, int(end))
    try:
        return {"MetricWidgetImage": await asyncio.to_thread(png, chart)}
    except NoPillow as error:
        raise ApiError(
            "UnsupportedOperationException",
            "GetMetricWidgetImage needs a library that is not installed; install headgate[charts] on the server",
        ) from error


def _read(text: str) -> dict[str, Any]:
    try:
        widget = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise validation(f"MetricWidget is not JSON: {error}") from error
    if not isinstance(widget, dict):
        raise validation("MetricWidget must be a JSON object")
    if widget.get("view", "timeSeries") not in _VIEWS:
        raise validation(f"MetricWidget: the view {widget['view']} is not drawn by Headgate; it draws timeSeries")
    return widget


class _Metric:
    """One entry of `metrics`, its abbreviations written out."""

    def __init__(self, path: list[str], options: dict[str, Any]) -> None:
        self.path = path  # namespace, name, then dimension names and values; empty for an expression
        self.options = options


def _metrics(widget: Mapping[str, Any]) -> list[_Metric]:
    given = widget.get("metrics")
    if not isinstance(given, list) or not given or len(given) > MAX_METRICS:
        raise validation(f"MetricWidget: metrics must be an array of 1 to {MAX_METRICS} metrics")
    found: list[_Metric] = []
    before: list[str] = []
    for number, entry in enumerate(given, 1):
        if not isinstance(entry, list) or not entry:
            raise validation(f"MetricWidget: metric {number} must be an array such as [namespace, name, {{options}}]")
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        path = entry[:-1] if isinstance(entry[-1], dict) else entry
        if not all(isinstance(part, str) for part in path):
            raise validation(f"MetricWidget: metric {number} has a name or value that is no text")
        if path:
            before = path = _written_out(path, before)
            if len(path) < 2 or len(path) % 2:
                raise validation(
                    f"MetricWidget: metric {number} must have a namespace, a name, and pairs of dimensions"
                )
        elif not isinstance(options.get("expression"), str):
            raise validation(f"MetricWidget: metric {number} has neither a metric nor an expression")
        found.append(_Metric(path, options))
    return found


def _written_out(path: list[str], before: list[str]) -> list[str]:
    """`"."` is what stands there in the metric before, `"..."` all of it up to what follows."""
    if "..." in path:
        at = path.index("...")
        rest = path[at + 1 :]
        path = path[:at] + before[at : len(before) - len(rest)] + rest
    return [before[at] if part == "." and at < len(before) else part for at, part in enumerate(path)]


def _query(number: int, metric: _Metric, widget: Mapping[str, Any]) -> dict[str, Any]:
    options = metric.options
    query: dict[str, Any] = {
        "Id": options.get("id", f"metric{number}"),
        "ReturnData": options.get("visible") is not False,
    }
    if isinstance(options.get("label"), str):
        query["Label"] = options["label"]
    period = options.get("period", widget.get("period", 300))
    if not isinstance(period, int) or isinstance(period, bool):
        raise validation(f"MetricWidget: the period {period!r} is no number of seconds")
    if not isinstance(query["Id"], str):
        raise validation(f"MetricWidget: the id {query['Id']!r} is no text")
    if not metric.path:
        return {**query, "Expression": options["expression"], "Period": period}
    namespace, name, *pairs = metric.path
    stat = options.get("stat", widget.get("stat", "Average"))
    if not isinstance(stat, str):
        raise validation(f"MetricWidget: the stat {stat!r} is no text")
    dimensions = [{"Name": key, "Value": value} for key, value in zip(pairs[::2], pairs[1::2], strict=True)]
    named = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}
    return {**query, "MetricStat": {"Metric": named, "Period": check_period("period", period), "Stat": stat}}


def _time(widget: Mapping[str, Any], name: str, default: str, now: float) -> float:
    """A moment, or a duration before now."""
    text = widget.get(name, default)
    if isinstance(text, str):
        if (found := _DURATION.fullmatch(text)) is not None and text.strip("-") not in {"P", "PT"}:
            back_s = sum(int(found[unit] or 0) * seconds for unit, seconds in _UNITS_S.items())
            return max(now - back_s, 0.0)
        try:
            moment = datetime.fromisoformat(text)
            at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            return min(max(at, 0.0), _LATEST_S)
        except (ValueError, OverflowError):
            pass
    raise validation(f"MetricWidget: {name} is {text!r}; give a duration such as -PT3H, or a time in ISO 8601")


def _chart(
    widget: Mapping[str, Any],
    found: list[Shown],
    periods: Mapping[str, int],
    metrics: list[_Metric],
    start: int,
    end: int,
) -> Chart:
    colors = {
        metric.options.get("id", f"metric{number}"): metric.options.get("color")
        for number, metric in enumerate(metrics, 1)
    }
    lines = tuple(
        Line(
            label=each.label,
            points=tuple(sorted(each.points)),
            period=periods[each.id],
            color=_color(colors.get(each.id), PALETTE[number % len(PALETTE)]),
        )
        for number, each in enumerate(found)
    )
    y_axis = _part(_part(widget, "yAxis"), "left")
    return Chart(
        width=_size(widget, "width", 600),
        height=_size(widget, "height", 395),
        start=start,
        end=end,
        lines=lines,
        title=str(widget.get("title", "")),
        stacked=widget.get("stacked") is True,
        levels=tuple(_levels(widget)),
        least=_number(y_axis.get("min")),
        most=_number(y_axis.get("max")),
        unit_label=str(y_axis.get("label", "")),
        offset_s=_offset(widget.get("timezone", "+0000")),
    )


def _levels(widget: Mapping[str, Any]) -> list[Level]:
    given = _part(widget, "annotations").get("horizontal", [])
    levels = []
    for each in given if isinstance(given, list) else []:
        value = _number(each.get("value")) if isinstance(each, dict) else None
        if value is not None:  # a band has two of them, and is drawn as its first
            levels.append(
                Level(value=value, label=str(each.get("label", "")), color=_color(each.get("color"), "#d13212"))
            )
    return levels


def _part(widget: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = widget.get(name, {})
    return part if isinstance(part, dict) else {}


def _size(widget: Mapping[str, Any], name: str, default: int) -> int:
    size = widget.get(name, default)
    if not isinstance(size, int) or isinstance(size, bool) or not 100 <= size <= MAX_PIXELS:
        raise validation(f"MetricWidget: {name} is {size!r}; give 100 to {MAX_PIXELS} pixels")
    return size


def _number(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None


def _color(given: Any, default: str) -> str:
    return given if isinstance(given, str) and _COLOR.fullmatch(given) else default


def _offset(given: Any) -> int:
    found = re.fullmatch(r"([+-])(\d{2})(\d{2})", given) if isinstance(given, str) else None
    if found is None:
        raise validation(f"MetricWidget: timezone is {given!r}; give an offset such as +0130")
    seconds = int(found[2]) * 3600 + int(found[3]) * 60
    return -seconds if found[1] == "-" else seconds
