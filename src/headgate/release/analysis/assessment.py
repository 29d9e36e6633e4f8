"""What the evidence says: the verdict for the controller, the reason for people, the numbers for a live view."""

from enum import StrEnum

from headgate.model.value import Value
from headgate.release.analysis.bets import Comparison, Excess
from headgate.release.analysis.e_process import interval, likeliest
from headgate.release.analysis.settings import AnalysisSettings, Stake
from headgate.release.analysis.shares import share_interval


class Verdict(StrEnum):
    PASS = "pass"  # worse by the margin is refuted, for each compared metric
    FAIL = "fail"  # not worse is refuted
    INCONCLUSIVE = "inconclusive"  # neither yet
    NO_DATA = "no data"  # the horizon was reached with too few requests to say


class MetricAssessment(Value, frozen=True):
    """One metric. Shares, limits and intervals of shares are within 0 to 1.

    `low` and `high` bound the ratio of the risks (kind compare; `high` is None where there is no bound) or the canary's
    share (limit, guard), at level 1 - alpha and at any time. The ratio takes each look for itself, so it is not the
    quotient of the two shares where the traffic changed meanwhile.
    """

    name: str
    kind: str  # compare, limit or guard
    verdict: Verdict
    e_value: float  # evidence that it is worse
    weight: float  # of `e_value` in the release's
    base_bad: int = 0
    base_units: int = 0
    base_share: float | None = None
    canary_bad: int = 0
    canary_units: int = 0
    canary_share: float | None = None
    ratio: float | None = None  # None: nothing bad yet, or beyond 30
    low: float = 0.0
    high: float | None = None
    limit: float | None = None  # kinds limit and guard
    pass_value: float | None = None  # evidence that it is not worse by the margin; kind compare

    def sentence(self, alpha: float) -> str:
        """The metric's numbers for a reader."""
        name = self.name.removeprefix("limit:")
        level = f"{100 * (1 - alpha):.4g} % interval"
        if self.limit is not None:
            share, bounds = percent(self.canary_share or 0.0), f"{percent(self.low)} to {percent(self.high or 0.0)}"
            if self.name.startswith("limit:latency"):
                slow = f"{share} of the canary's requests are slower than the limit, {percent(self.limit)} may be"
                return f"{name}: {slow} ({level} {bounds})"
            limit = f"{'hard guard' if self.kind == 'guard' else 'limit'} {percent(self.limit)}"
            return f"{name}: {share} on the canary, {limit} ({level} {bounds})"
        if self.ratio:
            bounds = f"{self.low:.2g} or more" if self.high is None else f"{self.low:.2g} to {self.high:.2g}"
            return f"{name}: {self.ratio:.2g} times as frequent on the canary ({level} {bounds})"
        return (
            f"{name}: {self.canary_bad:,} of {self.canary_units:,} on the canary, "
            f"{self.base_bad:,} of {self.base_units:,} on the stable side"
        )


class Assessment(Value, frozen=True):
    """`reason` is one sentence. The release fails when `peak`, the largest `e_value` so far, reaches `threshold`."""

    verdict: Verdict
    reason: str
    e_value: float
    peak: float
    threshold: float
    metrics: tuple[MetricAssessment, ...] = ()
    base_requests: int = 0
    canary_requests: int = 0
    sample_ratio_e: float = 1.0  # evidence that requests are not split as configured
    sample_ratio_p: float = 1.0


def of_comparison(stake: Stake, comparison: Comparison, settings: AnalysisSettings) -> MetricAssessment:
    base, canary = comparison.base, comparison.canary
    pass_value = comparison.pass_value(settings.negligible)
    if not (base.units and canary.units):
        verdict = Verdict.NO_DATA
    else:
        verdict = Verdict.PASS if pass_value >= 1 / settings.beta else Verdict.INCONCLUSIVE
    low, high = interval(comparison.likelihood, settings.alpha)
    return MetricAssessment(
        name=stake.metric,
        kind=stake.kind,
        verdict=verdict,
        e_value=comparison.process.value,
        weight=stake.weight,
        base_bad=base.bad,
        base_units=base.units,
        base_share=base.share,
        canary_bad=canary.bad,
        canary_units=canary.units,
        canary_share=canary.share,
        ratio=likeliest(comparison.likelihood) if any(comparison.likelihood) else None,
        low=low,
        high=high,
        pass_value=pass_value,
    )


def of_excess(stake: Stake, excess: Excess, limit: float, alpha: float) -> MetricAssessment:
    canary = excess.canary
    if canary.share is None:
        verdict = Verdict.NO_DATA
    else:
        # What is observed above the limit is no pass, however weak the evidence.
        verdict = Verdict.PASS if canary.share <= limit else Verdict.INCONCLUSIVE
    low, high = share_interval(canary.bad, canary.units, alpha)
    return MetricAssessment(
        name=stake.metric,
        kind=stake.kind,
        verdict=verdict,
        e_value=excess.process.value,
        weight=stake.weight,
        canary_bad=canary.bad,
        canary_units=canary.units,
        canary_share=canary.share,
        low=low,
        high=high,
        limit=limit,
    )


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"
