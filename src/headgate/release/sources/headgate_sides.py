"""Headgate's own counts of both sides, cut at each change of a weight: `/_headgate/stages/{api}/{stage}/sides`."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from headgate.model.release import Release
from headgate.release.analysis.looks import ERROR_RATE, Counts, Look
from headgate.release.failures import Refused, Unavailable
from headgate.release.judgement import latency_limits
from headgate.release.rollout import Track
from headgate.release.sources.latency import Buckets, slow, thresholds_of
from headgate.release.sources.source import Seen, Traffic, traffic_of

_BEFORE_S: Final = 900  # of traffic that the thresholds are taken from
_MOST_S: Final = 1400  # asked for at once


class HeadgateSides:
    """See `source.Source`."""

    grain_s: Final = 1.0

    def __init__(self, release: Release, endpoint_url: str, api_id: Callable[[], str], interval_s: float) -> None:
        self.interval_s: Final = interval_s
        self.lag_s: Final = float(release.analysis.lag) or 2.0  # a flush each second, and one to be sure
        self._skew_s: int | None = None  # by which the server's clock is ahead of this one
        self._release = release
        self._endpoint_url = endpoint_url
        self._api_id = api_id
        self._compared = [name for name in release.analysis.compare if name.startswith("latency")]
        self._limits = latency_limits(release)

    def problems(self) -> list[str]:
        return []

    def thresholds(self, now: float) -> Mapping[str, float]:
        buckets: dict[float, int] = {}
        for interval in self._intervals(now - _BEFORE_S, now):
            for edge, count in _buckets(interval["base"]):
                buckets[edge] = buckets.get(edge, 0) + count
        return thresholds_of(sorted(buckets.items()), self._compared)

    def traffic(self, now: float) -> Traffic:
        intervals = self._intervals(now - _BEFORE_S, now)
        since = max(now - _BEFORE_S, min((each["began"] for each in intervals), default=now - _BEFORE_S))
        return traffic_of([_counts(each["base"], {}) for each in intervals], max(1.0, now - since))

    def looks(self, track: Track, since: float, until: float) -> Seen:
        looks: list[Look] = []
        learned: dict[str, float] = {}
        while since < until:
            end = min(until, since + _MOST_S)
            for interval in self._intervals(since, end):
                if self._is_ours(interval, track):
                    look, new = self._look(interval, track, since, end)
                    looks.append(look)
                    learned |= new
            since = end
        return Seen(looks=tuple(looks), thresholds=learned, differences=self._differences(track))

    def _differences(self, track: Track) -> tuple[str, ...]:
        mirror = self._release.mirror
        if mirror is None or not mirror.compare or track.promoted:
            return ()
        try:
            report = fetch_json(self._page("mirror"))
        except Refused:  # nothing has been mirrored yet
            return ()
        return tuple(each["path"] for each in report["fields"] if each["isDifferent"])

    def _is_ours(self, interval: Mapping[str, Any], track: Track) -> bool:
        """Whether this was the release's doing: its deployments and its weight, and nobody else's."""
        before = track.before.deployment_id if track.before is not None else None
        change = track.deployment_id or before
        if track.promoted:
            return str(interval["deploymentId"]) == change
        seen = (interval["deploymentId"], interval["canaryDeploymentId"], interval["percentTraffic"])
        return seen == (before, change, track.percent)

    def _look(
        self, interval: Mapping[str, Any], track: Track, since: float, until: float
    ) -> tuple[Look, dict[str, float]]:
        known = {**(track.before.thresholds if track.before is not None else {}), **self._limits}
        learned: dict[str, float] = {}
        if not track.promoted and not set(self._compared) <= set(known):
            # They count from the next look on: a threshold must not be chosen by what it is held against.
            learned = thresholds_of(_buckets(interval["base"]), self._compared)
        base, canary = (_counts(interval[side], known) for side in ("base", "canary"))
        sticky = "sessions" in interval["base"]
        if track.promoted:  # everybody gets the change, and there is nothing beside it
            base, canary = Counts(), base
        return (
            Look(since=since, until=until, percent=track.percent or 0.0, base=base, canary=canary, is_sticky=sticky),
            learned,
        )

    def _intervals(self, since: float, until: float) -> Sequence[Mapping[str, Any]]:
        skew_s = self._skew()
        times = {"since": int(since) + skew_s, "until": int(until) + skew_s}
        answer = fetch_json(f"{self._page('sides')}?{urlencode({**times, 'step': 1, 'looks': 'no'})}")
        intervals: Sequence[Mapping[str, Any]] = answer["intervals"]
        return intervals

    def _skew(self) -> int:
        """The counts are stamped by the server's clock. Learned once: a look must begin where the last one ended."""
        if self._skew_s is None:
            now = time.time()
            there = float(
                fetch_json(f"{self._page('sides')}?{urlencode({'since': int(now), 'until': int(now)})}")["now"]
            )
            self._skew_s = round(there - now)
        return self._skew_s

    def _page(self, name: str) -> str:
        stage = quote(self._release.stage or "", "")
        return f"{self._endpoint_url}/_headgate/stages/{quote(self._api_id(), '')}/{stage}/{name}"


def fetch_json(url: str) -> Any:
    """Raises Refused and Unavailable."""
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            told = error.read(500).decode("utf-8", "replace")
        kind = Unavailable if error.code >= 500 else Refused
        raise kind(f"{url} answers {error.code}: {told}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unavailable(f"{url} does not answer: {error}") from error


def _counts(side: Mapping[str, Any], thresholds: Mapping[str, float]) -> Counts:
    """One side's counts, by the unit that was drawn for: the caller where the sides are sticky, else the request."""
    sessions = side.get("sessions")
    if sessions is not None:
        # See `dataplane.sessions`: failures for the first time, of all that may still fail; and first requests.
        first = _buckets(sessions)
        return Counts(
            requests=sum(count for _, count in first),
            bad={
                "errors-5xx": sessions["failed"],
                ERROR_RATE: sessions["firstFailed"],
                **slow(first, thresholds),
            },
            of={"errors-5xx": sessions["count"]},
        )
    return Counts(
        requests=side["count"],
        bad={
            "errors-5xx": side["5XX"],
            "errors-4xx": side["4XX"],
            "throttles": side["throttles"],
            **slow(_buckets(side), thresholds),
        },
    )


def _buckets(counts: Mapping[str, Any]) -> Buckets:
    latency = counts.get("latencyMs")
    return [(float(edge), int(count)) for edge, count in latency["buckets"]] if latency else []
