"""Both sides of a stage, interval by interval: what the release controller compares.

An interval is cut at each change of a deployment or of the weight. Within one, the sides may be compared; sums over two
may not (releases.md, 3.1). Each is a set of series of its own, so what is late never falls into the wrong one.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final, Protocol

from headgate.model.histogram import lower_edge
from headgate.model.metric import MetricKey, Point, merged
from headgate.model.observation import SessionCounts
from headgate.model.value import Value
from headgate.telemetry.gateway_metrics import SIDES
from headgate.telemetry.statistics import percentile

MAX_LOOKS: Final = 1440
_PERCENTILES: Final = (50.0, 90.0, 99.0)


class Known(Protocol):
    key: MetricKey
    last_at: int


class Series(Protocol):
    """The stored series, see `store.metric_database`."""

    def find(self, wanted: Any) -> Sequence[Known]: ...

    def points(self, key: MetricKey, start: int, end: int, period: int, now: float) -> Mapping[int, Point]: ...


class SideCounts(Value, frozen=True):
    """One side's requests in a stretch of time. Latencies are milliseconds; None where there was none."""

    count: int = 0
    client_errors: int = 0
    server_errors: int = 0
    throttles: int = 0
    latency: Point | None = None
    integration_latency: Point | None = None
    sessions: SessionCounts | None = None  # where callers stick to their side; see `dataplane.sessions`


class Look(Value, frozen=True):
    """Both sides in one step of time."""

    at: int  # its beginning, seconds since the epoch
    base: SideCounts
    canary: SideCounts


class SideInterval(Value, frozen=True):
    """One interval of a stage, with its steps in order; steps without a request are left out."""

    began: float  # seconds since the epoch
    deployment_id: str
    canary_deployment_id: str | None
    percent: float
    base: SideCounts
    canary: SideCounts
    looks: tuple[Look, ...]


class RangeTooLong(ValueError):
    """More steps than are given at once."""


def side_intervals(
    series: Series, api_id: str, stage_name: str, since: float, until: float, step_s: int, now: float
) -> list[SideInterval]:
    """The intervals of a stage with requests between `since` and `until`, oldest first, in steps of `step_s` seconds.

    The range is widened to whole steps. Raises RangeTooLong.
    """
    start = int(since) // step_s * step_s
    end = ceil(until / step_s) * step_s
    if end - start > MAX_LOOKS * step_s:
        raise RangeTooLong(f"{(end - start) // step_s} steps of {step_s} s asked for; the most is {MAX_LOOKS}")

    def wanted(key: MetricKey) -> bool:
        if key.namespace != SIDES or key.account_id:
            return False
        dimensions = dict(key.dimensions)
        is_compared = dimensions["Side"] in {"base", "canary"}  # and not routed by a header
        return is_compared and dimensions["ApiId"] == api_id and dimensions["Stage"] == stage_name

    found: dict[tuple[str, ...], dict[tuple[str, str], Mapping[int, Point]]] = {}
    for known in series.find(wanted):
        points = series.points(known.key, start, end, step_s, now)
        if points:
            dimensions = dict(known.key.dimensions)
            interval = tuple(dimensions[name] for name in ("Began", "DeploymentId", "CanaryDeploymentId", "Percent"))
            found.setdefault(interval, {})[dimensions["Side"], known.key.name] = points
    ordered = sorted(found.items(), key=lambda each: int(each[0][0]))
    return [_interval(identity, points) for identity, points in ordered]


def shown(interval: SideInterval, *, with_looks: bool = True) -> dict[str, Any]:
    """An interval as JSON."""
    return {
        "began": interval.began,
        "deploymentId": interval.deployment_id,
        "canaryDeploymentId": interval.canary_deployment_id,
        "percentTraffic": interval.percent,
        "base": _shown_counts(interval.base),
        "canary": _shown_counts(interval.canary),
        "looks": [
            {"at": look.at, "base": _shown_counts(look.base), "canary": _shown_counts(look.canary)}
            for look in interval.looks
            if with_looks
        ],
    }


def _interval(identity: tuple[str, ...], points: Mapping[tuple[str, str], Mapping[int, Point]]) -> SideInterval:
    began, deployment_id, canary_deployment_id, percent = identity
    times = sorted({at for series in points.values() for at in series})
    return SideInterval(
        began=int(began) / 1000,
        deployment_id=deployment_id,
        canary_deployment_id=canary_deployment_id or None,
        percent=float(percent),
        base=_counts(points, "base", times),
        canary=_counts(points, "canary", times),
        looks=tuple(
            Look(at=at, base=_counts(points, "base", [at]), canary=_counts(points, "canary", [at])) for at in times
        ),
    )


def _counts(points: Mapping[tuple[str, str], Mapping[int, Point]], side: str, times: Sequence[int]) -> SideCounts:
    def total(name: str) -> Point | None:
        series = points.get((side, name), {})
        return merged(series[at] for at in times if at in series)

    def number(name: str) -> int:
        point = total(name)
        return 0 if point is None else round(point.sum)

    return SideCounts(
        count=number("Count"),
        client_errors=number("4XXError"),
        server_errors=number("5XXError"),
        throttles=number("Throttles"),
        latency=total("Latency"),
        integration_latency=total("IntegrationLatency"),
        sessions=None
        if (at_risk := total("SessionsAtRisk")) is None
        else SessionCounts(
            at_risk=round(at_risk.max),  # when the stretch begins: failures only take away
            failed=number("SessionsFailed"),
            active=number("SessionsActive"),
            first_failed=number("SessionsFirstFailed"),
            latency=total("SessionLatency"),
        ),
    )


def _shown_counts(counts: SideCounts) -> dict[str, Any]:
    shown_counts = {
        "count": counts.count,
        "4XX": counts.client_errors,
        "5XX": counts.server_errors,
        "throttles": counts.throttles,
        "latencyMs": _shown_latency(counts.latency),
        "integrationLatencyMs": _shown_latency(counts.integration_latency),
    }
    sessions = counts.sessions
    if sessions is not None:
        shown_counts["sessions"] = {
            "count": sessions.at_risk,
            "failed": sessions.failed,
            "active": sessions.active,
            "firstFailed": sessions.first_failed,
            "latencyMs": _shown_latency(sessions.latency),
        }
    return shown_counts


def _shown_latency(point: Point | None) -> dict[str, Any] | None:
    """With its histogram: the lower edge of each bucket and its count, for thresholds that a bucket's edge is."""
    if point is None:
        return None
    buckets = sorted((point.buckets or {}).items())
    return {
        "count": int(point.count),
        "sum": point.sum,
        "min": point.min,
        "max": point.max,
        **{f"p{rank:g}": percentile(point, rank) for rank in _PERCENTILES},
        "buckets": [[lower_edge(bucket) if bucket > 0 else 0.0, count] for bucket, count in buckets],
    }
