"""A file's analysis section as the settings of the statistics."""

from typing import Final

from msgspec.structs import replace

from headgate.model.release import Duration, Percentage, Release
from headgate.release.analysis.evidence import AnalysisSettings
from headgate.release.analysis.looks import ERROR_RATE

SLOW_SHARE: Final = {"latency-p50": 0.5, "latency-p90": 0.1, "latency-p99": 0.01}  # of requests beyond a percentile


def limit_metric(name: str) -> str:
    """The metric that counts what fails a limit: a latency has a threshold of its own."""
    return ERROR_RATE if name == "error-rate" else f"limit:{name}" if name in SLOW_SHARE else name


def latency_limits(release: Release) -> dict[str, float]:
    """Thresholds in ms of the limits on latencies, by metric."""
    return {
        limit_metric(name): float(Duration.parse(value)) * 1000
        for name, value in release.analysis.limits.items()
        if name in SLOW_SHARE
    }


def settings_of(release: Release) -> AnalysisSettings:
    """Of the comparison of both sides, and of the fixed limits."""
    analysis = release.analysis
    return AnalysisSettings(
        alpha=analysis.alpha,
        beta=analysis.beta,
        margin=analysis.margin,
        compare=analysis.compare,
        limits={
            limit_metric(name): SLOW_SHARE.get(name) or float(Percentage.parse(value)) / 100
            for name, value in analysis.limits.items()
        },
        hard_guard=float(analysis.hard_guard) / 100,
        min_requests=analysis.min_requests,
        negligible=float(analysis.negligible) / 100,
    )


def settings_for(release: Release, *, is_alone: bool) -> AnalysisSettings:
    """`is_alone`: everybody gets the change, so there is nothing to compare it with."""
    alone = is_alone or release.strategy in {"blue-green", "all-at-once"}
    return watch_settings(release) if alone else settings_of(release)


def watch_settings(release: Release) -> AnalysisSettings:
    """Where there is nothing to compare with: the fixed limits alone."""
    return replace(settings_of(release), compare=())
