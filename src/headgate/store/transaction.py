"""What a control operation sees of the store: documents by kind and key, in one transaction."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol, TypeVar

from headgate.model.account import Account
from headgate.model.alarm import AlarmState, CompositeAlarm, MetricAlarm
from headgate.model.code_signing import CodeSigningConfig
from headgate.model.dashboard import Dashboard
from headgate.model.deployment import Definition, Deployment
from headgate.model.event import EventHead, EventInvokeConfig, FunctionEvent
from headgate.model.event_source import EventSourceMapping
from headgate.model.function import Alias, FunctionPolicy, FunctionRecord, FunctionVersion
from headgate.model.function_url import FunctionUrl
from headgate.model.key_check import KeyCheck
from headgate.model.layer import Layer, LayerPolicy, LayerVersion
from headgate.model.provisioned import ProvisionedConcurrency
from headgate.model.rest_api import Resource, RestApi
from headgate.model.stage import Stage
from headgate.model.stage_history import StageHistory, StageMove
from headgate.model.value import Value
from headgate.store.alarm_journal import AlarmJournal

V = TypeVar("V", bound=Value)
T = TypeVar("T")

KINDS: Final[dict[type[Value], str]] = {
    Account: "account",  # account id, region
    RestApi: "rest_api",  # account id, region, API id
    Resource: "resource",  # API id, resource id
    Deployment: "deployment",  # API id, deployment id
    Definition: "definition",  # API id, deployment id
    Stage: "stage",  # API id, stage name
    StageHistory: "stage_history",  # API id, stage name
    StageMove: "stage_move",  # API id, stage name, number with ten digits
    FunctionRecord: "function",  # account id, region, name
    FunctionVersion: "function_version",  # account id, region, name, version
    Alias: "alias",  # account id, region, function name, alias name
    FunctionPolicy: "function_policy",  # account id, region, function name, qualifier
    EventInvokeConfig: "event_invoke_config",  # account id, region, function name, qualifier
    ProvisionedConcurrency: "provisioned_concurrency",  # account id, region, function name, qualifier
    FunctionUrl: "function_url",  # account id, region, function name, alias or ""
    EventSourceMapping: "event_source_mapping",  # account id, region, UUID
    CodeSigningConfig: "code_signing_config",  # account id, region, id
    KeyCheck: "key_check",  # one document, with an empty key
    Layer: "layer",  # account id, region, name
    LayerVersion: "layer_version",  # account id, region, name, version
    LayerPolicy: "layer_policy",  # account id, region, name, version
    MetricAlarm: "metric_alarm",  # account id, region, name
    CompositeAlarm: "composite_alarm",  # account id, region, name; no name is both
    AlarmState: "alarm_state",  # account id, region, name of either
    Dashboard: "dashboard",  # account id, name
}
"""Each kind's name in the store, and what its key is made of."""


class Change(Value, frozen=True):
    """One document that a transaction put or deleted."""

    kind: type[Value]
    key: tuple[str, ...]


class Transaction(Protocol):
    """All or nothing. A read sees what the same transaction wrote before it."""

    def get(self, kind: type[V], *key: str) -> V | None: ...

    def list(self, kind: type[V], *prefix: str) -> list[V]:
        """All documents whose key begins with these parts, in the order of their keys."""
        ...

    def put(self, value: Value, *key: str) -> None: ...

    def delete(self, kind: type[Value], *key: str) -> None:
        """Delete one document; no error when it is not there."""
        ...

    def delete_all(self, kind: type[Value], *prefix: str) -> None:
        """Delete every document whose key begins with these parts."""
        ...

    def get_blob(self, sha256: str) -> bytes | None: ...

    def put_blob(self, sha256: str, body: bytes) -> None:
        """Keep bytes under their own hash; putting them again changes nothing."""
        ...

    def keep_blobs(self, sha256s: AbstractSet[str]) -> None:
        """Delete every blob but these."""
        ...

    def event_heads(self) -> Sequence[EventHead]:
        """All events that are not settled, the one that is due first first."""
        ...

    def get_event(self, event_id: str) -> FunctionEvent | None: ...

    def put_event(self, event: FunctionEvent) -> None:
        """Keep an event. It is no change: the feed does not tell of it, and nothing is published anew."""
        ...

    def delete_event(self, event_id: str) -> None:
        """Delete one event; no error when it is not there."""
        ...

    @property
    def alarms(self) -> AlarmJournal:
        """Alarms' history and messages."""
        ...

    def clear(self) -> None:
        """Delete every document, every blob, every event, and all that alarms left."""
        ...


Prepare = Callable[[Transaction, list[Change]], Callable[[], None]]
"""Called inside each writing transaction before it commits, with what it changed: compiles what must be served anew.

What it raises undoes the transaction. What it returns is called once the transaction is durable, on the event loop, in
the order of the commits, and before the writer is answered.
"""
