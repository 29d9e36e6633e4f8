"""What a plan promises is what simulated releases then do."""

from math import log
from pathlib import Path
from statistics import quantiles

import numpy as np
import pytest
from tools.simulate import LOOK_S, Scenario, play, steady

from headgate.release.analysis.evidence import AnalysisSettings
from headgate.release.analysis.planning import Exposure, Outlook, outlook

from .builders import COMPARED, ERRORS

_STATISTICS = Path(__file__).parents[4] / "docs" / "statistics.md"
_RAMP = [Exposure(percent=percent, seconds=600.0) for percent in (10, 25, 50)]


def _outlook(requests_per_s: float = 20.0, base_share: float = 0.005, alpha: float = 0.05) -> Outlook:
    return outlook(ERRORS, requests_per_s, base_share, _RAMP, AnalysisSettings(alpha=alpha, compare=(ERRORS,)))


def _errors_needed(weight: float, ratio: float, alpha: float) -> float:
    """Bad units of both sides that show a ratio to somebody who knows it: log(1/alpha) over the divergence of where
    they fall from where they would."""
    expected = weight * ratio / (1 - weight + weight * ratio)
    divergence = expected * log(expected / weight) + (1 - expected) * log((1 - expected) / (1 - weight))
    return log(1 / alpha) / divergence


@pytest.mark.parametrize("weight", [1, 5, 10, 25, 50])
def test_the_errors_that_a_rise_needs_to_be_seen_are_those_of_the_documented_table(weight: int) -> None:
    needed = [round(_errors_needed(weight / 100, ratio, 0.05)) for ratio in (1.5, 2, 3, 5, 10)]

    assert f"| {weight} % | {' | '.join(map(str, needed))} |" in _STATISTICS.read_text(encoding="utf-8")


def test_nine_of_ten_simulated_rises_are_seen_by_when_the_plan_says() -> None:
    planned = _outlook()
    chance, scenario = np.random.default_rng(7), Scenario("", steady(3, 0.005), is_good=False)

    seen = [play(scenario, chance).failed_at["0.05"] * LOOK_S for _ in range(40)]

    assert planned.rise_after_s == pytest.approx(quantiles(seen, n=10)[8], rel=0.2)


def test_the_least_rise_of_the_plan_is_seen_in_nine_of_ten_simulated_releases() -> None:
    planned = _outlook()
    assert planned.least_ratio is not None
    chance, scenario = np.random.default_rng(7), Scenario("", steady(planned.least_ratio, 0.005), is_good=False)

    seen = ["0.05" in play(scenario, chance).failed_at for _ in range(20)]

    assert 0.8 <= sum(seen) / len(seen) <= 1.0


def test_more_traffic_sees_smaller_rises_sooner() -> None:
    little, much = _outlook(requests_per_s=20), _outlook(requests_per_s=200)

    assert little.least_ratio is not None
    assert much.least_ratio is not None
    assert 1 < much.least_ratio < little.least_ratio
    assert little.rise_after_s is not None
    assert much.rise_after_s is not None
    assert much.rise_after_s < little.rise_after_s / 4
    assert little.pass_after_s is not None
    assert much.pass_after_s is not None
    assert much.pass_after_s < little.pass_after_s


def test_an_outlook_reads_as_a_sentence() -> None:
    assert _outlook(alpha=0.05).sentence == (
        "errors-5xx, now 0.5 % of 20 requests/s: a 3-fold rise is seen within 13 min, and nothing below a 1.9-fold "
        "one (to 0.93 %); a good release passes within 27 min"
    )
    assert _outlook(requests_per_s=0.5, base_share=0.01, alpha=0.05).sentence == (
        "errors-5xx, now 1 % of 0.5 requests/s: no rise below a 6.9-fold one (to 6.9 %) can be seen; a good "
        "release has no verdict after 30 min"
    )


def test_what_half_of_the_requests_are_cannot_triple() -> None:
    slow = outlook("latency-p50", 20.0, 0.5, _RAMP, AnalysisSettings(compare=("latency-p50",)))

    assert slow.rise == 1.5
    assert slow.sentence.startswith("latency-p50, now 50 % of 20 requests/s: a 1.5-fold rise is seen within ")


def test_a_plan_without_a_second_side_sees_nothing() -> None:
    alone = outlook(ERRORS, 20.0, 0.005, [Exposure(percent=100, seconds=600)], COMPARED)

    assert (alone.least_ratio, alone.rise_after_s, alone.pass_after_s) == (None, None, None)
    assert "not even a 30-fold one" in alone.sentence
    assert outlook(ERRORS, 0.0, 0.0, _RAMP, COMPARED).least_ratio is None
    assert outlook(ERRORS, 20.0, 1.0, _RAMP, COMPARED).least_ratio is None
