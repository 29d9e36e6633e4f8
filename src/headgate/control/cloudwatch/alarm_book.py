"""The alarms as they are stored, in memory: evaluating thousands of them each minute reads no document."""

import logging
from collections.abc import Callable, Sequence

import msgspec

from headgate.control.cloudwatch.alarm_series import AlarmSeries
from headgate.control.cloudwatch.alarm_states import find_alarm
from headgate.model.alarm import Alarm, AlarmState, AlarmValue, CompositeAlarm, MetricAlarm
from headgate.model.errors import ApiError
from headgate.store.transaction import Change, Transaction
from headgate.telemetry.alarm_evaluation import interval_s

_log = logging.getLogger("headgate.alarms")

_Key = tuple[str, str, str]


class WatchedAlarm(msgspec.Struct, frozen=True):
    """A metric alarm and how it stands."""

    alarm: MetricAlarm
    value: AlarmValue
    series: AlarmSeries


class AlarmBook:
    """Kept equal to the store: `prepare` runs on the store's thread, all else on the event loop."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = _nothing  # called when an alarm or its state has changed
        self._metric: dict[_Key, WatchedAlarm] = {}
        self._held: dict[_Key, float] = {}  # composite alarms whose actions wait, and until when

    def __repr__(self) -> str:
        return f"<AlarmBook {len(self._metric)} metric alarms, {len(self._held)} held>"

    def load(self, tx: Transaction) -> Callable[[], None]:
        """Take up all that is stored, at the start."""
        alarms: list[Alarm] = [*tx.list(MetricAlarm), *tx.list(CompositeAlarm)]
        return self._publisher({alarm.key: (alarm, tx.get(AlarmState, *alarm.key)) for alarm in alarms})

    def prepare(self, tx: Transaction, changes: Sequence[Change]) -> Callable[[], None]:
        """Take up what a transaction changed; see `store.Prepare`."""
        kinds = (MetricAlarm, CompositeAlarm, AlarmState)
        keys = {(change.key[0], change.key[1], change.key[2]) for change in changes if change.kind in kinds}
        return self._publisher({key: (find_alarm(tx, key), tx.get(AlarmState, *key)) for key in keys})

    def due(self, interval: int) -> list[WatchedAlarm]:
        """The metric alarms that are evaluated so often, in seconds."""
        return [each for each in self._metric.values() if interval_s(each.series.period) == interval]

    def held(self, now: float) -> list[_Key]:
        """The composite alarms whose actions were held back until now."""
        return [key for key, until in self._held.items() if until <= now]

    def _publisher(self, stored: dict[_Key, tuple[Alarm | None, AlarmState | None]]) -> Callable[[], None]:
        watched = {}
        for key, (alarm, state) in stored.items():
            if isinstance(alarm, MetricAlarm) and state is not None:
                try:
                    watched[key] = WatchedAlarm(alarm, state.state_value, AlarmSeries(alarm))
                except ApiError as error:  # stored by a version that took it
                    _log.error("the alarm %s is not evaluated: %s", alarm.alarm_arn, error)
        held = {
            key: state.suppression.until
            for key, (_, state) in stored.items()
            if state is not None and state.suppression is not None and state.suppression.until is not None
        }

        def publish() -> None:
            for key in stored:
                self._metric.pop(key, None)
                self._held.pop(key, None)
            self._metric |= watched
            self._held |= held
            if stored:
                self.changed()

        return publish


def _nothing() -> None:
    """Nobody wants to know."""
