"""Changing alarms' states, within a transaction: the step is decided in `telemetry`, here it is kept, and followed.

With a state go its history, the messages for those who are told, and the composite alarms that look at it: all of it
is committed together, so a crash neither loses a part of a transition nor makes one twice.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from headgate.control.cloudwatch.alarm_actions import ActionKind, kind_of
from headgate.model.alarm import (
    Alarm,
    AlarmDelivery,
    AlarmState,
    AlarmValue,
    CompositeAlarm,
    MetricAlarm,
    alarm_type,
)
from headgate.model.ids import new_revision_id
from headgate.store.transaction import Transaction
from headgate.telemetry.alarm_messages import alarm_arn_of, function_event, subject, topic_message, webhook_body
from headgate.telemetry.alarm_reason import long_time
from headgate.telemetry.alarm_rule import alarm_name, children, holds, parse_rule
from headgate.telemetry.alarm_transition import Change, next_step

_Key = tuple[str, str, str]
_Composites = Mapping[str, CompositeAlarm]  # by name: those of one account and region


def find_alarm(tx: Transaction, key: _Key) -> Alarm | None:
    return tx.get(MetricAlarm, *key) or tx.get(CompositeAlarm, *key)


def change_state(tx: Transaction, alarm: Alarm, change: Change, now: float) -> None:
    """Take a state that was found or set. Nothing happens where the alarm has it already."""
    _step(tx, alarm, change, now, frozenset())


def pass_time(tx: Transaction, alarm: CompositeAlarm, now: float) -> None:
    """Tell what was held back for a time that is over."""
    _step(tx, alarm, None, now, frozenset())


def judge_composite(tx: Transaction, alarm: CompositeAlarm, now: float, reason: str) -> None:
    """Evaluate a composite alarm's rule as its children stand. One in a cycle stays as it is."""
    _judge(tx, alarm, now, reason, frozenset())


def overridden_composites(tx: Transaction) -> list[CompositeAlarm]:
    """Composite alarms that have another state than their rule gives: somebody has set it. Those in a cycle, too."""
    found = []
    for alarm in tx.list(CompositeAlarm):
        state = tx.get(AlarmState, *alarm.key)
        if state is not None and state.state_value is not _value(alarm, _states(tx, alarm)):
            found.append(alarm)
    return found


def follow(tx: Transaction, alarm: Alarm, now: float, reason: str) -> None:
    """Let those that look at an alarm see that it is there, is another, or is gone."""
    _follow(tx, alarm, now, reason, frozenset({alarm.key}))


def composites_of(tx: Transaction, account_id: str, region: str) -> _Composites:
    return {alarm.alarm_name: alarm for alarm in tx.list(CompositeAlarm, account_id, region)}


def is_in_cycle(alarm: CompositeAlarm, composites: _Composites) -> bool:
    """Whether an alarm depends on itself, through others or at once."""
    seen: set[str] = set()
    waiting = list(children(parse_rule(alarm.alarm_rule)))
    while waiting:
        name = waiting.pop()
        if name == alarm.alarm_name:
            return True
        if name not in seen and (child := composites.get(name)) is not None:
            waiting += children(parse_rule(child.alarm_rule))
        seen.add(name)
    return False


def _step(tx: Transaction, alarm: Alarm, change: Change | None, now: float, passed: frozenset[_Key]) -> None:
    state = tx.get(AlarmState, *alarm.key)
    if state is None:
        return
    step = next_step(alarm, state, change, _suppressor(tx, alarm), now, new_revision_id())
    if step is None:
        return
    tx.put(step.state, *alarm.key)
    for item in step.history:
        tx.alarms.record(alarm.account_id, alarm.region, item)
    for number, target in enumerate(step.actions):
        tx.alarms.send(_delivery(tx, alarm, step.state, target, number, now))
    if step.state.state_value is not state.state_value:
        at = datetime.fromtimestamp(step.state.state_transitioned_timestamp, UTC)
        told = f"{alarm.alarm_arn} transitioned to {step.state.state_value} at {at:%A %d %B, %Y %H:%M:%S UTC}"
        _follow(tx, alarm, now, told, passed | {alarm.key})


def _follow(tx: Transaction, alarm: Alarm, now: float, reason: str, passed: frozenset[_Key]) -> None:
    for other in composites_of(tx, alarm.account_id, alarm.region).values():
        if other.key in passed:
            continue
        if alarm.alarm_name in children(parse_rule(other.alarm_rule)):
            _judge(tx, other, now, reason, passed)
        if other.actions_suppressor is not None and alarm_name(other.actions_suppressor) == alarm.alarm_name:
            _step(tx, other, None, now, passed)


def _judge(tx: Transaction, alarm: CompositeAlarm, now: float, reason: str, passed: frozenset[_Key]) -> None:
    if is_in_cycle(alarm, composites_of(tx, alarm.account_id, alarm.region)):
        return
    states = _states(tx, alarm)
    triggering = [
        {
            "arn": alarm_arn_of(alarm, name),
            "state": {"value": state.state_value, "timestamp": long_time(state.state_updated_timestamp)},
        }
        for name, state in states.items()
        if state.state_value is AlarmValue.ALARM
    ]
    change = Change(
        value=_value(alarm, states),
        reason=reason,
        reason_data=orjson.dumps({"triggeringAlarms": triggering}).decode(),
    )
    _step(tx, alarm, change, now, passed)


def _value(alarm: CompositeAlarm, states: Mapping[str, AlarmState]) -> AlarmValue:
    """What a composite alarm's rule makes of its children; one that is not there has no data."""

    def state_of(name: str) -> AlarmValue:
        return states[name].state_value if name in states else AlarmValue.INSUFFICIENT_DATA

    return AlarmValue.ALARM if holds(parse_rule(alarm.alarm_rule), state_of) else AlarmValue.OK


def _states(tx: Transaction, alarm: CompositeAlarm) -> dict[str, AlarmState]:
    """Of its children that are there, by name."""
    names = children(parse_rule(alarm.alarm_rule))
    found = ((name, tx.get(AlarmState, alarm.account_id, alarm.region, name)) for name in names)
    return {name: state for name, state in found if state is not None}


def _suppressor(tx: Transaction, alarm: Alarm) -> AlarmValue | None:
    if not isinstance(alarm, CompositeAlarm) or alarm.actions_suppressor is None:
        return None
    state = tx.get(AlarmState, alarm.account_id, alarm.region, alarm_name(alarm.actions_suppressor))
    return AlarmValue.INSUFFICIENT_DATA if state is None else state.state_value


def _delivery(tx: Transaction, alarm: Alarm, state: AlarmState, target: str, number: int, now: float) -> AlarmDelivery:
    match kind_of(target):
        case ActionKind.TOPIC:
            body = topic_message(alarm, state, _states(tx, alarm) if isinstance(alarm, CompositeAlarm) else {})
        case ActionKind.WEBHOOK:
            body = webhook_body(alarm, state)
        case _:
            body = function_event(alarm, state)
    return AlarmDelivery(
        id=f"{state.change_id}/{number}",
        change_id=state.change_id,
        account_id=alarm.account_id,
        region=alarm.region,
        alarm_name=alarm.alarm_name,
        alarm_type=alarm_type(alarm),
        target=target,
        body=body,
        subject=subject(alarm, state),
        created_at=now,
        due_at=now,
    )
