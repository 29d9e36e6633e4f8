"""What is asked of the evidence."""

from collections.abc import Iterator, Mapping
from typing import Final

from headgate.model.value import Value

SERVER_ERRORS: Final = "errors-5xx"  # what the hard guard watches

EXPECTED_SHARES: Final = {"latency-p50": 0.5, "latency-p90": 0.1}  # of slow requests, by construction
_COMPARISON, _LIMITS, _GUARD = 0.8, 0.1, 0.1  # shares of the wealth


class AnalysisSettings(Value, frozen=True):
    """Shares are within 0 to 1."""

    alpha: float = 0.01  # chance of failing a healthy release, however often one looks
    beta: float = 0.05  # chance of passing one that is worse by the margin
    margin: float = 2.0  # ratio of the risks that a pass excludes; above 1
    compare: tuple[str, ...] = ()  # metrics, canary against stable side
    limits: Mapping[str, float] = {}  # largest allowed share of the canary's units, by metric
    hard_guard: float = 0.2  # of server errors on the canary; 1 is none
    min_requests: int = 50  # on each side
    negligible: float = 0.005  # a share below it passes, whatever the other side's


class Stake(Value, frozen=True):
    """One bet's share of the wealth. `kind`: compare, limit or guard."""

    kind: str
    metric: str
    weight: float


def stakes(settings: AnalysisSettings) -> Iterator[Stake]:
    """How the wealth is spread; weights sum to 1, or there are none.

    A weighted average of e-processes is an e-process however they depend on each other, so several metrics need no
    correction but this. Families (errors, throttles, latency) weigh equally, so that three percentiles of one latency
    do not take the wealth from the errors. What is not asked for leaves its share to the others.
    """
    families: dict[str, list[str]] = {}
    for metric in dict.fromkeys(settings.compare):
        families.setdefault(metric.partition("-")[0], []).append(metric)
    found = [
        Stake(kind="compare", metric=metric, weight=_COMPARISON / len(families) / len(members))
        for members in families.values()
        for metric in members
    ]
    found += [
        Stake(kind="limit", metric=metric, weight=_LIMITS / len(settings.limits)) for metric in sorted(settings.limits)
    ]
    if settings.hard_guard < 1:
        found.append(Stake(kind="guard", metric=SERVER_ERRORS, weight=_GUARD))
    whole = sum(each.weight for each in found)
    for each in found:
        yield Stake(kind=each.kind, metric=each.metric, weight=each.weight / whole)
