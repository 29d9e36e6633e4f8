"""Evidence of a release, look by look, and the verdict on it.

`Evidence` is a fold of bounded size: it is kept in memory and made anew from a journal. What it says is a function of
the looks and the settings alone.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from headgate.model.value import Value
from headgate.release.analysis.assessment import (
    Assessment,
    MetricAssessment,
    Verdict,
    of_comparison,
    of_excess,
    percent,
)
from headgate.release.analysis.bets import Comparison, Excess, guard_after, split_after
from headgate.release.analysis.e_process import EProcess
from headgate.release.analysis.looks import ERROR_RATE, Look
from headgate.release.analysis.settings import EXPECTED_SHARES, SERVER_ERRORS, AnalysisSettings, Stake, stakes

__all__ = ["AnalysisSettings", "Assessment", "Evidence", "MetricAssessment", "Verdict", "assess"]

_SPLIT_ALPHA: Final = 0.01  # chance of calling a right split wrong


class Evidence(Value, frozen=True):
    """All that the looks so far amount to. `e_value` is the weighted average of the bets, `peak` the most it was.

    A release has failed once its peak has reached 1/alpha, and the peak of an average cannot be told from the bets
    afterwards. So the settings, which hold the weights, are wanted while folding, the same for all looks.
    """

    base_requests: int = 0
    canary_requests: int = 0
    comparisons: Mapping[str, Comparison] = {}
    limits: Mapping[str, Excess] = {}
    guard: Excess = Excess()
    split: EProcess = EProcess()
    e_value: float = 1.0
    peak: float = 1.0
    cause: Stake | None = None  # the bet that made the most of the peak

    def after(self, look: Look, settings: AnalysisSettings) -> "Evidence":
        """With one more look; looks may come in any lengths, but each at one weight."""
        comparisons, limits, guard = dict(self.comparisons), dict(self.limits), self.guard
        for metric in dict.fromkeys(settings.compare):
            if tallies := look.tallies(metric):
                known = comparisons.get(metric) or Comparison(expected=EXPECTED_SHARES.get(metric, 0.01))
                shares = look.tallies(ERROR_RATE) if look.is_sticky and metric == SERVER_ERRORS else None
                comparisons[metric] = known.after(*tallies, settings.margin, shares)
        for metric, limit in settings.limits.items():
            if tallies := look.tallies(metric):
                limits[metric] = limits.get(metric, Excess()).after(tallies[1], limit)
        if tallies := look.tallies(ERROR_RATE):
            guard = guard_after(guard, *tallies, settings.hard_guard)
        grown = Evidence(
            base_requests=self.base_requests + look.base.requests,
            canary_requests=self.canary_requests + look.canary.requests,
            comparisons=comparisons,
            limits=limits,
            guard=guard,
            split=split_after(self.split, look),
            peak=self.peak,
            cause=self.cause,
        )
        return grown._with_average(settings)

    def _with_average(self, settings: AnalysisSettings) -> "Evidence":
        worths = [(stake.weight * self._value(stake), stake) for stake in stakes(settings)]
        if not worths:
            return self
        average = sum(worth for worth, _ in worths)
        if average <= self.peak:
            return replace(self, e_value=average)
        _, cause = max(worths, key=lambda each: each[0])
        return replace(self, e_value=average, peak=average, cause=cause)

    def _value(self, stake: Stake) -> float:
        match stake.kind:
            case "compare":
                bet: Comparison | Excess | None = self.comparisons.get(stake.metric)
            case "limit":
                bet = self.limits.get(stake.metric)
            case _:
                bet = self.guard
        return bet.process.value if bet else 1.0


def assess(evidence: Evidence, settings: AnalysisSettings, *, horizon_reached: bool) -> Assessment:
    """The verdict so far. Once it is FAIL it stays so, whatever follows.

    `horizon_reached`: the time that the plan has for the verdict is over. Then too few requests are NO_DATA, and where
    there is nothing to compare, the absence of a failure is a PASS. A pass wrongly given to a canary that is worse by
    the margin has a chance of at most beta, at any time; several metrics add nothing to it, as each must pass.
    """
    metrics = _metrics(evidence, settings)
    verdict, reason = _verdict(evidence, settings, metrics, horizon_reached)
    return Assessment(
        verdict=verdict,
        reason=reason,
        e_value=evidence.e_value,
        peak=evidence.peak,
        threshold=1 / settings.alpha,
        metrics=metrics,
        base_requests=evidence.base_requests,
        canary_requests=evidence.canary_requests,
        sample_ratio_e=evidence.split.value,
        sample_ratio_p=_split_p(evidence),
    )


def _metrics(evidence: Evidence, settings: AnalysisSettings) -> tuple[MetricAssessment, ...]:
    failed = evidence.cause if evidence.peak >= 1 / settings.alpha else None
    found = []
    for stake in stakes(settings):
        if stake.kind == "compare":
            metric = of_comparison(stake, evidence.comparisons.get(stake.metric, Comparison()), settings)
        elif stake.kind == "limit":
            excess = evidence.limits.get(stake.metric, Excess())
            metric = of_excess(stake, excess, settings.limits[stake.metric], settings.alpha)
        else:
            metric = of_excess(stake, evidence.guard, settings.hard_guard, settings.alpha)
        found.append(replace(metric, verdict=Verdict.FAIL) if stake == failed else metric)
    return tuple(found)


def _verdict(
    evidence: Evidence, settings: AnalysisSettings, metrics: tuple[MetricAssessment, ...], horizon_reached: bool
) -> tuple[Verdict, str]:
    if evidence.peak >= 1 / settings.alpha:
        blamed = [each.sentence(settings.alpha) for each in metrics if each.verdict is Verdict.FAIL]
        wealth = f"{evidence.peak:,.0f}" if evidence.peak < 1e6 else "over a million"
        return Verdict.FAIL, ", ".join([*blamed, f"evidence {wealth} against {1 / settings.alpha:,.0f}"])
    if lacking := _lacks_requests(evidence, settings):
        return (Verdict.NO_DATA if horizon_reached else Verdict.INCONCLUSIVE), lacking
    if _split_p(evidence) <= _SPLIT_ALPHA:
        return Verdict.INCONCLUSIVE, _misrouted(evidence)
    for each in metrics:
        if each.kind != "guard" and each.verdict is not Verdict.PASS:
            return Verdict.INCONCLUSIVE, _undecided(each, settings)
    requests = f"after {evidence.canary_requests:,} requests on the canary"
    if settings.compare:
        names = ", ".join(dict.fromkeys(settings.compare))
        nothing = f"below {percent(settings.negligible)}"
        return Verdict.PASS, f"{names}: less than {settings.margin:g} times as frequent, or {nothing}, {requests}"
    if horizon_reached:
        return Verdict.PASS, f"no limit is exceeded {requests}"
    return Verdict.INCONCLUSIVE, f"no limit is exceeded so far, {requests}"


def _lacks_requests(evidence: Evidence, settings: AnalysisSettings) -> str:
    """Said of the side with fewer requests, if they are too few; else empty."""
    sides = [(evidence.canary_requests, "canary")]
    if settings.compare:
        sides.append((evidence.base_requests, "stable side"))
    count, side = min(sides)
    return (
        "" if count >= settings.min_requests else f"{count:,} requests on the {side}, {settings.min_requests:,} needed"
    )


def _misrouted(evidence: Evidence) -> str:
    reached = f"{evidence.canary_requests:,} of {evidence.base_requests + evidence.canary_requests:,}"
    return f"requests are not split as configured: {reached} reached the canary (p {_split_p(evidence):.2g})"


def _split_p(evidence: Evidence) -> float:
    """By the evidence of now, not by the most it was: a weight that took a while to arrive is forgiven in time."""
    return min(1.0, 1 / evidence.split.value)


def _undecided(metric: MetricAssessment, settings: AnalysisSettings) -> str:
    if metric.verdict is Verdict.NO_DATA:
        return f"{metric.name.removeprefix('limit:')} was not counted" + (
            " on both sides" if metric.kind == "compare" else ""
        )
    if metric.pass_value is None:
        return f"{metric.sentence(settings.alpha)}, with too little evidence to fail"
    return (
        f"{metric.sentence(settings.alpha)}, evidence {metric.pass_value:.2g} against {1 / settings.beta:.3g} "
        f"that it is less than {settings.margin:g} times as frequent"
    )
