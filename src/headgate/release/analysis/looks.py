"""What was counted: one look is an interval in which neither deployment nor weight changed, on both sides."""

from collections.abc import Mapping
from typing import Final

from headgate.model.value import Value

ERROR_RATE: Final = "limit:error-rate"


class Counts(Value, frozen=True):
    """One side's units in a look: requests, or sessions where callers are sticky.

    A metric that was counted stands in `bad` with 0 too; what is missing on both sides of a look was not counted in it.
    Metrics: `errors-5xx`, `errors-4xx`, `throttles`; `latency-p50` and the like, slower than a threshold that is the
    same for both sides and was fixed before; `limit:latency-p99` and the like, slower than a fixed limit.
    `limit:error-rate` is what a limit on errors and the hard guard go by: shares of one side, which sessions that have
    not failed yet are no measure of. Where it does not stand, `errors-5xx` are it.
    """

    requests: int = 0
    bad: Mapping[str, int] = {}  # how many units count as bad, by metric
    of: Mapping[str, int] = {}  # of how many, by metric, where that is not `requests`


class Tally(Value, frozen=True):
    """`bad` among `units`."""

    bad: int = 0
    units: int = 0

    @property
    def share(self) -> float | None:
        return self.bad / self.units if self.units else None

    def plus(self, other: "Tally") -> "Tally":
        return Tally(bad=self.bad + other.bad, units=self.units + other.units)


class Look(Value, frozen=True):
    """Times are seconds since the epoch; `percent` is the canary's configured share of the traffic, 0 to 100."""

    since: float
    until: float
    percent: float
    base: Counts
    canary: Counts
    is_sticky: bool = False  # the unit is a session

    def tallies(self, metric: str) -> tuple[Tally, Tally] | None:
        """A metric's counts on the stable side and on the canary, or None where it was not counted."""
        if metric == ERROR_RATE and metric not in self.canary.bad:
            metric = "errors-5xx"
        if all(metric not in side.bad and metric not in side.of for side in (self.base, self.canary)):
            return None
        return _tally(self.base, metric), _tally(self.canary, metric)


def _tally(counts: Counts, metric: str) -> Tally:
    units = max(0, counts.of.get(metric, counts.requests))
    # A unit may be counted as bad a breath before it is counted at all: a share is never above 1.
    return Tally(bad=min(max(0, counts.bad.get(metric, 0)), units), units=units)
