"""Metric filters, subscription filters and embedded metrics at work: what newly written events mean for them."""

import base64
import gzip
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from headgate.model.metric import MetricKey, Sample
from headgate.telemetry.embedded_metrics import MARK, embedded_metrics
from headgate.telemetry.filter_pattern import FilterPattern, Match, PatternError, compile_pattern
from headgate.telemetry.filter_syntax import number
from headgate.telemetry.log_writing import Event, Written, byte_length
from headgate.telemetry.metric_sink import sample_of

_log = logging.getLogger("headgate.logs")

_DELIVERY_BYTES: Final = 700_000  # of messages in one delivery, before compression
_MINUTE_MS: Final = 60_000
_MAX_KNOWN: Final = 10_000  # groups whose owners are remembered


class Delivery(NamedTuple):
    """Events for a subscriber."""

    destination_arn: str
    payload: bytes  # the event of a Lambda function: {"awslogs": {"data": ...}}
    events: int


class Observed(NamedTuple):
    metrics: list[Sample]
    deliveries: list[Delivery]


class Filters:
    """The filters of all groups, compiled. Used on the store's writing thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._groups: dict[int, _GroupFilters] = {}
        self._owners: dict[int, _Owner] = {}
        self.load()

    def load(self) -> None:
        """Take up the filters that are stored now."""
        groups: dict[int, _GroupFilters] = {}
        for group_id, _, body in self._rows("metric_filter"):
            groups.setdefault(group_id, _GroupFilters()).metrics.append(_MetricFilter(body))
        for group_id, name, body in self._rows("subscription_filter"):
            group = groups.setdefault(group_id, _GroupFilters())
            group.subscriptions.append(_Subscription(name, body))
        self._groups = groups
        self._owners.clear()

    def observe(self, written: Sequence[Written]) -> Observed:
        """The values and deliveries that these events make."""
        observed = Observed([], [])
        for each in written:
            owner = self._owner(each.group_id)
            for _, message in each.lines:
                if MARK in message:
                    observed.metrics.extend(embedded_metrics(owner.account_id, owner.region, message))
            group = self._groups.get(each.group_id)
            if group is not None:
                group.observe(owner, each, observed)
        return observed

    def _owner(self, group_id: int) -> "_Owner":
        owner = self._owners.get(group_id)
        if owner is None:
            row = self._connection.execute(
                "SELECT account_id, region, name FROM log_group WHERE id = ?", (group_id,)
            ).fetchone()
            if len(self._owners) >= _MAX_KNOWN:
                self._owners.clear()
            owner = self._owners[group_id] = _Owner(*(row or ("", "", "")))
        return owner

    def _rows(self, table: str) -> list[tuple[int, str, dict[str, Any]]]:
        rows = self._connection.execute(f"SELECT group_id, name, body FROM {table} ORDER BY group_id, name")
        return [(group_id, name, orjson.loads(body)) for group_id, name, body in rows]


class _Owner(NamedTuple):
    """Whose a group is."""

    account_id: str
    region: str
    group: str


class _GroupFilters:
    def __init__(self) -> None:
        self.metrics: list[_MetricFilter] = []
        self.subscriptions: list[_Subscription] = []

    def observe(self, owner: _Owner, written: Written, observed: Observed) -> None:
        for metric in self.metrics:
            observed.metrics.extend(metric.values(owner, written.events))
        for subscription in self.subscriptions:
            observed.deliveries.extend(subscription.deliveries(owner.account_id, owner.group, written))


class _MetricFilter:
    def __init__(self, body: Mapping[str, Any]) -> None:
        self._pattern = _compiled(body)
        [self._transformation] = body["metricTransformations"]
        self._quiet_minute = -1  # in which the default value was given already, or an event matched

    def values(self, owner: _Owner, events: Sequence[Event]) -> list[Sample]:
        made = []
        for event in events:
            match = self._pattern.match(event.message)
            if match is not None and (value := self._value(owner, match, event.timestamp_ms)) is not None:
                made.append(value)
        default = self._transformation.get("defaultValue")
        minute = events[-1].timestamp_ms // _MINUTE_MS
        if made:
            self._quiet_minute = minute
        elif default is not None and minute != self._quiet_minute:
            self._quiet_minute = minute
            value = self._metric(owner, {}, default, events[-1].timestamp_ms)
            made += [] if value is None else [value]
        return made

    def _value(self, owner: _Owner, match: Match, timestamp_ms: int) -> Sample | None:
        text: str = self._transformation["metricValue"]
        value = number((match.lookup(text) or "") if text.startswith("$") else text)
        dimensions = {name: match.lookup(it) for name, it in self._transformation.get("dimensions", {}).items()}
        present = {name: text for name, text in dimensions.items() if text}
        if value is None or len(present) < len(dimensions):
            return None  # without a number or one of its dimensions an event makes no value
        return self._metric(owner, present, value, timestamp_ms)

    def _metric(self, owner: _Owner, dimensions: Mapping[str, str], value: float, timestamp_ms: int) -> Sample | None:
        it = self._transformation
        key = MetricKey(
            account_id=owner.account_id,
            region=owner.region,
            namespace=it["metricNamespace"],
            name=it["metricName"],
            dimensions=tuple(sorted(dimensions.items())),
            unit=it.get("unit", "None"),
        )
        return sample_of(key, float(value), timestamp_ms)


class _Subscription:
    def __init__(self, name: str, body: Mapping[str, Any]) -> None:
        self._name = name
        self._destination_arn: str = body["destinationArn"]
        self._pattern = _compiled(body)

    def deliveries(self, owner: str, group: str, written: Written) -> list[Delivery]:
        made: list[Delivery] = []
        chosen: list[dict[str, Any]] = []
        size = 0
        for event in written.events:
            match = self._pattern.match(event.message)
            if match is None:
                continue
            if chosen and size + byte_length(event.message) > _DELIVERY_BYTES:
                made.append(self._delivery(owner, group, written.stream, chosen))
                chosen, size = [], 0
            shown: dict[str, Any] = {
                "id": event_id(event.timestamp_ms, event.id),
                "timestamp": event.timestamp_ms,
                "message": event.message,
            }
            if match.extracted:
                shown["extractedFields"] = {name.removeprefix("$"): text for name, text in match.extracted.items()}
            chosen.append(shown)
            size += byte_length(event.message)
        if chosen:
            made.append(self._delivery(owner, group, written.stream, chosen))
        return made

    def _delivery(self, owner: str, group: str, stream: str, events: list[dict[str, Any]]) -> Delivery:
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": owner,
            "logGroup": group,
            "logStream": stream,
            "subscriptionFilters": [self._name],
            "logEvents": events,
        }
        data = base64.b64encode(gzip.compress(orjson.dumps(document), compresslevel=6)).decode("ascii")
        return Delivery(self._destination_arn, orjson.dumps({"awslogs": {"data": data}}), len(events))


def event_id(timestamp_ms: int, number: int) -> str:
    """An event's id as the API shows it: 56 digits, in the order of time."""
    return f"{timestamp_ms:020d}{number:036d}"


def _compiled(body: Mapping[str, Any]) -> FilterPattern:
    try:
        return compile_pattern(body["filterPattern"])
    except PatternError:  # stored by a version that took it
        _log.warning("the filter pattern %r is not understood; it matches nothing", body["filterPattern"])
        return FilterPattern(body["filterPattern"], lambda _: None, lambda _: False, kind="terms")
