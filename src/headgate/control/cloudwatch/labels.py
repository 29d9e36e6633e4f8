"""The labels of series: what tells them apart, or the client's own with its placeholders filled in."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from headgate.model.metric import MetricKey

_PLACEHOLDER: Final = re.compile(r"\$\{(?:PROP\('([^']+)'\)|([A-Z]+))\}")


def told_apart(keys: Sequence[MetricKey]) -> Callable[[MetricKey], str]:
    """What labels these metrics: their name and, where that is not enough, the dimension values that differ."""
    names = {key.name for key in keys}
    namespaces = {key.namespace for key in keys}
    seen: dict[str, set[str | None]] = {}
    for name in {name for key in keys for name, _ in key.dimensions}:
        seen[name] = {dict(key.dimensions).get(name) for key in keys}

    def label(key: MetricKey) -> str:
        parts = [key.namespace] if len(namespaces) > 1 else []
        parts += [value for name, value in key.dimensions if len(seen[name]) > 1]
        if len(names) > 1 or not parts:
            parts.append(key.name)
        return " ".join(parts)

    return label


def labelled(
    given: str | None, default: str, metric: MetricKey | None, statistic: str, period: int, values: Mapping[int, float]
) -> str:
    """The client's label with `${AVG}`, `${LAST}`, `${PROP('MetricName')}` and the like filled in, or the default."""
    if given is None:
        return default

    def fill(found: re.Match[str]) -> str:
        if found[1] is not None:
            return _property(found[1], metric, statistic, period) or found[0]
        if found[2] == "LABEL":
            return default
        return _summary(found[2], values) or found[0]

    return _PLACEHOLDER.sub(fill, given)


def _property(name: str, metric: MetricKey | None, statistic: str, period: int) -> str | None:
    if metric is None:
        return None
    if name.startswith("Dim."):
        return dict(metric.dimensions).get(name.removeprefix("Dim."), "")
    return {
        "AccountId": metric.account_id,
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "Period": str(period),
        "Region": metric.region,
        "Stat": statistic,
    }.get(name)


def _summary(name: str, values: Mapping[int, float]) -> str | None:
    if not values:
        return "--" if name in {"AVG", "MIN", "MAX", "SUM", "FIRST", "LAST"} else None
    ordered = [value for _, value in sorted(values.items())]
    summaries = {
        "AVG": sum(ordered) / len(ordered),
        "MIN": min(ordered),
        "MAX": max(ordered),
        "SUM": sum(ordered),
        "FIRST": ordered[0],
        "LAST": ordered[-1],
    }
    return f"{summaries[name]:g}" if name in summaries else None
