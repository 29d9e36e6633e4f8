"""DescribeAlarms, DescribeAlarmsForMetric and DescribeAlarmHistory."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headgate.control.cloudwatch.alarm_documents import existing, shown
from headgate.control.cloudwatch.alarm_states import find_alarm
from headgate.control.cloudwatch.errors import bad_combination, bad_token, validation
from headgate.control.context import Context
from headgate.model.alarm import Alarm, AlarmState, CompositeAlarm, MetricAlarm, alarm_type
from headgate.model.errors import ApiError
from headgate.model.metric import dimensions_of
from headgate.store.alarm_journal import HistoryQuery
from headgate.telemetry.alarm_rule import children, parse_rule
from headgate.wire.paging import page

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

PAGE: Final = 50
MAX_PAGE: Final = 100
_DEFAULT_TYPES: Final = ("MetricAlarm",)
_FAMILY: Final = ("ChildrenOfAlarmName", "ParentsOfAlarmName")
_Shown = Mapping[str, Any]


def describe_alarms(context: Context, request: "shapes.DescribeAlarmsInput") -> Mapping[str, Any]:
    if any(name in request for name in _FAMILY):
        found, members = _family(context, request)
    else:
        found, members = _filtered(context, request), None
    try:
        taken, token = page(
            found,
            request.get("MaxRecords"),
            request.get("NextToken"),
            lambda each: each.alarm_name,
            default=PAGE,
            most=MAX_PAGE,
        )
    except ApiError as error:
        raise bad_token() from error
    answer: dict[str, Any] = {"CompositeAlarms": [], "MetricAlarms": []}
    for alarm in taken:
        look = _look(context, alarm)
        shown_members = look if members is None else {name: look[name] for name in members}
        answer[f"{alarm_type(alarm)}s"].append(shown_members)
    if token is not None:
        answer["NextToken"] = token
    return answer


def describe_alarms_for_metric(context: Context, request: "shapes.DescribeAlarmsForMetricInput") -> Mapping[str, Any]:
    """Alarms on expressions are not found by one of their metrics."""
    dimensions = dimensions_of(request.get("Dimensions", ()))
    optional = {
        "Statistic": "statistic",
        "ExtendedStatistic": "extended_statistic",
        "Period": "period",
        "Unit": "unit",
    }

    def wanted(alarm: MetricAlarm) -> bool:
        return (
            (alarm.namespace, alarm.metric_name) == (request["Namespace"], request["MetricName"])
            and tuple(sorted((each.name, each.value) for each in alarm.dimensions or ())) == dimensions
            and all(getattr(alarm, field) == request[name] for name, field in optional.items() if name in request)  # type: ignore[literal-required]
        )

    alarms = context.tx.list(MetricAlarm, context.scope.account_id, context.scope.region)
    return {"MetricAlarms": [_look(context, alarm) for alarm in alarms if wanted(alarm)]}


def describe_alarm_history(context: Context, request: "shapes.DescribeAlarmHistoryInput") -> Mapping[str, Any]:
    token = request.get("NextToken")
    if token is not None and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise bad_token()
    limit = request.get("MaxRecords", MAX_PAGE)
    found = context.tx.alarms.history(
        HistoryQuery(
            account_id=context.scope.account_id,
            region=context.scope.region,
            alarm_types=request.get("AlarmTypes", _DEFAULT_TYPES),
            limit=limit + 1,
            alarm=request.get("AlarmName"),
            item_type=request.get("HistoryItemType"),
            start=request.get("StartDate"),
            end=request.get("EndDate"),
            oldest_first=request.get("ScanBy") == "TimestampAscending",
            after=None if token is None else int(token),
        )
    )
    answer: dict[str, Any] = {"AlarmHistoryItems": [msgspec.to_builtins(item) for _, item in found[:limit]]}
    if len(found) > limit:
        answer["NextToken"] = str(found[limit - 1][0])
    return answer


def _filtered(context: Context, request: Mapping[str, Any]) -> list[Alarm]:
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise bad_combination("AlarmNames and AlarmNamePrefix are mutually exclusive.")
    prefix = request.get("AlarmNamePrefix", "")
    action = request.get("ActionPrefix")
    value = request.get("StateValue")
    found = []
    for alarm in _alarms(context, request.get("AlarmTypes", _DEFAULT_TYPES), request.get("AlarmNames") or None):
        if not alarm.alarm_name.startswith(prefix):
            continue
        actions = (*alarm.ok_actions, *alarm.alarm_actions, *alarm.insufficient_data_actions)
        if action is not None and not any(each.startswith(action) for each in actions):
            continue
        if value is None or _look(context, alarm)["StateValue"] == value:
            found.append(alarm)
    return found


def _family(context: Context, request: Mapping[str, Any]) -> tuple[list[Alarm], tuple[str, ...]]:
    """The alarms that a rule looks at, or whose rules look at one; and the little that is told of each."""
    others = [name for name in request if name not in {*_FAMILY, "MaxRecords", "NextToken"}]
    asked = [name for name in _FAMILY if name in request]
    if others or len(asked) > 1:
        raise validation(
            f"{asked[0]} can be used with MaxRecords and NextToken alone, not with {(others or asked)[-1]}."
        )
    alarm = existing(context.tx, context.scope, request[asked[0]])
    if asked[0] == "ParentsOfAlarmName":
        parents: list[Alarm] = [
            each
            for each in context.tx.list(CompositeAlarm, context.scope.account_id, context.scope.region)
            if alarm.alarm_name in children(parse_rule(each.alarm_rule))
        ]
        return parents, ("AlarmName", "AlarmArn")
    names = children(parse_rule(alarm.alarm_rule)) if isinstance(alarm, CompositeAlarm) else ()
    found = _alarms(context, ("MetricAlarm", "CompositeAlarm"), names)
    return found, ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")


def _alarms(context: Context, types: Collection[str], names: Iterable[str] | None = None) -> list[Alarm]:
    """All of these types, or those of these names."""
    account_id, region = context.scope.account_id, context.scope.region
    if names is not None:
        found = (find_alarm(context.tx, (account_id, region, name)) for name in dict.fromkeys(names))
        return [alarm for alarm in found if alarm is not None and alarm_type(alarm) in types]
    alarms: list[Alarm] = []
    if "MetricAlarm" in types:
        alarms += context.tx.list(MetricAlarm, account_id, region)
    if "CompositeAlarm" in types:
        alarms += context.tx.list(CompositeAlarm, account_id, region)
    return alarms


def _look(context: Context, alarm: Alarm) -> _Shown:
    state = context.tx.get(AlarmState, *alarm.key)
    assert state is not None  # it is put and deleted with its alarm
    return shown(alarm, state)
