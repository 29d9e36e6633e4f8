"""An alarm as a state machine: what follows when its state is found or set, and when time passes (aws-semantics 8).

A step says all that is to be kept together: the new state, the history, and whose turn it is to be told. Actions are
taken at transitions alone. Those of a composite alarm may be suppressed by another alarm: at a change to ALARM it waits
for its suppressor, while the suppressor is in ALARM nothing is told, and after that it waits once more. When it is told
at last, then of the state that holds by then; and not at all where that is the state that was told before.
"""

from typing import Any

import orjson
from msgspec.structs import replace

from headgate.model.alarm import Alarm, AlarmState, AlarmValue, CompositeAlarm, HistoryItem, Suppression, alarm_type
from headgate.model.value import Value
from headgate.telemetry.alarm_reason import long_time

CREATED = "Unchecked: Initial alarm creation"


class Change(Value, frozen=True):
    """A state that an evaluation found, or that somebody set."""

    value: AlarmValue
    reason: str
    reason_data: str | None = None  # JSON


class Step(Value, frozen=True):
    """What follows; `actions` are the ARNs that are to be told of `state`."""

    state: AlarmState
    history: tuple[HistoryItem, ...] = ()
    actions: tuple[str, ...] = ()


def first_state(now: float) -> AlarmState:
    """Of a new alarm."""
    return AlarmState(
        state_value=AlarmValue.INSUFFICIENT_DATA,
        state_reason=CREATED,
        state_updated_timestamp=now,
        state_transitioned_timestamp=now,
    )


def next_step(
    alarm: Alarm, state: AlarmState, change: Change | None, suppressor: AlarmValue | None, now: float, change_id: str
) -> Step | None:
    """What follows from a change, or from time that passed (None); None where nothing does.

    `suppressor` is the state of the alarm that suppresses this one's actions, None for an alarm without one.
    """
    if change is not None and change.value is state.state_value:
        change = None
    if change is None:
        if state.suppression is None:
            return None
        step = Step(state=state)
    else:
        moved = _moved(state, change, now, change_id)
        step = Step(state=moved, history=(_state_update(alarm, moved, now),))
    told = suppressor is None or _may_tell(alarm, step.state, change is not None, suppressor, now)
    if isinstance(told, Suppression):
        if told == state.suppression and change is None:
            return None
        return _suppressed(alarm, step, told, now)
    actions = alarm.actions(step.state.state_value)
    if suppressor is not None and step.state.told_value is step.state.state_value:
        actions = ()
    settled = replace(step.state, suppression=None, told_value=step.state.state_value)
    return replace(step, state=settled, actions=actions)


def history_item(alarm: Alarm, kind: str, summary: str, data: dict[str, Any], now: float) -> HistoryItem:
    return HistoryItem(
        alarm_name=alarm.alarm_name,
        alarm_type=alarm_type(alarm),
        timestamp=now,
        history_item_type=kind,
        history_summary=summary,
        history_data=orjson.dumps({"version": "1.0", **data}).decode(),
    )


def _moved(state: AlarmState, change: Change, now: float, change_id: str) -> AlarmState:
    return replace(
        state,
        state_value=change.value,
        state_reason=change.reason,
        state_reason_data=change.reason_data,
        state_updated_timestamp=now,
        state_transitioned_timestamp=now,
        previous_value=state.state_value,
        previous_reason=state.state_reason,
        previous_reason_data=state.state_reason_data,
        previous_timestamp=state.state_updated_timestamp,
        change_id=change_id,
    )


def _state_update(alarm: Alarm, state: AlarmState, now: float) -> HistoryItem:
    old = {"stateValue": state.previous_value, "stateReason": state.previous_reason}
    new = {"stateValue": state.state_value, "stateReason": state.state_reason}
    for shown, text in ((old, state.previous_reason_data), (new, state.state_reason_data)):
        if text:
            shown["stateReasonData"] = embedded(text)
    summary = f"Alarm updated from {state.previous_value} to {state.state_value}"
    data = {"oldState": old, "newState": new, "stateChangeId": state.change_id}
    return history_item(alarm, "StateUpdate", summary, data, now)


def embedded(text: str) -> Any:
    """JSON as a part of more JSON; SetAlarmState takes any text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _may_tell(alarm: Alarm, state: AlarmState, changed: bool, suppressor: AlarmValue, now: float) -> Suppression | bool:
    assert isinstance(alarm, CompositeAlarm)
    name = alarm.actions_suppressor
    if suppressor is AlarmValue.ALARM:
        return Suppression(by="Alarm", reason=f"Actions are suppressed by {name}")
    held = state.suppression
    if held is not None and held.by == "Alarm":
        until = now + (alarm.actions_suppressor_extension_period or 0)
        held = Suppression(by="ExtensionPeriod", reason=f"{name} left ALARM; told at {long_time(until)}", until=until)
    elif held is None and changed and state.state_value is AlarmValue.ALARM:
        until = now + (alarm.actions_suppressor_wait_period or 0)
        held = Suppression(by="WaitPeriod", reason=f"Waits for {name} until {long_time(until)}", until=until)
    if held is None or state.told_value is state.state_value:
        return True
    return True if held.until is None or held.until <= now else held


def _suppressed(alarm: Alarm, step: Step, by: Suppression, now: float) -> Step:
    item = history_item(
        alarm,
        "Action",
        f"Actions for {step.state.state_value} are suppressed by {by.by}",
        {"stateChangeId": step.state.change_id, "actionsSuppressedBy": by.by, "actionsSuppressedReason": by.reason},
        now,
    )
    return replace(step, state=replace(step.state, suppression=by), history=(*step.history, item))
