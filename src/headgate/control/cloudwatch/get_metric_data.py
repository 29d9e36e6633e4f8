"""GetMetricData: many series at once, of metrics and of expressions over them (aws-semantics 8.3).

The whole request is answered from one moment of the store. An expression sees the other queries by their ids; a query
that depends on itself is refused.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import headgate.telemetry.math_functions  # noqa: F401  it makes the functions known
from headgate.control.cloudwatch.errors import invalid, missing, validation
from headgate.control.cloudwatch.labels import labelled, told_apart
from headgate.control.cloudwatch.periods import check_period, rounded_start
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.metric import MetricKey, dimensions_of
from headgate.model.scope import Scope as Asker
from headgate.model.value import Value as Frozen
from headgate.store.metric_database import MetricDatabase
from headgate.telemetry.metric_math import Expression, MathError, Range, Scope, Series, Value, evaluate, names, parse
from headgate.telemetry.search import MAX_RESULTS, search
from headgate.telemetry.statistics import statistic

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_QUERIES: Final = 500
MAX_DATAPOINTS: Final = 100_800
_ID: Final = re.compile(r"[a-z]\w*", re.ASCII)


class Query(Frozen, frozen=True):
    """One query, checked. Of `metric` and `expression` one is None."""

    id: str
    metric: MetricKey | None = None
    any_unit: bool = True
    statistic: str = ""
    expression: Expression | None = None
    period: int | None = None  # None: an expression takes that of its metrics
    label: str | None = None
    returned: bool = True


class Shown(Frozen, frozen=True):
    """One series of the answer."""

    id: str
    label: str
    points: list[tuple[int, float]]


async def get_metric_data(
    ports: MetricPorts, scope: Asker, now: float, request: "shapes.GetMetricDataInput"
) -> Mapping[str, Any]:
    if request["StartTime"] >= request["EndTime"]:
        raise validation("The parameter StartTime must be less than the parameter EndTime.")
    queries = checked_queries(request["MetricDataQueries"], scope)
    most = request.get("MaxDatapoints") or MAX_DATAPOINTS
    if not 0 < most <= MAX_DATAPOINTS:
        raise invalid(f"The value {most} for parameter MaxDatapoints is invalid; give 1 to {MAX_DATAPOINTS}.")
    skipped = _skipped(request.get("NextToken"))
    newest_first = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    shortest = min((query.period for query in queries if query.period is not None), default=60)
    start, end = rounded_start(request["StartTime"], shortest, now), ceil(request["EndTime"])
    for query in queries:
        if (end - start) / (query.period or shortest) > MAX_DATAPOINTS:
            raise validation(
                f"The query {query.id} asks for {ceil((end - start) / (query.period or shortest)):,} datapoints; "
                f"the most is {MAX_DATAPOINTS:,}. Give a larger period or a shorter range."
            )
    series = await ports.run(lambda database, now: Reading(database, scope, queries, start, end, now).read())
    for each in series:
        each.points.sort(reverse=newest_first)
    return _page(series, skipped, most)


def checked_queries(given: Sequence[Mapping[str, Any]], scope: Asker) -> list[Query]:
    """Queries as given, of GetMetricData or of an alarm. Raises ApiError."""
    if not given:
        raise missing("The parameter MetricDataQueries is required.")
    if len(given) > MAX_QUERIES:
        raise validation(f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.")
    queries: list[Query] = []
    for number, each in enumerate(given, 1):
        where = f"MetricDataQueries.member.{number}"
        if not _ID.fullmatch(each["Id"]):
            raise validation(
                f"The value {each['Id']} for parameter {where}.Id is not matching the expected pattern "
                "^[a-z][a-zA-Z0-9_]*$."
            )
        if any(each["Id"] == query.id for query in queries):
            raise validation(f"The values for parameter id in MetricDataQueries are not unique: {each['Id']}.")
        if ("MetricStat" in each) == ("Expression" in each):
            raise validation(f"The query {each['Id']} must have one of MetricStat and Expression, and not both.")
        common = {"id": each["Id"], "label": each.get("Label"), "returned": each.get("ReturnData", True)}
        queries.append(
            _metric_query(where, each, common, scope)
            if "MetricStat" in each
            else _expression_query(where, each, common)
        )
    if not any(query.returned for query in queries):
        raise validation("At least one query must have ReturnData set to true.")
    return queries


def _metric_query(where: str, given: Mapping[str, Any], common: Mapping[str, Any], scope: Asker) -> Query:
    asked = given["MetricStat"]
    metric = asked["Metric"]
    for name in ("Namespace", "MetricName"):
        if name not in metric:
            raise missing(f"The parameter {where}.MetricStat.Metric.{name} is required.")
    if statistic(asked["Stat"]) is None:
        raise invalid(f"The value {asked['Stat']} for parameter {where}.MetricStat.Stat is not supported.")
    return Query(
        **common,
        metric=MetricKey(
            account_id=scope.account_id,
            region=scope.region,
            namespace=metric["Namespace"],
            name=metric["MetricName"],
            dimensions=dimensions_of(metric.get("Dimensions", ())),
            unit=asked.get("Unit", "None"),
        ),
        any_unit="Unit" not in asked,
        statistic=asked["Stat"],
        period=check_period(f"{where}.MetricStat.Period", asked["Period"]),
    )


def _expression_query(where: str, given: Mapping[str, Any], common: Mapping[str, Any]) -> Query:
    try:
        expression = parse(given["Expression"])
    except MathError as error:
        raise validation(f"Error in expression '{given['Id']}': {error}") from error
    period = check_period(f"{where}.Period", given["Period"]) if "Period" in given else None
    return Query(**common, expression=expression, period=period)


class Reading:
    """One request at work, on the store's thread."""

    def __init__(
        self, database: MetricDatabase, asker: Asker, queries: list[Query], start: int, end: int, now: float
    ) -> None:
        self._database = database
        self._asker = asker
        self._queries = {query.id: query for query in queries}
        self._range = Range(start, end)
        self._now = now
        self._values: dict[str, Value] = {}
        periods = [query.period for query in queries if query.metric is not None and query.period is not None]
        self._period = max(periods, default=60)

    def read(self) -> list[Shown]:
        metrics = [query for query in self._queries.values() if query.metric is not None]
        for query in metrics:
            self._values[query.id] = self._series(query)
        self._evaluate()
        shown = []
        apart = told_apart([query.metric for query in metrics if query.metric is not None])
        for query in self._queries.values():
            if not query.returned:
                continue
            value = self._values[query.id]
            match value:
                case Series():
                    results = [value]
                case list():
                    results = value
                case _:
                    raise validation(
                        f"Error in expression '{query.id}': it gives a single value, and not a time series; "
                        "TIME_SERIES() makes one of it"
                    )
            for series in results:
                default = apart(query.metric) if query.metric is not None else series.label or query.id
                label = labelled(query.label, default, query.metric, query.statistic, series.period, series.values)
                shown.append(Shown(id=query.id, label=label, points=list(series.values.items())))
        return shown

    def _evaluate(self) -> None:
        """Each expression once what it mentions has its value; what never does depends on itself."""
        waiting = [query for query in self._queries.values() if query.expression is not None]
        while waiting:
            ready = [query for query in waiting if all(name in self._values for name in self._mentioned(query))]
            if not ready:
                raise validation(f"Error in expression '{waiting[0].id}': it depends on itself")
            for query in ready:
                self._values[query.id] = self._evaluated(query)
            waiting = [query for query in waiting if query.id not in self._values]

    def _mentioned(self, query: Query) -> set[str]:
        assert query.expression is not None
        return {name for name in names(query.expression) if name in self._queries}

    def _evaluated(self, query: Query) -> Value:
        assert query.expression is not None
        scope = Scope(
            known=self._values,
            metrics={name: each for name, each in self._values.items() if self._queries[name].metric is not None},
            asked=self._range,
            search=self._search,
            period=query.period or self._period,
        )
        try:
            return evaluate(query.expression, scope)
        except MathError as error:
            raise validation(f"Error in expression '{query.id}': {error}") from error
        except (OverflowError, ValueError) as error:
            raise validation(f"Error in expression '{query.id}': a value is out of range") from error

    def _series(self, query: Query) -> Series:
        metric = query.metric
        assert metric is not None
        assert query.period is not None
        units = [known.key for known in self._database.of_any_unit(metric)]
        if not query.any_unit:
            units = [key for key in units if key.unit == metric.unit]
        values: dict[int, float] = {}
        for key in units:  # of several units the first that has a point at a time is shown
            for at, value in self._read(key, query.statistic, query.period).items():
                values.setdefault(at, value)
        return Series(values, query.period)

    def _read(self, key: MetricKey, name: str, period: int) -> dict[int, float]:
        compute = statistic(name)
        assert compute is not None
        points = self._database.points(key, self._range.start, self._range.end, period, self._now)
        return {at: value for at, point in points.items() if (value := compute(point)) is not None}

    def _search(self, expression: str, name: str, period: int) -> list[Series]:
        if statistic(name) is None:
            raise MathError(f"The statistic {name!r} of SEARCH is not supported")
        if period <= 0 or (self._range.end - self._range.start) / period > MAX_DATAPOINTS:
            raise MathError(f"The period {period} of SEARCH does not suit the range")
        matches = search(expression)
        asker = (self._asker.account_id, self._asker.region)
        found = self._database.find(lambda key: (key.account_id, key.region) == asker and matches(key))
        if len(found) > MAX_RESULTS:
            raise MathError(f"The search finds {len(found)} metrics; it may find {MAX_RESULTS}")
        keys = sorted((known.key for known in found), key=lambda key: (key.namespace, key.name, key.dimensions))
        apart = told_apart(keys)
        read = partial(self._read, name=name, period=period)
        series = [Series(read(key), period, apart(key)) for key in keys]
        return [each for each in series if each.values]


def _skipped(token: str | None) -> int:
    """A token says how many datapoints came before."""
    if token is None:
        return 0
    if not re.fullmatch(r"points-\d{1,9}", token):
        raise invalid("Request parameter NextToken is invalid")
    return int(token.removeprefix("points-"))


def _page(series: list[Shown], skipped: int, most: int) -> Mapping[str, Any]:
    results: list[Mapping[str, Any]] = []
    at, left = 0, most
    more = False
    for each in series:
        first = max(skipped - at, 0)
        begun_before = skipped > at and first >= len(each.points)
        at += len(each.points)
        if begun_before or (skipped and not each.points and at <= skipped):
            continue
        kept = each.points[first : first + left]
        whole = first + len(kept) == len(each.points)
        more = more or not whole
        left -= len(kept)
        if kept or not each.points:
            results.append(
                {
                    "Id": each.id,
                    "Label": each.label,
                    "Timestamps": [float(moment) for moment, _ in kept],
                    "Values": [value for _, value in kept],
                    "StatusCode": "Complete" if whole else "PartialData",
                }
            )
    answer: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
    if more:
        answer["NextToken"] = f"points-{skipped + most - left}"
    return answer
