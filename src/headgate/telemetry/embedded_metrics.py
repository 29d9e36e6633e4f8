"""The embedded metric format: log events that say which of their members are metrics (its specification, version 1.0).

{"_aws": {"Timestamp": ms, "CloudWatchMetrics": [{"Namespace": "Shop", "Dimensions": [["Function"], []],
  "Metrics": [{"Name": "Time", "Unit": "Milliseconds", "StorageResolution": 1}]}]}, "Function": "f", "Time": 3.5}
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from headgate.model.metric import MetricKey, Sample
from headgate.telemetry.metric_sink import sample_of

MARK: Final = '"_aws"'
_MAX_METRICS: Final = 100  # of one directive
_MAX_VALUES: Final = 100  # of one metric


def embedded_metrics(account_id: str, region: str, message: str) -> list[Sample]:
    """The points that an event makes; none for one of another format. What of it breaks the format is left out."""
    if MARK not in message or not message.lstrip().startswith("{"):
        return []  # nearly all events: they are not parsed
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return []
    metadata = document.get("_aws")
    if not isinstance(metadata, dict):
        return []
    timestamp, directives = metadata.get("Timestamp"), metadata.get("CloudWatchMetrics")
    if not isinstance(timestamp, int) or not isinstance(directives, list):
        return []
    return [
        sample
        for directive in directives
        if isinstance(directive, dict)
        for sample in _of_directive(account_id, region, document, directive, timestamp)
    ]


def _of_directive(
    account_id: str, region: str, document: dict[str, Any], directive: dict[str, Any], timestamp_ms: int
) -> Iterator[Sample]:
    namespace, metrics = directive.get("Namespace"), directive.get("Metrics")
    if not isinstance(namespace, str) or not namespace or not isinstance(metrics, list):
        return
    dimension_sets = list(_dimension_sets(document, directive.get("Dimensions", [[]])))
    for metric in metrics[:_MAX_METRICS]:
        name = metric.get("Name") if isinstance(metric, dict) else None
        if not isinstance(name, str) or not name:
            continue
        unit = metric.get("Unit", "None")
        resolution = 1 if metric.get("StorageResolution") == 1 else 60
        for dimensions in dimension_sets:
            key = MetricKey(
                account_id=account_id,
                region=region,
                namespace=namespace,
                name=name,
                dimensions=dimensions,
                unit=unit if isinstance(unit, str) else "None",
            )
            for value in _values(document.get(name)):
                sample = sample_of(key, value, timestamp_ms, resolution)
                if sample is not None:
                    yield sample


def _dimension_sets(document: dict[str, Any], given: Any) -> Iterator[tuple[tuple[str, str], ...]]:
    """Each set with its values; a set that names a member which is no text is left out."""
    for names in given if isinstance(given, list) else ():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            continue
        found = [(name, document.get(name)) for name in sorted(set(names))]
        texts = tuple((name, value) for name, value in found if isinstance(value, str) and value)
        if len(texts) == len(found):
            yield texts


def _values(given: Any) -> list[float]:
    values = given[:_MAX_VALUES] if isinstance(given, list) else [given]
    return [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
