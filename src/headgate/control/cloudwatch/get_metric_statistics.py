"""GetMetricStatistics: some statistics of one metric, period by period."""

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from headgate.control.cloudwatch.errors import bad_combination, invalid
from headgate.control.cloudwatch.periods import check_period, check_range, rounded_start
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.metric import MetricKey, Point, dimensions_of
from headgate.model.scope import Scope
from headgate.store.metric_database import MetricDatabase
from headgate.telemetry.statistics import is_extended, statistic

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_DATAPOINTS: Final = 1440


async def get_metric_statistics(
    ports: MetricPorts, scope: Scope, now: float, request: "shapes.GetMetricStatisticsInput"
) -> Mapping[str, Any]:
    period = check_period("Period", request["Period"])
    check_range(request["StartTime"], request["EndTime"])
    simple, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
    if not simple and not extended:
        raise bad_combination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    for name in extended:
        if not is_extended(name):
            raise invalid(f"The value {name} for parameter ExtendedStatistics is not supported.")
    start = rounded_start(request["StartTime"], period, now)
    end = ceil(request["EndTime"])
    if (asked := ceil((end - start) / period)) > MAX_DATAPOINTS:
        raise bad_combination(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MAX_DATAPOINTS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    unit = request.get("Unit")
    metric = MetricKey(
        account_id=scope.account_id,
        region=scope.region,
        namespace=request["Namespace"],
        name=request["MetricName"],
        dimensions=dimensions_of(request.get("Dimensions", ())),
    )

    def read(database: MetricDatabase, now: float) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for known in database.of_any_unit(metric):
            if unit not in {None, known.key.unit}:
                continue
            for at, point in sorted(database.points(known.key, start, end, period, now).items()):
                values = {name: value for name in simple if (value := _of(name, point)) is not None}
                ranks = {name: value for name in extended if (value := _of(name, point)) is not None}
                datapoint = {"Timestamp": float(at), **values, "Unit": known.key.unit}
                if extended:
                    datapoint["ExtendedStatistics"] = ranks
                found.append(datapoint)
        return found

    return {"Label": request["MetricName"], "Datapoints": await ports.run(read)}


def _of(name: str, point: Point) -> float | None:
    compute = statistic(name)
    return None if compute is None else compute(point)
