"""PutMetricData: values of metrics of one's own, single, counted, or as statistic sets (aws-semantics 8.3)."""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from headgate.control.cloudwatch.errors import bad_combination, invalid, missing
from headgate.control.cloudwatch.ports import MetricPorts
from headgate.model.metric import MAX_DIMENSIONS, MAX_VALUE, MetricKey, Point, Sample, dimensions_of, merged, point_of
from headgate.model.scope import Scope
from headgate.telemetry.retention import NEWEST_TAKEN_S, OLDEST_TAKEN_S

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_METRICS: Final = 1000  # of one call
MAX_VALUES: Final = 150  # of one of its metrics


async def put_metric_data(ports: MetricPorts, scope: Scope, now: float, request: "shapes.PutMetricDataInput") -> None:
    namespace = request["Namespace"]
    if namespace.upper().startswith("AWS/"):
        raise invalid(f"The value {namespace} for parameter Namespace is invalid: namespaces with AWS/ are reserved.")
    given: list[tuple[str, Mapping[str, Any]]] = [
        (f"MetricData.member.{number}", datum) for number, datum in enumerate(request.get("MetricData", ()), 1)
    ]
    for number, entity in enumerate(request.get("EntityMetricData", ()), 1):
        given += [
            (f"EntityMetricData.member.{number}.MetricData.member.{at}", datum)
            for at, datum in enumerate(entity.get("MetricData", ()), 1)
        ]
    if not given:
        raise missing("The parameter MetricData is required.")
    if len(given) > MAX_METRICS:
        raise invalid(f"The collection MetricData must not have a size greater than {MAX_METRICS}.")
    await ports.write([_sample(scope, namespace, where, datum, now) for where, datum in given])


def _sample(scope: Scope, namespace: str, where: str, datum: Mapping[str, Any], now: float) -> Sample:
    resolution = datum.get("StorageResolution", 60)
    if resolution not in {1, 60}:
        raise invalid(f"The value {resolution} for parameter {where}.StorageResolution is invalid; give 1 or 60.")
    dimensions = dimensions_of(datum.get("Dimensions", ()))
    if len(dimensions) > MAX_DIMENSIONS:
        raise invalid(f"The collection {where}.Dimensions must not have a size greater than {MAX_DIMENSIONS}.")
    names = [name for name, _ in dimensions]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise invalid(f"The parameter {where}.Dimensions has the name {twice} more than once.")
    key = MetricKey(
        account_id=scope.account_id,
        region=scope.region,
        namespace=namespace,
        name=datum["MetricName"],
        dimensions=dimensions,
        unit=datum.get("Unit", "None"),
    )
    at = datum.get("Timestamp", now)
    if at < now - OLDEST_TAKEN_S:
        raise invalid(f"The parameter {where}.Timestamp must specify a time no more than two weeks in the past.")
    if at > now + NEWEST_TAKEN_S:
        raise invalid(f"The parameter {where}.Timestamp must specify a time no more than two hours in the future.")
    return Sample(key=key, at=int(at) // resolution * resolution, point=_point(where, datum))


def _point(where: str, datum: Mapping[str, Any]) -> Point:
    forms = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
    if not forms:
        every = ", ".join(f"{where}.{name}" for name in ("Values", "Value", "StatisticValues"))
        raise missing(f"At least one of the parameters must be specified: {every}")
    if len(forms) > 1:
        raise bad_combination(
            f"The parameters {where}.{forms[0]} and {where}.{forms[1]} are mutually exclusive and you have specified "
            "both."
        )
    match forms[0]:
        case "Value":
            return point_of(_number(f"{where}.Value", datum["Value"]))
        case "Values":
            return _counted(where, datum)
        case _:
            return _statistic_set(f"{where}.StatisticValues", datum["StatisticValues"])


def _counted(where: str, datum: Mapping[str, Any]) -> Point:
    values = [_number(f"{where}.Values", value) for value in datum["Values"]]
    if not values:
        raise invalid(f"The collection {where}.Values must not be empty.")
    if len(values) > MAX_VALUES:
        raise invalid(f"The collection {where}.Values must not have a size greater than {MAX_VALUES}.")
    counts = [_number(f"{where}.Counts", count) for count in datum.get("Counts", [1.0] * len(values))]
    if len(counts) != len(values):
        raise invalid(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    if negative := next((count for count in counts if count < 0), None):
        raise invalid(f"The value {negative} for parameter {where}.Counts is invalid; a count is not negative.")
    total = merged(point_of(value, count) for value, count in zip(values, counts, strict=True) if count)
    if total is None:
        raise invalid(f"The values of {where} are counted 0 times; at least one count must be above 0.")
    return total


def _statistic_set(where: str, given: Mapping[str, Any]) -> Point:
    count, total, least, most = (
        _number(f"{where}.{name}", given[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise invalid(f"The value {count} for parameter {where}.SampleCount is invalid; it must be above 0.")
    if least > most:
        raise invalid(f"The parameter {where}.Minimum, {least}, is greater than {where}.Maximum, {most}.")
    if least == most:  # then each value is known (aws-semantics 8.3)
        point = point_of(least, count)
        point.sum = total
        return point
    return Point(count, total, least, most, None)


def _number(where: str, value: float) -> float:
    """A value that CloudWatch takes: finite, and of a size of 2^-360 to 2^360."""
    if not isfinite(value) or abs(value) > MAX_VALUE:
        told = "NaN" if value != value else f"{value:g}"  # noqa: PLR0124  only NaN differs from itself
        raise invalid(f"The value {told} for parameter {where} is invalid.")
    return float(value)
