"""What the controller needs of a store: a journal of events for each release, and a lease on each.

One holder at a time drives a release. Its lease has a fencing token that rises with each holder; what is appended under
an older token is refused, so a holder that was paused and comes back cannot write over the one that took its place.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from headgate.model.value import Value
from headgate.release.events import Command, Event, Started


class LeaseLost(Exception):
    """Somebody else holds the release now, or it has no holder."""


class CannotStart(Exception):
    """A release of this name, or one on the same target, stands in the way; the message says which."""


class Entry(NamedTuple):
    """One row of a journal; numbers begin at 1 and leave none out."""

    number: int
    event: Event


class Lease(Value, frozen=True):
    name: str
    holder: str
    token: int
    expires_at: float  # seconds since the epoch


class Header(Value, frozen=True):
    """A release as a list shows it. `summary` is of the controller's last pass."""

    name: str
    is_open: bool  # there is still something to do, if only to tell of its end
    created_at: float
    summary: Mapping[str, object]
    targets: tuple[str, ...] = ()  # what no other release may move while it is open


class Journals(Protocol):
    """All releases of one state file. Times are seconds since the epoch; every method may block for a disk."""

    def create(self, name: str, started: Started, targets: Mapping[str, str], blobs: Sequence[bytes]) -> None:
        """Begin a journal, or another attempt in one that has ended. `targets` are what no other open release may
        move meanwhile, each with what its file calls it. Raises CannotStart."""
        ...

    def headers(self) -> list[Header]:
        """Every release, the newest first."""
        ...

    def entries(self, name: str, after: int = 0) -> list[Entry]:
        """The rows behind a number; none where there is no such release."""
        ...

    def append(
        self,
        name: str,
        event: Event,
        lease: Lease | None = None,
        summary: dict[str, object] | None = None,
        after: int | None = None,
    ) -> int | None:
        """Write one row of the lease's holder durably; its number. None, and nothing written, where `after` is given
        and is not the last row's number: what was decided on that row may not hold any more. Raises LeaseLost."""
        ...

    def tell(self, name: str, command: Command, after: int) -> bool:
        """Write what a person said, and open the release again where it was over, as one; False, and nothing written,
        where `after` is not the last row's number. Raises CannotStart where it was over, and another that is open moves
        the same."""
        ...

    def close_release(self, name: str, lease: Lease, number: int) -> bool:
        """There is nothing left to do, as of the row of this number; False where there are rows behind it, which are
        still to be read. Raises LeaseLost."""
        ...

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """The lease, where nobody else has one that is still good."""
        ...

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Raises LeaseLost."""
        ...

    def check(self, lease: Lease) -> None:
        """Writes nothing, so that it does on a disk that is full. Raises LeaseLost."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back, so that another need not wait; no error where it is lost already."""
        ...

    def blob(self, sha256: str) -> bytes | None: ...
