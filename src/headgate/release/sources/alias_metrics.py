"""An alias's calls by the version that ran them: CloudWatch's AWS/Lambda metrics, on Headgate and on AWS alike.

Each function is a stratum of its own: its look stands beside the others', and their counts are never added up.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from headgate.model.release import Release
from headgate.release.analysis.looks import Counts, Look
from headgate.release.drift import alias_key
from headgate.release.drivers.calls import Clients, calling
from headgate.release.judgement import SLOW_SHARE, latency_limits
from headgate.release.rollout import Track
from headgate.release.sources.latency import LEARN_FROM
from headgate.release.sources.source import Seen, Traffic, traffic_of

_BEFORE_S: Final = 900
_AWS_PERIOD_S: Final = 60
_AWS_LAG_S: Final = 120.0  # after which a minute of Lambda's metrics is complete


class AliasMetrics:
    """See `source.Source`."""

    def __init__(self, release: Release, clients: Clients, interval_s: float) -> None:
        self._release = release
        self._clients = clients
        self._period_s = 1 if clients.is_headgate else _AWS_PERIOD_S
        self.grain_s: Final = float(self._period_s)
        self.interval_s: Final = max(interval_s, float(self._period_s))
        self.lag_s: Final = float(release.analysis.lag) or (2.0 if clients.is_headgate else _AWS_LAG_S)
        self._compared = [name for name in release.analysis.compare if name in SLOW_SHARE]
        self._limits = latency_limits(release)

    def problems(self) -> list[str]:
        return [
            f"{name} is not counted by version of a function; compare errors-5xx and latencies"
            for name in self._release.analysis.compare
            if name not in {"errors-5xx", *SLOW_SHARE}
        ]

    def thresholds(self, now: float) -> Mapping[str, float]:
        found = {}
        for function in self._release.change.functions:
            dimensions = {"FunctionName": function, "Resource": self._key(function)}
            stats = {name: f"p{name.removeprefix('latency-p')}" for name in self._compared}
            values = self._sums(
                [("count", "Invocations", "Sum", dimensions)]
                + [(name, "Duration", stat, dimensions) for name, stat in stats.items()],
                now - _BEFORE_S,
                now,
                period_s=_BEFORE_S,
            )
            if values["count"] >= LEARN_FROM:
                found.update({f"{function}/{name}": values[name] for name in stats})
        return found

    def traffic(self, now: float) -> Traffic:
        counts = []
        for function in self._release.change.functions:
            dimensions = {"FunctionName": function, "Resource": self._key(function)}
            asked = [("requests", "Invocations", "Sum", dimensions), ("errors-5xx", "Errors", "Sum", dimensions)]
            sums = self._sums(asked, now - _BEFORE_S, now)
            counts.append(Counts(requests=round(sums["requests"]), bad={"errors-5xx": round(sums["errors-5xx"])}))
        return traffic_of(counts, _BEFORE_S)

    def looks(self, track: Track, since: float, until: float) -> Seen:
        looks = []
        for function, version in track.versions.items():
            before = track.before
            old = before.aliases.get(self._key(function)) if before is not None else None
            thresholds = self._thresholds(track, function)
            canary = self._counts(function, version, thresholds, since, until)
            base = Counts()
            if old is not None and old.version != version and not track.promoted:
                base = self._counts(function, old.version, thresholds, since, until)
            looks.append(Look(since=since, until=until, percent=track.percent or 0.0, base=base, canary=canary))
        return Seen(looks=tuple(looks))

    def _key(self, function: str) -> str:
        return alias_key(function, self._release.change.functions[function].alias)

    def _thresholds(self, track: Track, function: str) -> dict[str, float]:
        known = track.before.thresholds if track.before is not None else {}
        mine = {name.partition("/")[2]: at for name, at in known.items() if name.startswith(f"{function}/")}
        return {**mine, **self._limits}

    def _counts(
        self, function: str, version: str, thresholds: Mapping[str, float], since: float, until: float
    ) -> Counts:
        dimensions = {"FunctionName": function, "Resource": self._key(function), "ExecutedVersion": version}
        asked = [
            ("requests", "Invocations", "Sum", dimensions),
            ("errors-5xx", "Errors", "Sum", dimensions),
            *((name, "Duration", f"TC({at:g}:)", dimensions) for name, at in thresholds.items()),
        ]
        found = self._sums(asked, since, until)
        return Counts(
            requests=round(found["requests"]),
            bad={name: round(found[name]) for name, *_ in asked if name != "requests"},
        )

    def _sums(
        self,
        asked: list[tuple[str, str, str, dict[str, str]]],
        since: float,
        until: float,
        period_s: int | None = None,
    ) -> dict[str, float]:
        """The sum over the stretch of each (name, metric, statistic, dimensions)."""
        period = period_s or self._period_s
        # A period that lies half outside would count what is of another weight.
        begin = -(-int(since) // period) * period if period_s is None else int(since)
        end = int(until) // period * period if period_s is None else int(until)
        sums = {name: 0.0 for name, *_ in asked}
        if end <= begin:
            return sums
        queries: list[Any] = [
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": metric,
                        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                    },
                    "Period": period,
                    "Stat": statistic,
                },
            }
            for number, (_, metric, statistic, dimensions) in enumerate(asked)
        ]
        for result in self._results(queries, begin, end):
            name = asked[int(result["Id"][1:])][0]
            values = result["Values"]
            sums[name] = (
                max(values, default=0.0) if period_s is not None and name != "count" else sums[name] + sum(values)
            )
        return sums

    def _results(self, queries: list[Any], begin: int, end: int) -> Iterator[Any]:
        with calling("reading the metrics of the functions"):
            pages = (
                self._clients.client("cloudwatch")
                .get_paginator("get_metric_data")
                .paginate(
                    MetricDataQueries=queries,
                    StartTime=datetime.fromtimestamp(begin, UTC),
                    EndTime=datetime.fromtimestamp(end, UTC),
                )
            )
            for page in pages:
                yield from page["MetricDataResults"]
