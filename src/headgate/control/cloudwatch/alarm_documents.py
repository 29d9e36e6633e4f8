"""Alarms in the store: put, found, shown, deleted."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from headgate.control.cloudwatch.alarm_states import find_alarm, follow
from headgate.control.cloudwatch.errors import not_found, validation
from headgate.model.alarm import Alarm, AlarmState, CompositeAlarm, alarm_type
from headgate.model.scope import Scope
from headgate.store.transaction import Transaction
from headgate.telemetry.alarm_transition import first_state, history_item


def put_alarm(tx: Transaction, alarm: Alarm, now: float) -> None:
    """Make an alarm, or change one: then its state, its history and its tags stay. Raises ApiError."""
    before = find_alarm(tx, alarm.key)
    if before is not None and type(before) is not type(alarm):
        raise validation(f"An alarm named {alarm.alarm_name} exists, and it is a {alarm_type(before)}.")
    if before is None:
        tx.put(first_state(now), *alarm.key)
    else:
        alarm = replace(alarm, tags=before.tags)
    _save(tx, alarm, now, "created" if before is None else "updated")


def change_alarm(tx: Transaction, alarm: Alarm, now: float, **changes: Any) -> None:
    """Change some of an alarm that is there."""
    changed = replace(alarm, alarm_configuration_updated_timestamp=now, **changes)
    if any(getattr(alarm, name) != value for name, value in changes.items()):
        _save(tx, changed, now, "updated")


def delete_alarm(tx: Transaction, alarm: Alarm, now: float) -> None:
    """Its history stays. What was to be told of it is told."""
    tx.delete(type(alarm), *alarm.key)
    tx.delete(AlarmState, *alarm.key)
    _record(tx, alarm, now, "deleted")
    follow(tx, alarm, now, f"{alarm.alarm_arn} was deleted")


def existing(tx: Transaction, scope: Scope, name: str) -> Alarm:
    """Raises ApiError."""
    alarm = find_alarm(tx, (scope.account_id, scope.region, name))
    if alarm is None:
        raise not_found("Alarm", name)
    return alarm


def shown(alarm: Alarm, state: AlarmState) -> Mapping[str, Any]:
    """As DescribeAlarms has it."""
    members = {**msgspec.to_builtins(alarm), **msgspec.to_builtins(state), "AlarmArn": alarm.alarm_arn}
    if isinstance(alarm, CompositeAlarm) and state.suppression is not None:
        members["ActionsSuppressedBy"] = state.suppression.by
        members["ActionsSuppressedReason"] = state.suppression.reason
    return members


def _save(tx: Transaction, alarm: Alarm, now: float, what: str) -> None:
    tx.put(alarm, *alarm.key)
    _record(tx, alarm, now, what)


def _record(tx: Transaction, alarm: Alarm, now: float, what: str) -> None:
    kind = {"created": "Create", "updated": "Update", "deleted": "Delete"}[what]
    configuration = msgspec.to_builtins(alarm)
    for name in ("AccountId", "Region", "Tags"):
        del configuration[name]
    present = {_camel(name): value for name, value in configuration.items() if value is not None}
    data = {"type": kind, f"{what}Alarm": present}
    item = history_item(alarm, "ConfigurationUpdate", f'Alarm "{alarm.alarm_name}" {what}', data, now)
    tx.alarms.record(alarm.account_id, alarm.region, item)


def _camel(name: str) -> str:
    return "okActions" if name == "OKActions" else name[0].lower() + name[1:]
