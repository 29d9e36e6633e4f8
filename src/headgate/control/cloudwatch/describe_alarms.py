"""DescribeAlarms, DescribeAlarmsForMetric and DescribeAlarmHistory."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from headgate.control.cloudwatch.alarm_documents import existing, shown
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
    found = _family(context, request) if any(name in request for name in _FAMILY) else _filtered(context, request)
    try:
        taken, token = page(
            found,
            request.get("MaxRecords"),
            request.get("NextToken"),
            lambda each: each[0].alarm_name,
            default=PAGE,
            most=MAX_PAGE,
        )
    except ApiError as error:
        raise bad_token() from error
    types: Collection[str] = request.get("AlarmTypes", _DEFAULT_TYPES)
    if any(name in request for name in _FAMILY):
        types = ("MetricAlarm", "CompositeAlarm")
    answer: dict[str, Any] = {}
    for kind, member in (("CompositeAlarm", "CompositeAlarms"), ("MetricAlarm", "MetricAlarms")):
        # A kind that was not asked for has an empty list, as it has with AWS.
        answer[member] = [look for alarm, look in taken if alarm_type(alarm) == kind and kind in types]
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


def _filtered(context: Context, request: Mapping[str, Any]) -> list[tuple[Alarm, _Shown]]:
    if "AlarmNames" in request and "AlarmNamePrefix" in request:
        raise bad_combination("AlarmNames and AlarmNamePrefix are mutually exclusive.")
    names = set(request.get("AlarmNames") or ())
    prefix = request.get("AlarmNamePrefix", "")
    action = request.get("ActionPrefix")
    value = request.get("StateValue")
    found = []
    for alarm in _alarms(context, request.get("AlarmTypes", _DEFAULT_TYPES)):
        if names and alarm.alarm_name not in names:
            continue
        if not alarm.alarm_name.startswith(prefix):
            continue
        actions = (*alarm.ok_actions, *alarm.alarm_actions, *alarm.insufficient_data_actions)
        if action is not None and not any(each.startswith(action) for each in actions):
            continue
        look = _look(context, alarm)
        if value is None or look["StateValue"] == value:
            found.append((alarm, look))
    return found


def _family(context: Context, request: Mapping[str, Any]) -> list[tuple[Alarm, _Shown]]:
    """The alarms that a rule looks at, or whose rules look at one; little is told of each."""
    others = [name for name in request if name not in {*_FAMILY, "MaxRecords", "NextToken"}]
    asked = [name for name in _FAMILY if name in request]
    if others or len(asked) > 1:
        raise validation(
            f"{asked[0]} can be used with MaxRecords and NextToken alone, not with {(others or asked)[-1]}."
        )
    alarm = existing(context.tx, context.scope, request[asked[0]])
    every = _alarms(context, ("MetricAlarm", "CompositeAlarm"))
    related: Callable[[Alarm], bool]
    members: tuple[str, ...]
    if asked[0] == "ChildrenOfAlarmName":
        names = set(children(parse_rule(alarm.alarm_rule))) if isinstance(alarm, CompositeAlarm) else set()
        related = lambda each: each.alarm_name in names  # noqa: E731  one of two
        members = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")
    else:
        related = lambda each: (  # noqa: E731
            isinstance(each, CompositeAlarm) and alarm.alarm_name in children(parse_rule(each.alarm_rule))
        )
        members = ("AlarmName", "AlarmArn")
    found: list[tuple[Alarm, _Shown]] = []
    for each in every:
        if related(each):
            look = _look(context, each)
            found.append((each, {name: look[name] for name in members}))
    return found


def _alarms(context: Context, types: Iterable[str]) -> list[Alarm]:
    scope = context.scope
    alarms: list[Alarm] = []
    if "MetricAlarm" in types:
        alarms += context.tx.list(MetricAlarm, scope.account_id, scope.region)
    if "CompositeAlarm" in types:
        alarms += context.tx.list(CompositeAlarm, scope.account_id, scope.region)
    return alarms


def _look(context: Context, alarm: Alarm) -> _Shown:
    state = context.tx.get(AlarmState, *alarm.key)
    assert state is not None  # it is put and deleted with its alarm
    return shown(alarm, state)
