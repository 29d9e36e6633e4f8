"""What an alarm judges: a metric's points, or those of an expression, of the periods that an evaluation looks at."""

from collections.abc import Callable, Mapping

from headgate.control.cloudwatch.get_metric_data import Reading, checked_queries
from headgate.model.alarm import MetricAlarm
from headgate.model.errors import ApiError
from headgate.model.metric import MetricKey
from headgate.model.scope import Scope
from headgate.store.metric_database import MetricDatabase
from headgate.telemetry.alarm_evaluation import Datapoint, evaluation_range
from headgate.telemetry.statistics import statistic

ReadPoints = Callable[[MetricDatabase, range, float], Mapping[int, Datapoint]]
"""The points by their beginnings, of these periods; the last argument is the time."""


class AlarmSeries:
    """One alarm's series. Made where the alarm is published, read on the metric store's thread."""

    def __init__(self, alarm: MetricAlarm) -> None:
        self._alarm = alarm
        self.period, self._read = _of_expression(alarm) if alarm.metrics is not None else _of_metric(alarm)

    def __repr__(self) -> str:
        return f"<AlarmSeries of {self._alarm.alarm_name}, every {self.period} s>"

    def points(self, database: MetricDatabase, tick: int, now: float) -> list[Datapoint | None]:
        """Those of the evaluation range that ends with `tick`, oldest first; None is a period without one."""
        periods = evaluation_range(self._alarm, self.period, tick)
        found = self._read(database, periods, now)
        return [found.get(at) for at in periods]


def _of_metric(alarm: MetricAlarm) -> tuple[int, ReadPoints]:
    compute = statistic(alarm.statistic or alarm.extended_statistic or "")
    assert compute is not None  # checked when the alarm was put
    assert alarm.period is not None
    key = MetricKey(
        account_id=alarm.account_id,
        region=alarm.region,
        namespace=alarm.namespace or "",
        name=alarm.metric_name or "",
        dimensions=tuple(sorted((each.name, each.value) for each in alarm.dimensions or ())),
    )

    def read(database: MetricDatabase, periods: range, now: float) -> Mapping[int, Datapoint]:
        found: dict[int, Datapoint] = {}
        for known in database.of_any_unit(key):
            if alarm.unit is not None and known.key.unit != alarm.unit:
                continue
            for at, point in database.points(known.key, periods.start, periods.stop, periods.step, now).items():
                value = compute(point)
                if value is not None:
                    found.setdefault(at, Datapoint(at=at, value=value, samples=point.count))
        return found

    return alarm.period, read


def _of_expression(alarm: MetricAlarm) -> tuple[int, ReadPoints]:
    scope = Scope(account_id=alarm.account_id, region=alarm.region)
    queries = checked_queries(alarm.metrics or (), scope)
    [returned] = [query for query in queries if query.returned]
    period = returned.period or max(
        query.period for query in queries if query.metric is not None and query.period is not None
    )

    def read(database: MetricDatabase, periods: range, now: float) -> Mapping[int, Datapoint]:
        try:
            series = Reading(database, scope, queries, periods.start, periods.stop, now).read()
        except ApiError:  # an expression that has no value for these points: as if there were none
            return {}
        return {at: Datapoint(at=at, value=value) for each in series[:1] for at, value in each.points}

    return period, read
