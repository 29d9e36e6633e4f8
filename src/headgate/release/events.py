"""What the journal of a release holds: everything that was decided, done and seen, in order. Nothing else is stored.

The fold of these (`rollout.after`) is the release's state, so each decision can be replayed. Times are seconds since
the epoch; `region` is one of the plan's.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from headgate.model.value import Value
from headgate.release.analysis.looks import Look

SELF: Final = "self"  # the endpoint of a release that a server runs: its own control plane, wherever it listens now


class AliasTarget(Value, frozen=True):
    """What an alias points to; `weights` are fractions by version."""

    version: str
    weights: Mapping[str, float] = {}


class Snapshot(Value, frozen=True):
    """What was served before the release touched it."""

    deployment_id: str | None = None
    variables: Mapping[str, str] = {}
    aliases: Mapping[str, AliasTarget] = {}  # by function:alias
    idle_deployment_id: str | None = None  # of the other stage, blue-green
    idle_variables: Mapping[str, str] = {}
    thresholds: Mapping[str, float] = {}  # ms over which a request counts as slow, by metric


class _Event(Value, frozen=True, tag=True):
    at: float


class Started(_Event, frozen=True):
    """`text` is the release file whole; `artefacts` are the SHA-256 of its zips by function, and of its SQL by name."""

    text: str
    region: str
    actor: str
    folder: str = ""  # of the file, for commands
    artefacts: Mapping[str, str] = {}
    attempt: int = 1
    endpoint_url: str = ""  # "": AWS; or SELF
    account_id: str = ""  # whose, on Headgate; "": the caller's credentials say
    apis: Mapping[str, str] = {}  # id of the API by region, whatever is called so later; {} in journals of before


class LegBegan(_Event, frozen=True):
    leg: int


class Began(_Event, frozen=True):
    """Written before an act. An act that has begun and not ended is done again after a crash, under the same key."""

    region: str
    key: str
    title: str


class Did(_Event, frozen=True):
    region: str
    key: str
    message: str = ""
    snapshot: Snapshot | None = None
    version: tuple[str, str] | None = None  # function and what was published
    deployment_id: str | None = None
    shifted: float | None = None  # percent of the traffic that the change gets now


class DidNot(_Event, frozen=True):
    """`refused`: it cannot be; otherwise the provider did not answer, and it is tried again."""

    region: str
    key: str
    message: str
    refused: bool


class Looked(_Event, frozen=True):
    """New evidence; `until` is where the next look begins."""

    region: str
    until: float
    looks: tuple[Look, ...]
    thresholds: Mapping[str, float] = {}  # ms; learned of the stable side, where nothing was known before
    differences: tuple[str, ...] = ()  # fields of mirrored answers that the change answers otherwise


class LookFailed(_Event, frozen=True):
    region: str
    message: str


class Moved(_Event, frozen=True):
    """A track goes to its next step; `why` holds the numbers that it went by."""

    region: str
    to: int
    why: str


class Asked(_Event, frozen=True):
    """A track waits for a person. `topic` says for which answer: approval, drift, evidence or progress."""

    region: str
    topic: str
    why: str


class Command(_Event, frozen=True):
    """What a person told the release: approve, reject, pause, resume, abort or promote (on in spite of all)."""

    verb: str
    actor: str
    reason: str = ""
    region: str | None = None  # None: every region that waits


class RollbackDecided(_Event, frozen=True):
    why: str
    by: str = "headgate"


class Undid(_Event, frozen=True):
    region: str
    part: str


class Ended(_Event, frozen=True):
    phase: str  # promoted or rolled-back
    why: str


class Told(_Event, frozen=True):
    """A notification was delivered, or given up; `number` is that of the event it was about."""

    number: int
    to: str
    failed: str = ""  # why it was given up


Event = (
    Started
    | LegBegan
    | Began
    | Did
    | DidNot
    | Looked
    | LookFailed
    | Moved
    | Asked
    | Command
    | RollbackDecided
    | Undid
    | Ended
    | Told
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    return _ENCODER.encode(event)


def decode(body: bytes) -> Event:
    return _DECODER.decode(body)


def shown(event: Event) -> dict[str, Any]:
    """An event as JSON for people and programs."""
    return dict(msgspec.to_builtins(event))
