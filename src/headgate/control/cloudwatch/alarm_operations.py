"""SetAlarmState, EnableAlarmActions, DisableAlarmActions and DeleteAlarms."""

from typing import TYPE_CHECKING

import orjson

from headgate.control.cloudwatch.alarm_documents import change_alarm, delete_alarm, existing
from headgate.control.cloudwatch.alarm_states import change_state, composites_of, find_alarm, is_in_cycle
from headgate.control.cloudwatch.errors import validation
from headgate.control.context import Context
from headgate.model.alarm import AlarmValue, CompositeAlarm
from headgate.model.errors import ApiError
from headgate.telemetry.alarm_transition import Change

if TYPE_CHECKING:
    from headgate.wire.shapes import cloudwatch as shapes


def set_alarm_state(context: Context, request: "shapes.SetAlarmStateInput") -> None:
    """For a while: the next evaluation finds what is so. Actions are taken as at any change."""
    alarm = existing(context.tx, context.scope, request["AlarmName"])
    reason_data = request.get("StateReasonData")
    if reason_data is not None:
        try:
            orjson.loads(reason_data)
        except orjson.JSONDecodeError as error:
            raise ApiError("InvalidFormat", f"StateReasonData is not JSON: {error}") from error
    change = Change(value=AlarmValue(request["StateValue"]), reason=request["StateReason"], reason_data=reason_data)
    change_state(context.tx, alarm, change, context.now)


def enable_alarm_actions(context: Context, request: "shapes.EnableAlarmActionsInput") -> None:
    _enable(context, request["AlarmNames"], enabled=True)


def disable_alarm_actions(context: Context, request: "shapes.DisableAlarmActionsInput") -> None:
    _enable(context, request["AlarmNames"], enabled=False)


def delete_alarms(context: Context, request: "shapes.DeleteAlarmsInput") -> None:
    """All of them, or none where one cannot be deleted. A name that no alarm has is no error."""
    scope = context.scope
    alarms = [
        alarm
        for name in dict.fromkeys(request["AlarmNames"])
        if (alarm := find_alarm(context.tx, (scope.account_id, scope.region, name))) is not None
    ]
    composites = [alarm for alarm in alarms if isinstance(alarm, CompositeAlarm)]
    if composites and len(alarms) > 1:
        raise validation("A composite alarm is deleted alone: give its name and no other.")
    known = composites_of(context.tx, scope.account_id, scope.region)
    for alarm in composites:
        if is_in_cycle(alarm, known):
            raise validation(
                f"The composite alarm {alarm.alarm_name} is in a cycle and cannot be deleted; break the cycle first, "
                "for instance by an AlarmRule of FALSE."
            )
    for alarm in alarms:
        delete_alarm(context.tx, alarm, context.now)


def _enable(context: Context, names: list[str], *, enabled: bool) -> None:
    """Of the alarms that are there: as with CloudWatch, other names are no error."""
    for name in names:
        alarm = find_alarm(context.tx, (context.scope.account_id, context.scope.region, name))
        if alarm is not None:
            change_alarm(context.tx, alarm, context.now, actions_enabled=enabled)
