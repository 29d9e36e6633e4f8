"""Both sides' counts from access logs, where the gateway itself keeps none by side: on AWS.

The stage logs in JSON to a group of CloudWatch Logs; the canary's requests go to the same name with /Canary behind it
(aws-semantics 6.1). Which key holds what is read off the stage's own format.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from headgate.model.histogram import bucket_of, lower_edge
from headgate.model.release import Release
from headgate.release.analysis.looks import Counts, Look
from headgate.release.drivers.calls import Clients, calling
from headgate.release.failures import Refused
from headgate.release.judgement import SLOW_SHARE, latency_limits
from headgate.release.rollout import Track
from headgate.release.sources.latency import thresholds_of
from headgate.release.sources.source import Seen, Traffic, traffic_of

_BEFORE_S: Final = 900
_WANTED: Final = {"status": "$context.status", "latency": "$context.responseLatency"}
_FORMAT: Final = (
    '{"requestId":"$context.requestId","status":"$context.status","latency":"$context.responseLatency",'
    '"canary":"$context.isCanaryRequest"}'
)


class Line(NamedTuple):
    """One request, as an access log has it."""

    status: int
    latency_ms: float


class AccessLogs:
    """See `source.Source`. `settings` is the stage's accessLogSettings as they are now."""

    def __init__(
        self, release: Release, clients: Clients, settings: Callable[[], Mapping[str, str]], interval_s: float
    ) -> None:
        self._release = release
        self._clients = clients
        self._settings = settings
        # Until CloudWatch Logs has it all.
        self.lag_s: Final = float(release.analysis.lag) or (3.0 if clients.is_headgate else 60.0)
        self.grain_s: Final = 1.0
        self.interval_s: Final = interval_s if clients.is_headgate else max(interval_s, 30.0)
        self._compared = [name for name in release.analysis.compare if name in SLOW_SHARE]
        self._limits = latency_limits(release)
        self._place: tuple[str, dict[str, str]] | None = None  # group, and the keys of what is wanted

    def problems(self) -> list[str]:
        try:
            self._where()
        except Refused as error:
            return [str(error)]
        return []

    def thresholds(self, now: float) -> Mapping[str, float]:
        buckets: dict[float, int] = {}
        for line in self._lines(is_canary=False, since=now - _BEFORE_S, until=now):
            edge = lower_edge(bucket_of(line.latency_ms)) if line.latency_ms > 0 else 0.0
            buckets[edge] = buckets.get(edge, 0) + 1
        return thresholds_of(sorted(buckets.items()), self._compared)

    def traffic(self, now: float) -> Traffic:
        lines = list(self._lines(is_canary=False, since=now - _BEFORE_S, until=now))
        return traffic_of([_counts(lines, {})], _BEFORE_S)

    def looks(self, track: Track, since: float, until: float) -> Seen:
        thresholds = {**(track.before.thresholds if track.before is not None else {}), **self._limits}
        base, canary = (
            _counts(list(self._lines(is_canary=is_canary, since=since, until=until)), thresholds)
            for is_canary in (False, True)
        )
        if track.promoted:
            base, canary = Counts(), base
        look = Look(since=since, until=until, percent=track.percent or 0.0, base=base, canary=canary)
        return Seen(looks=(look,))

    def _lines(self, *, is_canary: bool, since: float, until: float) -> Iterator[Line]:
        group, keys = self._where()
        client = self._clients.client("logs")
        with calling(f"reading log group {group}"):
            try:
                pages = client.get_paginator("filter_log_events").paginate(
                    logGroupName=f"{group}/Canary" if is_canary else group,
                    startTime=round(since * 1000),
                    endTime=round(until * 1000) - 1,  # the end belongs to the next look
                )
                for page in pages:
                    for event in page["events"]:
                        line = _line(event["message"], keys)
                        if line is not None:
                            yield line
            except client.exceptions.ResourceNotFoundException:
                return  # nothing was logged there yet

    def _where(self) -> tuple[str, dict[str, str]]:
        if self._place is None:
            settings = self._settings()
            group = re.fullmatch(
                r"arn:[\w-]+:logs:[^:]*:[^:]*:log-group:([^:]+)(?::\*)?", settings.get("destinationArn", "")
            )
            keys = keys_of(settings.get("format", ""))
            if group is None or set(keys) != set(_WANTED):
                raise Refused(
                    f"the requests of each side are counted from the access log, and stage {self._release.stage} has "
                    f"none in JSON with its status and latency: give it a log group's ARN, and the format {_FORMAT}"
                )
            self._place = group[1], keys
        return self._place


def keys_of(log_format: str) -> dict[str, str]:
    """Which key of a JSON format holds what is wanted; what it lacks is left out."""
    try:
        fields = json.loads(re.sub(r'(?<!")(\$context\.[\w.]+)(?!")', r'"\1"', log_format))
    except ValueError:
        return {}
    if not isinstance(fields, dict):
        return {}
    return {name: key for name, variable in _WANTED.items() for key, value in fields.items() if value == variable}


def _line(message: str, keys: Mapping[str, str]) -> Line | None:
    """None for what is no line of the format: one that was logged before the format was set, say."""
    try:
        fields: Any = json.loads(message)
        return Line(int(fields[keys["status"]]), float(fields[keys["latency"]]))
    except (ValueError, KeyError, TypeError):
        return None


def _counts(lines: Sequence[Line], thresholds: Mapping[str, float]) -> Counts:
    return Counts(
        requests=len(lines),
        bad={
            "errors-5xx": sum(line.status >= 500 for line in lines),
            "errors-4xx": sum(400 <= line.status < 500 for line in lines),
            "throttles": sum(line.status == 429 for line in lines),
            **{name: sum(line.latency_ms >= at for line in lines) for name, at in thresholds.items()},
        },
    )
