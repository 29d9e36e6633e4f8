"""What the loop wants of a strategy in one region. Each act sets, so that doing it again does no harm."""

from typing import Protocol

from headgate.release.events import Snapshot
from headgate.release.failures import Refused
from headgate.release.rollout import Track
from headgate.release.seen import Target


class Driver(Protocol):
    """All methods raise Refused and Unavailable."""

    def problems(self) -> list[str]:
        """What the release needs and does not find, each in a sentence with the change to make."""
        ...

    def read(self) -> Target:
        """What is so now."""
        ...

    def snapshot(self) -> Snapshot:
        """What is served now, for the way back."""
        ...

    def publish(self, function: str, code: bytes) -> str:
        """The version that holds this code; the one that is there if it already does."""
        ...

    def deploy(self, key: str) -> str:
        """The deployment made under this key; the one that is there if it was made already."""
        ...

    def shift(self, track: Track, percent: float) -> None:
        """Give the change this share of the traffic, and read back that it is so."""
        ...

    def put_back(self, track: Track) -> None:
        """All that the release has moved, and all that it has found, as it wants them now."""
        ...

    def promote(self, track: Track, part: str) -> None: ...

    def undo(self, track: Track, part: str, *, promoted: bool) -> None: ...


def known_before(track: Track) -> Snapshot:
    """What was served before the release: the way back. Raises Refused before it was noted."""
    if track.before is None:
        raise Refused(f"nothing is known of {track.region} before the release")
    return track.before
