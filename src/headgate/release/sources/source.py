"""What the loop wants of a source of evidence."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from headgate.model.value import Value
from headgate.release.analysis.looks import Counts, Look
from headgate.release.rollout import Track


class Seen(Value, frozen=True):
    """What was counted in a stretch of time."""

    looks: tuple[Look, ...] = ()  # in order
    thresholds: Mapping[str, float] = {}  # ms; learned of the stable side where none were known
    differences: tuple[str, ...] = ()  # fields of mirrored answers that the change answers otherwise, so far


class Traffic(Value, frozen=True):
    """`shares` are those of bad requests, 0 to 1, by metric."""

    requests_per_s: float = 0.0
    shares: Mapping[str, float] = {}


def traffic_of(counts: Sequence[Counts], seconds: float) -> Traffic:
    """What the stable side's counts over so many seconds amount to."""
    requests = sum(each.requests for each in counts)
    metrics = {metric for each in counts for metric in each.bad}
    return Traffic(
        requests_per_s=requests / seconds,
        shares={metric: sum(each.bad.get(metric, 0) for each in counts) / requests for metric in metrics if requests},
    )


class Source(Protocol):
    """All methods raise Refused and Unavailable. Times are seconds since the epoch."""

    @property
    def lag_s(self) -> float:
        """After how long the counts of a second are complete."""
        ...

    @property
    def interval_s(self) -> float:
        """The shortest stretch that it tells apart."""
        ...

    @property
    def grain_s(self) -> float:
        """Counts are kept for stretches of this length: what ends within one would be lost."""
        ...

    def problems(self) -> list[str]:
        """What it lacks, each in a sentence with the change to make."""
        ...

    def thresholds(self, now: float) -> Mapping[str, float]:
        """The stable side's percentiles in ms before the release, by metric; none where it had no traffic."""
        ...

    def traffic(self, now: float) -> Traffic:
        """The stable side's traffic lately, for a forecast."""
        ...

    def looks(self, track: Track, since: float, until: float) -> Seen:
        """The counts of `since` up to `until`, a look for each stretch of one weight."""
        ...
