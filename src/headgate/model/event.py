"""Events: asynchronous calls of a function, and what is set for them (aws-semantics 9.4)."""

from collections.abc import Mapping
from typing import Final

from headgate.model.arn import FunctionRef
from headgate.model.value import Value

MAX_AGE_S: Final = 21_600  # of an event, where nothing else is set
MAX_RETRIES: Final = 2  # after a call that failed, where nothing else is set


class Destination(Value, frozen=True, rename="pascal"):
    destination: str | None = None  # an ARN


class DestinationConfig(Value, frozen=True, rename="pascal"):
    on_success: Destination = Destination()
    on_failure: Destination = Destination()


class EventInvokeConfig(Value, frozen=True):
    """How events of a function, version or alias (`qualifier`; `$LATEST` is the function) are treated."""

    function_name: str
    qualifier: str
    account_id: str
    region: str
    last_modified: float  # seconds since the epoch
    maximum_retry_attempts: int | None = None  # 0 to 2
    maximum_event_age_s: int | None = None  # 60 to 21600
    destination_config: DestinationConfig = DestinationConfig()


class EventPolicy(Value, frozen=True):
    """What holds for one event now. Targets are ARNs, "" for none."""

    max_retries: int = MAX_RETRIES
    max_age_s: float = MAX_AGE_S
    on_success: str = ""
    on_failure: str = ""
    dead_letter: str = ""


class MessageAttribute(Value, frozen=True):
    data_type: str  # String or Number
    value: str


class Delivery(Value, frozen=True):
    """A message on its way to a destination or a dead-letter target."""

    target: str  # ARN
    body: str  # JSON
    attributes: Mapping[str, MessageAttribute] = {}
    detail_type: str = ""  # for EventBridge
    chain: int = 0  # of the event that follows from it, where the target is a function
    subject: str = ""  # of a topic's message

    @property
    def is_dead_letter(self) -> bool:
        """Whether it is the event itself, for the dead-letter target, and no record of what became of it."""
        return bool(self.attributes)


class FunctionEvent(Value, frozen=True):
    """One asynchronous call, from its acceptance until it is settled. Times are in seconds since the epoch."""

    id: str  # the request id of the call, in each attempt
    function: FunctionRef  # as the caller named it: an alias draws its version anew at each attempt
    payload: bytes  # JSON
    received_at: float
    due_at: float
    client_context: str = ""  # JSON
    attempts: int = 0  # calls of the function that were made
    chain: int = 0  # how many functions passed it on to each other as destinations
    deliveries: tuple[Delivery, ...] = ()  # once it is settled: the messages that are still to be sent
    failed_deliveries: int = 0  # rounds in which one of them could not be sent


class EventHead(Value, frozen=True):
    """A stored event without its payload."""

    id: str
    function: FunctionRef
    due_at: float
    size: int  # bytes of its payload
