"""What the gateway saw of requests: counts and latencies of one side of a stage, taken from the counters at a flush."""

from headgate.model.metric import Point
from headgate.model.value import Value


class Interval(Value, frozen=True):
    """A stretch of time in which a stage's deployments and weight did not change, nor its pins.

    Rates of the two sides may be compared within an interval and never across two: the traffic changes meanwhile
    (releases.md, 3.1).
    """

    account_id: str
    region: str
    api_id: str
    api_name: str
    stage_name: str
    deployment_id: str
    canary_deployment_id: str | None  # None: the stage had no canary
    canary_percent: float
    began_ms: int  # since the epoch
    steering: tuple[str, ...] = ()  # see `model.stage.steering`

    def goes_on(self, other: "Interval") -> bool:
        """Whether nothing that an interval is cut at differs."""
        return (
            self.deployment_id == other.deployment_id
            and self.canary_deployment_id == other.canary_deployment_id
            and self.canary_percent == other.canary_percent
            and self.api_name == other.api_name
            and self.steering == other.steering
        )


class SessionCounts(Value, frozen=True):
    """The sessions of one side in a stretch of time; what each is stands in `dataplane.sessions`."""

    at_risk: int  # that had not failed before it
    failed: int  # for the first time
    active: int  # of those at risk, in this second
    first_failed: int  # whose first request failed
    latency: Point | None  # milliseconds, of the first requests of sessions; None where there was none


class SessionObservation(Value, frozen=True):
    """What one interval's counter of sessions was read at."""

    interval: Interval
    base: SessionCounts
    canary: SessionCounts


class SessionMemory(Value, frozen=True):
    """What is known of the sessions of one release of a stage: a byte for each, 0 or 1."""

    api_id: str
    stage_name: str
    sticky: str  # what a caller is known by, and the release: another has other sessions
    seen: bytes
    failed: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        return self.api_id, self.stage_name, self.sticky


class SessionMemories(Value, frozen=True):
    """What is to be kept over a restart, since the last time: what changed, and the keys of what is over."""

    changed: tuple[SessionMemory, ...] = ()
    over: tuple[tuple[str, str, str], ...] = ()


class Observation(Value, frozen=True):
    """The requests of one meter since it was last read; at least one. `resource` and `method` are "" unless both are
    counted on their own (metricsEnabled)."""

    interval: Interval
    is_canary: bool
    is_routed: bool  # by a header to the canary: no part of the comparison
    resource: str
    method: str
    count: int
    client_errors: int  # answers of 400 to 499
    server_errors: int  # of 500 and above
    throttles: int  # refused by the method's token bucket
    latency: Point  # milliseconds
    integration_latency: Point | None  # None: no request got as far
