"""Alarms: what is asked for, how each stands, what happened to it, and whom it has yet to tell (aws-semantics 8)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from headgate.model.value import Value


class AlarmValue(StrEnum):
    """The states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Alarm(Value, frozen=True, rename="pascal"):
    """What metric alarms and composite alarms have in common. Times are in seconds since the epoch."""

    account_id: str
    region: str
    alarm_name: str
    alarm_configuration_updated_timestamp: float
    alarm_description: str | None = None
    actions_enabled: bool = True
    ok_actions: tuple[str, ...] = msgspec.field(default=(), name="OKActions")  # ARNs, at most five each
    alarm_actions: tuple[str, ...] = ()
    insufficient_data_actions: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        """By which it is stored."""
        return self.account_id, self.region, self.alarm_name

    @property
    def alarm_arn(self) -> str:
        return alarm_arn(self.account_id, self.region, self.alarm_name)

    def actions(self, value: AlarmValue) -> tuple[str, ...]:
        """What is to be told that the alarm now has this state; nothing while its actions are disabled."""
        if not self.actions_enabled:
            return ()
        match value:
            case AlarmValue.OK:
                return self.ok_actions
            case AlarmValue.ALARM:
                return self.alarm_actions
            case AlarmValue.INSUFFICIENT_DATA:
                return self.insufficient_data_actions


class AlarmDimension(Value, frozen=True, rename="pascal"):
    name: str
    value: str


class MetricAlarm(Alarm, frozen=True, kw_only=True, rename="pascal"):
    """An alarm on one metric, or on an expression over several (`metrics`)."""

    evaluation_periods: int
    comparison_operator: str
    threshold: float
    metric_name: str | None = None
    namespace: str | None = None
    statistic: str | None = None
    extended_statistic: str | None = None
    dimensions: tuple[AlarmDimension, ...] | None = None
    period: int | None = None  # seconds
    unit: str | None = None
    datapoints_to_alarm: int | None = None  # None: all of the evaluation periods
    treat_missing_data: str | None = None  # None: missing
    evaluate_low_sample_count_percentile: str | None = None  # None: evaluate
    metrics: tuple[Mapping[str, Any], ...] | None = None  # MetricDataQuery as the wire has it

    @property
    def needed(self) -> int:
        """How many points have to breach."""
        return self.datapoints_to_alarm or self.evaluation_periods


class CompositeAlarm(Alarm, frozen=True, kw_only=True, rename="pascal"):
    """An alarm on the states of other alarms."""

    alarm_rule: str
    actions_suppressor: str | None = None  # name or ARN of an alarm
    actions_suppressor_wait_period: int | None = None  # seconds
    actions_suppressor_extension_period: int | None = None


class Suppression(Value, frozen=True):
    """Why a composite alarm has not told of its state."""

    by: str  # WaitPeriod, Alarm or ExtensionPeriod
    reason: str
    until: float | None = None  # seconds since the epoch; None for as long as the suppressor is in ALARM


class AlarmState(Value, frozen=True, rename="pascal"):
    """How an alarm stands. Times are in seconds since the epoch."""

    state_value: AlarmValue
    state_reason: str
    state_updated_timestamp: float
    state_transitioned_timestamp: float
    state_reason_data: str | None = None  # JSON
    previous_value: AlarmValue | None = None  # before the last transition
    previous_reason: str = ""
    previous_reason_data: str | None = None
    previous_timestamp: float | None = None
    change_id: str = ""  # of the last transition: who is told of it can tell repeats by it
    suppression: Suppression | None = None
    told_value: AlarmValue | None = None  # of a composite alarm: the state that its actions were last taken for


class HistoryItem(Value, frozen=True, rename="pascal"):
    """What happened to an alarm."""

    alarm_name: str
    alarm_type: str  # MetricAlarm or CompositeAlarm
    timestamp: float
    history_item_type: str  # ConfigurationUpdate, StateUpdate or Action
    history_summary: str
    history_data: str  # JSON


class AlarmDelivery(Value, frozen=True):
    """A message of a state change on its way. It is stored with the change, and deleted once it was delivered."""

    id: str  # the change's id and the target's number
    change_id: str  # what the receiver can tell repeats by
    account_id: str
    region: str
    alarm_name: str
    alarm_type: str
    target: str  # an ARN; the endpoint where a topic's subscription is told
    body: str  # in the form that the target takes
    created_at: float  # seconds since the epoch
    due_at: float
    attempts: int = 0
    subject: str = ""  # of a topic's message
    topic: str = ""  # whose subscription is told
    subscription: str = ""  # its ARN
    raw: bool = False  # whether the subscription takes the message without the topic's envelope


def alarm_arn(account_id: str, region: str, name: str) -> str:
    return f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{name}"


def alarm_type(alarm: Alarm) -> str:
    return "CompositeAlarm" if isinstance(alarm, CompositeAlarm) else "MetricAlarm"
