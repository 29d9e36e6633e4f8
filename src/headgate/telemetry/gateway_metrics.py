"""From what the gateway saw to metrics: AWS/ApiGateway with every dimension set of aws-semantics 6.4, and both sides of
each stage per interval for the release controller.

A meter counts at the finest level that applies; what the coarser sets come to is added up here, off the event loop.
"""

from collections.abc import Iterable
from typing import Final

from headgate.model.metric import Dimensions, MetricKey, Point, Sample, add_to, point_of, share_point
from headgate.model.observation import Interval, Observation, SessionCounts, SessionObservation

NAMESPACE: Final = "AWS/ApiGateway"
SIDES: Final = "Headgate/Sides"
SIDES_ACCOUNT: Final = ""  # an account that nobody's request is for: these series have a page of their own


def samples_of(observations: Iterable[Observation], at: int) -> list[Sample]:
    """The points of one flush, stamped with the second `at`. Coarser dimension sets hold the finer ones' requests."""
    totals: dict[MetricKey, Point] = {}
    for seen in observations:
        points = _points(seen)
        interval = seen.interval
        for dimensions in _dimension_sets(seen):
            for name, unit, point in points:
                add_to(totals, _key(interval, NAMESPACE, name, dimensions, unit), point)
        for name, unit, point in [*points, ("Throttles", "Count", share_point(seen.count, seen.throttles))]:
            add_to(totals, _side_key(interval, name, unit, _side(seen)), point)
    return [Sample(key=key, at=at, point=point) for key, point in totals.items()]


def session_samples_of(observations: Iterable[SessionObservation], at: int) -> list[Sample]:
    """The points of one flush, stamped with the second `at`."""
    return [
        Sample(key=_side_key(seen.interval, name, unit, side), at=at, point=point)
        for seen in observations
        for side, counts in (("base", seen.base), ("canary", seen.canary))
        for name, unit, point in _session_points(counts)
    ]


def api_dimension(name: str, api_id: str) -> str:
    """ApiName: what is ASCII of the API's name, or its id when nothing is left (aws-semantics 6.4)."""
    return name.encode("ascii", "ignore").decode() or api_id


def stage_dimension(stage_name: str, *, is_canary: bool) -> str:
    """The canary's requests are reported as a stage of their own (aws-semantics 6.4, 3P)."""
    return f"{stage_name}/Canary" if is_canary else stage_name


def _points(seen: Observation) -> list[tuple[str, str, Point]]:
    points = [
        ("Count", "Count", share_point(seen.count, seen.count)),
        ("4XXError", "Count", share_point(seen.count, seen.client_errors)),
        ("5XXError", "Count", share_point(seen.count, seen.server_errors)),
        ("Latency", "Milliseconds", seen.latency),
    ]
    if seen.integration_latency is not None:
        points.append(("IntegrationLatency", "Milliseconds", seen.integration_latency))
    return points


def _session_points(counts: SessionCounts) -> list[tuple[str, str, Point]]:
    """SessionsAtRisk is a level, of which the largest counts; the others are counts of what happened."""
    points = [
        ("SessionsAtRisk", "Count", point_of(counts.at_risk)),
        ("SessionsFailed", "Count", point_of(counts.failed)),
        ("SessionsActive", "Count", point_of(counts.active)),
        ("SessionsFirstFailed", "Count", point_of(counts.first_failed)),
    ]
    if counts.latency is not None:
        points.append(("SessionLatency", "Milliseconds", counts.latency))
    return points


def _dimension_sets(seen: Observation) -> list[Dimensions]:
    api = ("ApiName", api_dimension(seen.interval.api_name, seen.interval.api_id))
    stage = ("Stage", stage_dimension(seen.interval.stage_name, is_canary=seen.is_canary))
    sets: list[Dimensions] = [(api,), (api, stage)]
    if seen.method:
        sets.append((api, ("Method", seen.method), ("Resource", seen.resource), stage))
    return sets


def _key(interval: Interval, namespace: str, name: str, dimensions: Dimensions, unit: str) -> MetricKey:
    return MetricKey(
        account_id=interval.account_id,
        region=interval.region,
        namespace=namespace,
        name=name,
        dimensions=dimensions,
        unit=unit,
    )


def _side(seen: Observation) -> str:
    """What a header routed to the canary is no side's: test traffic says nothing of either (releases.md, 3.2)."""
    return "routed" if seen.is_routed else "canary" if seen.is_canary else "base"


def _side_key(interval: Interval, name: str, unit: str, side: str) -> MetricKey:
    dimensions = (
        ("ApiId", interval.api_id),
        ("Began", str(interval.began_ms)),
        ("CanaryDeploymentId", interval.canary_deployment_id or ""),
        ("DeploymentId", interval.deployment_id),
        ("Percent", repr(interval.canary_percent)),
        ("Side", side),
        ("Stage", interval.stage_name),
    )
    return MetricKey(
        account_id=SIDES_ACCOUNT,
        region=interval.region,
        namespace=SIDES,
        name=name,
        dimensions=dimensions,
        unit=unit,
    )
