"""Why an alarm has its state, in CloudWatch's words (aws-semantics 8.1)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from headgate.model.alarm import AlarmValue, MetricAlarm
from headgate.telemetry.alarm_evaluation import Datapoint, Evaluation, MissingData

_COMPARED: Final[Mapping[str, str]] = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_TREATED: Final = {MissingData.BREACHING: "Breaching", MissingData.NOT_BREACHING: "NonBreaching"}


def reason(alarm: MetricAlarm, evaluation: Evaluation, before: AlarmValue) -> str:
    """`Threshold Crossed: 1 out of the last 1 datapoints [5.0 (10/10/24 13:55:00)] was greater than ...`."""
    if evaluation.value is AlarmValue.INSUFFICIENT_DATA:
        return f"Insufficient Data: {_counted(evaluation.filled, 'datapoint')} {_was(evaluation.filled)} unknown."
    treated = _TREATED.get(MissingData(alarm.treat_missing_data or MissingData.MISSING))
    if not evaluation.used:
        return (
            f"Threshold Crossed: no datapoints were received for {_counted(evaluation.filled, 'period')} and "
            f"{_counted(evaluation.filled, 'missing datapoint')} {_was(evaluation.filled)} treated as [{treated}]."
        )
    alarming = evaluation.value is AlarmValue.ALARM
    breaching = set(evaluation.breaching)
    told = [point for point in evaluation.used if (point in breaching) == alarming]
    # Of fills alone there may be no point on the state's own side.
    compared = f"{'' if alarming or not told else 'not '}{_COMPARED[alarm.comparison_operator]}"
    told = told or list(evaluation.used)
    least = alarm.needed if alarming else alarm.evaluation_periods - alarm.needed + 1
    filled = ""
    if treated is not None and evaluation.filled:
        filled = (
            f" and {_counted(evaluation.filled, 'missing datapoint')} {_was(evaluation.filled)} treated as [{treated}]"
        )
    return (
        f"Threshold Crossed: {len(told)} out of the last {alarm.evaluation_periods} datapoints "
        f"[{', '.join(_shown(point) for point in reversed(told))}] {_was(len(told))} {compared} the threshold "
        f"({alarm.threshold}){filled} (minimum {_counted(least, 'datapoint')} for {before} -> {evaluation.value} "
        "transition)."
    )


def reason_data(alarm: MetricAlarm, period: int, evaluation: Evaluation, now: float) -> str:
    """The same as JSON, newest point last in `recentDatapoints` and first in `evaluatedDatapoints`."""
    document: dict[str, Any] = {"version": "1.0", "queryDate": long_time(now)}
    if evaluation.used:
        document["startDate"] = long_time(evaluation.used[0].at)
    if (statistic := alarm.statistic or alarm.extended_statistic) is not None:
        document["statistic"] = statistic
    if alarm.unit is not None:
        document["unit"] = alarm.unit
    document |= {
        "period": period,
        "recentDatapoints": [point.value for point in evaluation.used],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [_evaluated(point) for point in reversed(evaluation.used)],
    }
    return orjson.dumps(document).decode()


def long_time(seconds: float) -> str:
    """`2024-10-10T13:55:00.000+0000`, as alarms and their messages write time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _evaluated(point: Datapoint) -> dict[str, Any]:
    evaluated: dict[str, Any] = {"timestamp": long_time(point.at), "value": point.value}
    if point.samples is not None:
        evaluated["sampleCount"] = point.samples
    return evaluated


def _shown(point: Datapoint) -> str:
    return f"{point.value} ({datetime.fromtimestamp(point.at, UTC):%d/%m/%y %H:%M:%S})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
