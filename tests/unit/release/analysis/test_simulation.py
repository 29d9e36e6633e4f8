"""How often the analysis is wrong, and how soon it is right, on simulated releases: `make simulate` in brief.

The draws are seeded, so the shares are the same in each run; docs/statistics.md has the table of many more releases.
"""

from typing import Final

import pytest
from tools.simulate import SCENARIOS, Result, Scenario, simulate

_SCENARIOS: Final = {each.name: each for each in SCENARIOS}
_DRIFT: Final = "good, while errors drift and the backend is out for 90 s"


def _simulated(name: str, runs: int = 15) -> Result:
    return simulate(_SCENARIOS[name], runs)


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("good: 20 requests/s, 0.5 % fail", 0.8),
        ("good: 0.5 requests/s, 1 % fail", 0.0),
        ("good: 20 requests/s, none fails", 1.0),
        (_DRIFT, 0.8),
        ("good, sticky callers, counted by caller", 0.0),
        ("good latency that drifts on both sides", 0.95),
    ],
)
def test_a_good_release_is_hardly_ever_rolled_back_and_passes_where_there_is_traffic(name: str, passed: float) -> None:
    found = _simulated(name)

    assert found.by["0.05"].failed <= 0.05
    assert found.by["0.01"].failed == 0
    assert found.passed >= passed


@pytest.mark.parametrize(
    ("name", "failed", "look"),
    [
        ("2 times", 0.75, 40),
        ("3 times", 1.0, 22),
        ("4 times", 1.0, 13),
        ("10 times", 1.0, 3),
        ("5 times, from look 41 on", 1.0, 48),
        ("half of the requests fail, 0.5 requests/s", 1.0, 9),
        ("3 times, while errors drift and the backend is out", 1.0, 28),
        ("3 times as many troubled callers, counted by caller", 1.0, 40),
        ("all requests 1.25 times slower", 1.0, 6),
        ("2 % of the requests 1 s slower", 1.0, 18),
    ],
)
def test_a_bad_release_is_rolled_back_in_time(name: str, failed: float, look: float) -> None:
    found = _simulated(name, runs=7).by["0.01"]

    assert found.failed >= failed
    assert found.look is not None
    assert found.look <= look


def test_what_is_twice_as_bad_is_hardly_ever_passed() -> None:
    assert _simulated("2 times", runs=20).passed <= 0.05


def test_rules_that_look_without_a_correction_reject_good_releases() -> None:
    found = _simulated(_DRIFT, runs=8)

    assert found.by["z"].failed > 0.5
    assert found.by["flagger"].failed > 0.9
    assert found.by["argo"].failed > 0.9


def test_sticky_callers_counted_by_request_are_mistaken_for_many() -> None:
    assert _simulated("good, sticky callers, counted by request", runs=20).by["0.05"].failed > 0.1


def test_a_scenario_is_played_alike_each_time() -> None:
    scenario: Scenario = _SCENARIOS["3 times"]

    assert simulate(scenario, 3) == simulate(scenario, 3)
    assert simulate(scenario, 3) != simulate(scenario, 3, seed=8)
