"""PutCompositeAlarm: an alarm on other alarms (aws-semantics 8.2)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from headgate.control.cloudwatch.alarm_actions import actions_of
from headgate.control.cloudwatch.alarm_documents import put_alarm
from headgate.control.cloudwatch.alarm_states import find_alarm, follow, judge_composite
from headgate.control.cloudwatch.errors import validation
from headgate.control.cloudwatch.ports import CloudWatchPorts
from headgate.control.cloudwatch.tags import tags_of
from headgate.model.alarm import CompositeAlarm
from headgate.model.scope import Scope
from headgate.store.transaction import Transaction
from headgate.telemetry.alarm_rule import RuleError, alarm_name, children, parse_rule

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes

_PERIODS: Final = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_MAX_PERIOD_S: Final = 86_400


async def put_composite_alarm(
    ports: CloudWatchPorts, scope: Scope, now: float, request: "shapes.PutCompositeAlarmInput"
) -> None:
    alarm = _checked(scope, now, request, ports)
    await ports.store.write(lambda tx: _put(tx, alarm, now))


def _put(tx: Transaction, alarm: CompositeAlarm, now: float) -> None:
    named = [*children(parse_rule(alarm.alarm_rule))]
    if alarm.actions_suppressor is not None:
        named.append(alarm_name(alarm.actions_suppressor))
    unknown = [name for name in named if find_alarm(tx, (alarm.account_id, alarm.region, name)) is None]
    if unknown:
        raise validation(
            f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist"
        )
    put_alarm(tx, alarm, now)
    reason = f"{alarm.alarm_arn} was created or updated"
    judge_composite(tx, alarm, now, reason)
    follow(tx, alarm, now, reason)  # one that was in a cycle with it may be so no more


def _checked(scope: Scope, now: float, given: Mapping[str, Any], ports: CloudWatchPorts) -> CompositeAlarm:
    if "ActionConfiguration" in given:
        raise validation("ActionConfiguration is not supported by Headgate; leave it out")
    try:
        parse_rule(given["AlarmRule"])
    except RuleError as error:
        raise validation(str(error)) from error
    suppressor = given.get("ActionsSuppressor")
    for name in _PERIODS:
        if (name in given) != (suppressor is not None):
            raise validation(f"ActionsSuppressor and {name} are given together or not at all")
        if suppressor is not None and not 0 <= given[name] <= _MAX_PERIOD_S:
            raise validation(f"{name} is {given[name]}; give seconds from 0 to {_MAX_PERIOD_S}")
    return CompositeAlarm(
        account_id=scope.account_id,
        region=scope.region,
        alarm_name=given["AlarmName"],
        alarm_configuration_updated_timestamp=now,
        alarm_description=given.get("AlarmDescription"),
        **actions_of(given, ports.webhooks),
        tags=tags_of(given.get("Tags", ())),
        alarm_rule=given["AlarmRule"],
        actions_suppressor=suppressor,
        actions_suppressor_wait_period=given.get("ActionsSuppressorWaitPeriod"),
        actions_suppressor_extension_period=given.get("ActionsSuppressorExtensionPeriod"),
    )
