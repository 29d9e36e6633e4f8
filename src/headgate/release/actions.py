"""What `decide` may ask for. Actions set, they never add, so carrying one out twice does no harm."""

from headgate.model.value import Value
from headgate.release.events import Event
from headgate.release.steps import Step, title


class Do(Value, frozen=True):
    """Carry out a step's act. `key` is its idempotency key; the journal has it before and after."""

    region: str
    key: str
    step: Step

    @property
    def title(self) -> str:
        return title(self.step)


class Undo(Value, frozen=True):
    """Carry out one part of a rollback."""

    region: str
    key: str
    part: str
    promoted: bool  # traffic may have been promoted


class LookAt(Value, frozen=True):
    """Read the evidence of a stretch of time; seconds since the epoch."""

    region: str
    since: float
    until: float


class Note(Value, frozen=True):
    """Write this to the journal; nothing else happens."""

    event: Event


class Wait(Value, frozen=True):
    """Nothing to do before then, unless somebody says something."""

    until: float


Action = Do | Undo | LookAt | Note | Wait
