"""Latency as a share: a request is slow beyond a threshold of the stable side, fixed before the canary is looked at."""

from collections.abc import Mapping, Sequence
from typing import Final

from headgate.release.judgement import SLOW_SHARE

Buckets = Sequence[tuple[float, int]]
"""Lower edges in ms, ascending, with the requests of each bucket."""

LEARN_FROM: Final = 50  # requests of the stable side, before its percentiles mean anything


def thresholds_of(buckets: Buckets, compared: Sequence[str]) -> dict[str, float]:
    """The edge for each compared latency beyond which at most its share of the requests lies; {} for too few."""
    total = sum(count for _, count in buckets)
    if total < LEARN_FROM:
        return {}
    return {name: _edge(buckets, total * SLOW_SHARE[name]) for name in compared if name in SLOW_SHARE}


def slow(buckets: Buckets, thresholds: Mapping[str, float]) -> dict[str, int]:
    """How many requests lie beyond each threshold. One that is no bucket's edge counts from the next edge on."""
    return {name: sum(count for edge, count in buckets if edge >= at) for name, at in thresholds.items()}


def _edge(buckets: Buckets, most: float) -> float:
    beyond = 0
    above = buckets[-1][0] * 1.02  # beyond the last bucket, whatever its width: nothing
    for edge, count in reversed(buckets):
        if beyond + count > most:
            return above
        beyond += count
        above = edge
    return above
