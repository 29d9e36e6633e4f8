"""What a plan can find out at the traffic that there is, said before it starts.

The counts are set to what is expected, the canary's bad units to what is reached in nine of ten releases: a rise counts
as seen once the bet against them would have won. Simulated releases agree within a fifth (test_planning.py).
"""

from collections.abc import Callable, Sequence
from math import log, log1p, sqrt
from typing import Final

from headgate.model.value import Value
from headgate.release.analysis.assessment import percent
from headgate.release.analysis.bets import Comparison
from headgate.release.analysis.e_process import FROM_THE_START, PRIOR, RISES, costs, log_mean, rises_only
from headgate.release.analysis.looks import Tally
from headgate.release.analysis.settings import AnalysisSettings, stakes

_ONE_IN_TEN: Final = 1.2816  # standard deviations
_LEAST_SHARE: Final = 0.0001  # taken where nothing bad is known
_MOST_TIMES: Final = 30.0  # the largest ratio that is looked for
_LOG_PRIOR: Final = [log(each) for each in PRIOR]


class Exposure(Value, frozen=True):
    """A time at one weight: `percent` of the traffic goes to the canary."""

    percent: float
    seconds: float


class Outlook(Value, frozen=True):
    """What a plan sees of one metric. Times are seconds of traffic from the first weight on, reached in nine of ten
    releases; None: not within the plan."""

    metric: str
    requests_per_s: float
    base_share: float  # 0.01 % where nothing bad is known
    least_ratio: float | None  # the smallest rise that is seen, as a ratio
    rise: float  # threefold, or half of the way to all requests where that is less
    rise_after_s: float | None  # until it is seen
    pass_after_s: float | None  # until a release as good as what is served has passed
    seconds: float  # of the plan

    @property
    def sentence(self) -> str:
        traffic = f"{self.metric}, now {percent(self.base_share)} of {self.requests_per_s:,.6g} requests/s"
        if self.least_ratio is None:
            seen = f"no rise can be seen, not even a {_MOST_TIMES:g}-fold one"
        else:
            least = f"{self.least_ratio:.2g}-fold one (to {100 * self.least_ratio * self.base_share:.2g} %)"
            if self.rise_after_s is None:
                seen = f"no rise below a {least} can be seen"
            else:
                rise = f"a {self.rise:.2g}-fold rise is seen within {_minutes(self.rise_after_s)}"
                seen = f"{rise}, and nothing below a {least}"
        if self.pass_after_s is None:
            passes = f"a good release has no verdict after {_minutes(self.seconds)}"
        else:
            passes = f"a good release passes within {_minutes(self.pass_after_s)}"
        return f"{traffic}: {seen}; {passes}"


def outlook(
    metric: str, requests_per_s: float, base_share: float, plan: Sequence[Exposure], settings: AnalysisSettings
) -> Outlook:
    """Of a metric that `settings` compare; `base_share` is how frequent it is now, 0 to 1."""
    weight = next(each.weight for each in stakes(settings) if each.kind == "compare" and each.metric == metric)
    share = min(max(base_share, _LEAST_SHARE), 1.0)
    seconds = sum(each.seconds for each in plan)
    rise = min(3.0, (1 + 1 / share) / 2)

    def is_seen(ratio: float, after_s: float) -> bool:
        wealth = _log_wealth(requests_per_s, share, ratio, _until(plan, after_s))
        return wealth >= log(1 / (settings.alpha * weight))

    def passes(after_s: float) -> bool:
        return _pass_value(requests_per_s, share, _until(plan, after_s), settings) >= 1 / settings.beta

    return Outlook(
        metric=metric,
        requests_per_s=requests_per_s,
        base_share=share,
        least_ratio=_least(lambda ratio: is_seen(ratio, seconds), 1.0, min(_MOST_TIMES, 1 / share)),
        rise=rise,
        rise_after_s=_least(lambda after_s: is_seen(rise, after_s), 0.0, seconds),
        pass_after_s=_least(passes, 0.0, seconds),
        seconds=seconds,
    )


def _until(plan: Sequence[Exposure], after_s: float) -> list[Exposure]:
    """The parts of a plan with both sides in use, up to a time."""
    parts = []
    for each in plan:
        seconds = min(each.seconds, after_s)
        after_s -= seconds
        if seconds > 0 and 0 < each.percent < 100:
            parts.append(Exposure(percent=each.percent, seconds=seconds))
    return parts


def _log_wealth(requests_per_s: float, share: float, ratio: float, plan: Sequence[Exposure]) -> float:
    """log of what the bet on a rise is worth, with as few bad units on the canary as one release in ten has."""
    expected = sum(requests_per_s * each.seconds * each.percent / 100 * share * ratio for each in plan)
    luck = max(0.0, 1 - _ONE_IN_TEN / sqrt(expected)) if expected else 0.0
    logs = [0.0] * len(RISES)
    for each in plan:
        w = each.percent / 100
        bad = requests_per_s * each.seconds * share
        on_canary = bad * w * ratio * luck
        both = on_canary + bad * (1 - w)
        logs = [
            value + on_canary * d - both * cost
            for value, d, cost in zip(logs, RISES, rises_only(costs(w)), strict=True)
        ]
    return log_mean(logs, _LOG_PRIOR) + log(FROM_THE_START)


def _pass_value(requests_per_s: float, share: float, plan: Sequence[Exposure], settings: AnalysisSettings) -> float:
    """What the bet on a pass is worth where nothing changed, with more bad units on the canary than usual."""
    expected = sum(requests_per_s * each.seconds * each.percent / 100 * share for each in plan)
    luck = 1 + _ONE_IN_TEN / sqrt(expected) if expected else 1.0
    of_margin, units, bad_units = 0.0, 0.0, 0.0
    for each in plan:
        w = each.percent / 100
        requests = requests_per_s * each.seconds
        on_canary = requests * w * share * luck
        both = on_canary + requests * (1 - w) * share
        of_margin += on_canary * log(settings.margin) - both * log1p(w * (settings.margin - 1))
        units += requests * w
        bad_units += on_canary
    counted = Comparison(usual_canary=Tally(bad=round(bad_units), units=round(units)), of_margin=of_margin)
    return counted.pass_value(settings.negligible)


def _least(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """The smallest value from which on it holds; None where it does not at `high`."""
    if not holds(high):
        return None
    for _ in range(20):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
