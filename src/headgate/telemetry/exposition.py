"""`GET /metrics`: what was counted since the start, in Prometheus' text format, version 0.0.4."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from headgate.model.histogram import lower_edge
from headgate.model.metric import Sample
from headgate.telemetry import function_metrics, gateway_metrics

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

# Upper bounds in milliseconds, coarse on purpose: a bucket is a series for whoever reads this.
BOUNDS_MS: Final = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)

_COUNTERS: Final = {
    ("Sides", "Count"): ("headgate_requests_total", "Requests that reached a stage"),
    ("Sides", "4XXError"): ("headgate_request_client_errors_total", "Answers of 400 to 499"),
    ("Sides", "5XXError"): ("headgate_request_server_errors_total", "Answers of 500 and above"),
    ("Sides", "Throttles"): ("headgate_request_throttles_total", "Requests refused by a method's token bucket"),
    ("Lambda", "Invocations"): ("headgate_function_invocations_total", "Function calls that ran"),
    ("Lambda", "Errors"): ("headgate_function_errors_total", "Function calls that failed"),
    ("Lambda", "Throttles"): ("headgate_function_throttles_total", "Function calls refused for want of room"),
}
_HISTOGRAMS: Final = {
    ("Sides", "Latency"): ("headgate_request_latency_seconds", "From a request's arrival to its answer"),
    ("Sides", "IntegrationLatency"): ("headgate_integration_latency_seconds", "Time in the backend"),
    ("Lambda", "Duration"): ("headgate_function_duration_seconds", "Duration of function calls"),
}
_GAUGES: Final = {
    "headgate_revision": "Revision of the stored state",
    "headgate_gateway_connections": "Open connections of the gateway",
    "headgate_log_events_dropped": "Log events that could not be written",
    "headgate_trace_segments_dropped": "Segments of traces that could not be written",
    "headgate_trace_exports_dropped": "Segments that no OpenTelemetry collector took",
    "headgate_metric_points_lost": "Points of metrics that could not be written",
    "process_resident_memory_bytes": "Resident memory of the server process",
    "process_start_time_seconds": "Start of the server process, since the epoch",
}

Labels = tuple[tuple[str, str], ...]


class _Histogram:
    __slots__ = ("count", "counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.count = 0
        self.sum = 0.0


class Totals:
    """What all flushed points come to since the start. Written and read on the event loop or one thread: see `add`."""

    def __init__(self) -> None:
        self._counters: dict[str, dict[Labels, float]] = {name: {} for name, _ in _COUNTERS.values()}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {name: {} for name, _ in _HISTOGRAMS.values()}

    def __repr__(self) -> str:
        return f"<Totals of {sum(map(len, self._counters.values()))} counters>"

    def add(self, samples: Iterable[Sample]) -> None:
        """Take the points of one flush in; called on the metrics' thread only."""
        for sample in samples:
            labels = _labels(sample)
            if labels is None:
                continue
            part = "Sides" if sample.key.namespace == gateway_metrics.SIDES else "Lambda"
            if counter := _COUNTERS.get((part, sample.key.name)):
                series = self._counters[counter[0]]
                series[labels] = series.get(labels, 0.0) + sample.point.sum
            elif histogram := _HISTOGRAMS.get((part, sample.key.name)):
                into = self._histograms[histogram[0]].setdefault(labels, _Histogram())
                into.count += int(sample.point.count)
                into.sum += sample.point.sum / 1000
                for bucket, count in (sample.point.buckets or {}).items():
                    into.counts[bisect_left(BOUNDS_MS, lower_edge(bucket) if bucket > 0 else 0.0)] += count

    def lines(self) -> Iterable[str]:
        for name, text in _COUNTERS.values():
            yield f"# HELP {name} {text}.\n# TYPE {name} counter\n"
            for labels, value in list(self._counters[name].items()):
                yield f"{name}{_braces(labels)} {value:.17g}\n"
        for name, text in _HISTOGRAMS.values():
            yield f"# HELP {name} {text}.\n# TYPE {name} histogram\n"
            for labels, histogram in list(self._histograms[name].items()):
                seen = 0
                for bound, count in zip(BOUNDS_MS, histogram.counts, strict=False):
                    seen += count
                    yield f"{name}_bucket{_braces((*labels, ('le', f'{bound / 1000:g}')))} {seen}\n"
                yield f"{name}_bucket{_braces((*labels, ('le', '+Inf')))} {histogram.count}\n"
                yield f"{name}_sum{_braces(labels)} {histogram.sum:.17g}\n"
                yield f"{name}_count{_braces(labels)} {histogram.count}\n"


def exposition(totals: Totals, gauges: Mapping[str, float]) -> bytes:
    """All of it as the body of the answer."""
    lines = [
        f"# HELP {name} {_GAUGES[name]}.\n# TYPE {name} gauge\n{name} {value:.17g}\n" for name, value in gauges.items()
    ]
    return "".join([*totals.lines(), *lines]).encode()


def _labels(sample: Sample) -> Labels | None:
    """The labels of a series that is shown, None of one that another has in it."""
    dimensions = dict(sample.key.dimensions)
    if sample.key.namespace == gateway_metrics.SIDES:
        return (
            ("api", dimensions["ApiId"]),
            ("stage", dimensions["Stage"]),
            ("side", dimensions["Side"]),
        )
    if sample.key.namespace == function_metrics.NAMESPACE and list(dimensions) == ["FunctionName"]:
        return (
            ("account", sample.key.account_id),
            ("region", sample.key.region),
            ("function", dimensions["FunctionName"]),
        )
    return None


def _braces(labels: Labels) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
