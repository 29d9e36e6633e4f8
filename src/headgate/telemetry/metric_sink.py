"""Where telemetry's parts put the values of metrics."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class MetricValue(NamedTuple):
    """One value of a metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    unit: str  # of CloudWatch's StandardUnit
    timestamp_ms: int  # since the epoch


class MetricSink(Protocol):
    def put(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, unit: str, timestamp_ms: int
    ) -> None:
        """Take one value, on the event loop's thread. Must not block."""
        ...


class NoMetrics:
    """For a server that keeps no metrics."""

    def put(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, unit: str, timestamp_ms: int
    ) -> None:
        """Takes nothing."""
