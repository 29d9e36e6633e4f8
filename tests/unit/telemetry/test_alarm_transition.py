import json

from msgspec.structs import replace

from headgate.model.alarm import AlarmState, AlarmValue, CompositeAlarm, MetricAlarm, Suppression
from headgate.telemetry.alarm_messages import function_event, subject, topic_message, webhook_body
from headgate.telemetry.alarm_transition import CREATED, Change, Step, first_state, next_step

_NOW = 1_000_000.0
_ALARM, _OK, _NO_DATA = AlarmValue.ALARM, AlarmValue.OK, AlarmValue.INSUFFICIENT_DATA

_METRIC = MetricAlarm(
    account_id="000000000000",
    region="us-east-1",
    alarm_name="bad orders",
    alarm_configuration_updated_timestamp=1.0,
    evaluation_periods=1,
    comparison_operator="GreaterThanThreshold",
    threshold=1.0,
    namespace="Shop",
    metric_name="Orders",
    statistic="Sum",
    period=60,
    ok_actions=("ok",),
    alarm_actions=("alarm",),
    insufficient_data_actions=("no data",),
)
_COMPOSITE = CompositeAlarm(
    account_id="000000000000",
    region="us-east-1",
    alarm_name="all",
    alarm_configuration_updated_timestamp=1.0,
    alarm_rule="ALARM(a)",
    ok_actions=("ok",),
    alarm_actions=("alarm",),
    actions_suppressor="maintenance",
    actions_suppressor_wait_period=60,
    actions_suppressor_extension_period=30,
)


def _change(value: AlarmValue) -> Change:
    return Change(value=value, reason="since it is so", reason_data='{"x":1}')


def _standing(value: AlarmValue, suppression: Suppression | None = None, told: AlarmValue | None = None) -> AlarmState:
    return replace(first_state(0.0), state_value=value, suppression=suppression, told_value=told)


def _step(state: AlarmState, value: AlarmValue | None, suppressor: AlarmValue, at: float = _NOW) -> Step | None:
    return next_step(_COMPOSITE, state, None if value is None else _change(value), suppressor, at, "id")


def test_a_new_alarm_has_no_data_and_tells_nobody() -> None:
    state = first_state(5.0)

    assert (state.state_value, state.state_reason) == (_NO_DATA, CREATED)
    assert state.change_id == ""


def test_a_transition_keeps_what_was_before_is_told_and_has_its_id() -> None:
    step = next_step(_METRIC, _standing(_OK), _change(_ALARM), None, _NOW, "change-1")

    assert step is not None
    assert (step.state.state_value, step.state.previous_value) == (_ALARM, _OK)
    assert (step.state.change_id, step.state.state_updated_timestamp) == ("change-1", _NOW)
    assert step.actions == ("alarm",)
    [item] = step.history
    assert (item.history_item_type, item.history_summary) == ("StateUpdate", "Alarm updated from OK to ALARM")
    data = json.loads(item.history_data)
    assert data["newState"] == {
        "stateValue": "ALARM",
        "stateReason": "since it is so",
        "stateReasonData": {"x": 1},
    }
    assert data["stateChangeId"] == "change-1"


def test_a_state_that_an_alarm_has_already_is_no_transition() -> None:
    assert next_step(_METRIC, _standing(_ALARM), _change(_ALARM), None, _NOW, "id") is None


def test_each_state_has_its_own_actions_and_disabled_ones_are_not_taken() -> None:
    def actions(alarm: MetricAlarm, before: AlarmValue, after: AlarmValue) -> tuple[str, ...]:
        step = next_step(alarm, _standing(before), _change(after), None, _NOW, "id")
        assert step is not None
        return step.actions

    assert actions(_METRIC, _ALARM, _OK) == ("ok",)
    assert actions(_METRIC, _ALARM, _NO_DATA) == ("no data",)
    assert actions(replace(_METRIC, actions_enabled=False), _OK, _ALARM) == ()


def test_while_its_suppressor_is_in_alarm_a_composite_alarm_tells_nobody() -> None:
    step = _step(_standing(_OK, told=_OK), _ALARM, suppressor=_ALARM)

    assert step is not None
    assert step.state.state_value is _ALARM
    assert step.actions == ()
    assert step.state.suppression is not None
    assert step.state.suppression.by == "Alarm"
    assert "suppressed by Alarm" in step.history[-1].history_summary


def test_a_change_to_alarm_waits_for_the_suppressor_and_is_told_when_it_does_not_come() -> None:
    waiting = _step(_standing(_OK, told=_OK), _ALARM, suppressor=_OK)
    assert waiting is not None
    assert waiting.actions == ()
    assert waiting.state.suppression is not None
    assert (waiting.state.suppression.by, waiting.state.suppression.until) == ("WaitPeriod", _NOW + 60)

    assert _step(waiting.state, None, suppressor=_OK, at=_NOW + 59) is None
    told = _step(waiting.state, None, suppressor=_OK, at=_NOW + 60)

    assert told is not None
    assert told.actions == ("alarm",)
    assert told.state.suppression is None
    assert told.state.change_id == waiting.state.change_id


def test_when_the_suppressor_leaves_alarm_the_extension_passes_before_anything_is_told() -> None:
    held = _step(_standing(_OK, told=_OK), _ALARM, suppressor=_ALARM)
    assert held is not None

    extended = _step(held.state, None, suppressor=_OK, at=_NOW + 100)
    assert extended is not None
    assert extended.state.suppression is not None
    assert (extended.state.suppression.by, extended.state.suppression.until) == ("ExtensionPeriod", _NOW + 130)
    told = _step(extended.state, None, suppressor=_OK, at=_NOW + 130)

    assert told is not None
    assert told.actions == ("alarm",)


def test_an_alarm_that_ends_before_it_was_told_is_told_of_by_nobody() -> None:
    waiting = _step(_standing(_OK, told=_OK), _ALARM, suppressor=_OK)
    assert waiting is not None

    ended = _step(waiting.state, _OK, suppressor=_OK, at=_NOW + 10)

    assert ended is not None
    assert ended.state.state_value is _OK
    assert ended.state.suppression is None
    assert ended.actions == ()


def test_back_in_order_is_told_at_once() -> None:
    step = _step(_standing(_ALARM, told=_ALARM), _OK, suppressor=_OK)

    assert step is not None
    assert step.actions == ("ok",)


def test_what_is_told_names_the_change_and_is_in_the_receiver_s_form() -> None:
    step = next_step(_METRIC, _standing(_OK), _change(_ALARM), None, 1_728_568_563.0, "change-1")
    assert step is not None

    assert subject(_METRIC, step.state) == 'ALARM: "bad orders" in US East (N. Virginia)'
    message = json.loads(topic_message(_METRIC, step.state, {}))
    assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
    assert message["StateChangeTime"] == "2024-10-10T13:56:03.000+0000"
    assert message["Trigger"]["Statistic"] == "SUM"
    event = json.loads(function_event(_METRIC, step.state))
    assert event["source"] == "aws.cloudwatch"
    assert event["id"] == "change-1"
    assert event["alarmData"]["state"]["reasonData"] == '{"x":1}'
    assert event["alarmData"]["previousState"]["value"] == "OK"
    assert event["alarmData"]["configuration"]["metrics"][0]["metricStat"]["stat"] == "Sum"
    body = json.loads(webhook_body(_METRIC, step.state))
    assert (body["id"], body["detail-type"]) == ("change-1", "CloudWatch Alarm State Change")
    assert body["time"] == "2024-10-10T13:56:03Z"


def test_a_composite_alarm_s_message_names_the_children_that_are_in_alarm() -> None:
    step = next_step(_COMPOSITE, _standing(_OK), _change(_ALARM), None, _NOW, "id")
    assert step is not None

    message = json.loads(topic_message(_COMPOSITE, step.state, {"a": _standing(_ALARM)}))

    [child] = message["TriggeringChildren"]
    assert child["Arn"] == "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"
