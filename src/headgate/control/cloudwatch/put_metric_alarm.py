"""PutMetricAlarm: an alarm on a metric, or on an expression over several (aws-semantics 8.1)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from headgate.control.cloudwatch.alarm_actions import actions_of
from headgate.control.cloudwatch.alarm_documents import put_alarm
from headgate.control.cloudwatch.errors import bad_combination, missing, validation
from headgate.control.cloudwatch.get_metric_data import checked_queries
from headgate.control.cloudwatch.ports import CloudWatchPorts
from headgate.control.cloudwatch.tags import tags_of
from headgate.model.alarm import AlarmDimension, MetricAlarm
from headgate.model.metric import MAX_DIMENSIONS
from headgate.model.scope import Scope
from headgate.telemetry.alarm_evaluation import COMPARISONS, MissingData
from headgate.telemetry.metric_math import Expression, functions, names
from headgate.telemetry.retention import DAY_S, HOUR_S
from headgate.telemetry.statistics import is_extended

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

MAX_METRICS: Final = 10  # of one alarm
_UNSUPPORTED: Final = (
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
)
_OF_ONE_METRIC: Final = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
)


async def put_metric_alarm(
    ports: CloudWatchPorts, scope: Scope, now: float, request: "shapes.PutMetricAlarmInput"
) -> None:
    alarm = _checked(scope, now, request, ports)
    await ports.store.write(lambda tx: put_alarm(tx, alarm, now))


def _checked(scope: Scope, now: float, given: Mapping[str, Any], ports: CloudWatchPorts) -> MetricAlarm:
    for name in _UNSUPPORTED:
        if name in given:
            raise validation(f"{name} is not supported by Headgate; leave it out")
    if given.get("ThresholdMetricId") is not None or given.get("ComparisonOperator") not in COMPARISONS:
        raise _no_band(given)
    for name in ("EvaluationPeriods", "ComparisonOperator"):
        if name not in given:
            raise missing(f"The parameter {name} is required.")
    if "Threshold" not in given:
        raise validation("PutMetricAlarm request should have valid Threshold parameter")
    period = _checked_metrics(scope, given) if "Metrics" in given else _checked_metric(given)
    _check_periods(given, period)
    if given.get("TreatMissingData", "missing") not in list(MissingData):
        raise validation(
            f"Option {given['TreatMissingData']} is not supported. Supported options for parameter TreatMissingData "
            "are breaching, notBreaching, ignore and missing."
        )
    low = given.get("EvaluateLowSampleCountPercentile")
    if low is not None and low not in {"evaluate", "ignore"}:
        raise validation(
            f"Option {low} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
            "evaluate and ignore."
        )
    of_one = "Metrics" not in given
    return MetricAlarm(
        account_id=scope.account_id,
        region=scope.region,
        alarm_name=given["AlarmName"],
        alarm_configuration_updated_timestamp=now,
        alarm_description=given.get("AlarmDescription"),
        **actions_of(given, ports.webhooks),
        tags=tags_of(given.get("Tags", ())),
        evaluation_periods=given["EvaluationPeriods"],
        comparison_operator=given["ComparisonOperator"],
        threshold=given["Threshold"],
        metric_name=given.get("MetricName"),
        namespace=given.get("Namespace"),
        statistic=given.get("Statistic"),
        extended_statistic=given.get("ExtendedStatistic"),
        dimensions=_dimensions(given.get("Dimensions", ())) if of_one else None,
        period=given.get("Period"),
        unit=given.get("Unit"),
        datapoints_to_alarm=given.get("DatapointsToAlarm"),
        treat_missing_data=given.get("TreatMissingData"),
        evaluate_low_sample_count_percentile=low,
        metrics=None if of_one else tuple(given["Metrics"]),
    )


def _no_band(given: Mapping[str, Any]) -> Exception:
    operator = given.get("ComparisonOperator")
    if operator is None:
        return missing("The parameter ComparisonOperator is required.")
    if given.get("ThresholdMetricId") is None:
        return validation("ComparisonOperators for ranges require ThresholdMetricId to be set")
    return validation(
        f"ThresholdMetricId {given['ThresholdMetricId']} with {operator}: anomaly detection is not supported by "
        f"Headgate; give a Threshold and one of {', '.join(COMPARISONS)}"
    )


def _checked_metric(given: Mapping[str, Any]) -> int:
    for name in ("MetricName", "Namespace", "Period"):
        if name not in given:
            raise missing(f"The parameter {name} is required.")
    if ("Statistic" in given) == ("ExtendedStatistic" in given):
        raise bad_combination("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
    extended = given.get("ExtendedStatistic")
    if extended is not None and not is_extended(extended):
        raise validation(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    if len(given.get("Dimensions", ())) > MAX_DIMENSIONS:
        raise validation(f"The collection Dimensions must not have a size greater than {MAX_DIMENSIONS}.")
    period: int = given["Period"]
    return period


def _checked_metrics(scope: Scope, given: Mapping[str, Any]) -> int:
    """An alarm on expressions; the period of the one series that is judged."""
    if both := [name for name in _OF_ONE_METRIC if name in given]:
        raise bad_combination(f"The parameters Metrics and {both[0]} are mutually exclusive.")
    queries = checked_queries(given["Metrics"], scope)
    returned = [query for query in queries if query.returned]
    if len(returned) != 1:
        raise validation("Exactly one element of the metrics list should return data.")
    metrics = [query for query in queries if query.metric is not None]
    if not metrics:
        raise validation("Metrics list must contain at least one metric.")
    if len(metrics) > MAX_METRICS:
        raise validation(f"An alarm may use {MAX_METRICS} metrics; {len(metrics)} are given.")
    ids = {query.id for query in queries}
    for query in queries:
        if query.expression is not None:
            _check_expression(query.id, query.expression, ids)
    # An expression's points are as far apart as the slowest of its metrics.
    return returned[0].period or max(query.period for query in metrics if query.period is not None)


def _check_expression(query_id: str, expression: Expression, ids: set[str]) -> None:
    for used in functions(expression):
        if used.name in {"SEARCH", "ANOMALY_DETECTION_BAND"}:
            raise validation(f"Error in expression '{query_id}': {used.name} cannot be used in an alarm here")
    for name in names(expression):
        # Ids begin with a small letter; the key words of functions do not.
        if name[0].islower() and name not in ids:
            raise validation(f"Error in expression '{query_id}': there is no query with the id {name}")


def _check_periods(given: Mapping[str, Any], period: int) -> None:
    if period not in {10, 20, 30} and (period <= 0 or period % 60):
        raise validation(f"Period must be 10, 20, 30 or a multiple of 60; it is {period}")
    periods = given["EvaluationPeriods"]
    most = DAY_S if period < HOUR_S else 7 * DAY_S
    if periods < 1 or periods * period > most:
        raise validation(
            f"Metrics cannot be checked across more than {'a day' if most == DAY_S else 'a week'}: "
            f"EvaluationPeriods * Period must be <= {most}; it is {periods * period}"
        )
    needed = given.get("DatapointsToAlarm")
    if needed is not None and not 1 <= needed <= periods:
        raise validation(
            f"DatapointsToAlarm must be less than or equal to EvaluationPeriods; it is {needed}, of {periods}"
        )


def _dimensions(given: Sequence[Mapping[str, str]]) -> tuple[AlarmDimension, ...]:
    return tuple(AlarmDimension(name=each["Name"], value=each["Value"]) for each in given)
