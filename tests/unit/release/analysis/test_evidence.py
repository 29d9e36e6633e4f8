"""Evidence and verdicts; how often they are wrong is simulated in test_simulation.py."""

from math import isfinite, log
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from headgate.release.analysis.evidence import AnalysisSettings, Assessment, Evidence, Verdict, assess
from headgate.release.analysis.looks import ERROR_RATE, Counts, Look
from headgate.release.analysis.settings import stakes

from .builders import COMPARED, ERRORS, LIMITED, a_look, evidence_of

_EVERYTHING = AnalysisSettings(
    compare=(ERRORS, "errors-4xx", "throttles", "latency-p50", "latency-p99"),
    limits={ERRORS: 0.05, "limit:latency-p99": 0.01, "throttles": 0.0},
)


def _assess(*looks: Look, settings: AnalysisSettings = COMPARED, horizon_reached: bool = False) -> Assessment:
    return assess(evidence_of(*looks, settings=settings), settings, horizon_reached=horizon_reached)


def test_four_times_the_errors_fail() -> None:
    found = _assess(*[a_look(base=(3, 540), canary=(2, 60))] * 12)

    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("errors-5xx: 6 times as frequent on the canary (99 % interval 2 to 17), evidence ")
    assert found.peak >= found.threshold == 100


def test_equal_errors_pass_once_the_margin_is_refuted() -> None:
    look = a_look(base=(27, 5400), canary=(3, 600))

    assert _assess(*[look] * 2).verdict is Verdict.INCONCLUSIVE
    assert _assess(*[look] * 6).verdict is Verdict.PASS


def test_no_error_at_all_passes_once_more_than_the_negligible_is_refuted() -> None:
    look = a_look(base=(0, 900), canary=(0, 100))

    assert _assess(*[look] * 6).verdict is Verdict.INCONCLUSIVE
    found = _assess(*[look] * 10)
    assert found.verdict is Verdict.PASS
    assert found.reason == (
        "errors-5xx: less than 2 times as frequent, or below 0.5 %, after 1,000 requests on the canary"
    )


def test_all_that_is_compared_must_pass() -> None:
    settings = AnalysisSettings(compare=(ERRORS, "throttles"))
    look = a_look(base=(0, 900), canary=(0, 100), more={"throttles": (9, 1)})

    found = _assess(*[look] * 10, settings=settings)

    assert [(each.name, each.verdict) for each in found.metrics if each.kind == "compare"] == [
        (ERRORS, Verdict.PASS),
        ("throttles", Verdict.INCONCLUSIVE),
    ]
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("throttles: 1 times as frequent")


def test_a_metric_that_nobody_counted_does_not_pass() -> None:
    settings = AnalysisSettings(compare=(ERRORS, "latency-p99"))

    found = _assess(*[a_look(base=(0, 900), canary=(0, 100))] * 10, settings=settings, horizon_reached=True)

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "latency-p99 was not counted on both sides"


@pytest.mark.parametrize("base", [(0, 49), (0, 5000)], ids=["on both sides", "on the canary"])
def test_too_few_requests_are_no_data_at_the_horizon_and_not_before(base: tuple[int, int]) -> None:
    look = a_look(base=base, canary=(0, 49), percent=50)

    assert _assess(look).verdict is Verdict.INCONCLUSIVE
    found = _assess(look, horizon_reached=True)
    assert found.verdict is Verdict.NO_DATA
    assert found.reason.startswith("49 requests on the ")


def test_without_a_comparison_the_horizon_passes_what_kept_its_limits() -> None:
    look = a_look(canary=(1, 60), percent=100)

    assert _assess(look, settings=LIMITED).verdict is Verdict.INCONCLUSIVE
    assert _assess(look, settings=LIMITED, horizon_reached=True).verdict is Verdict.PASS
    assert _assess(a_look(canary=(0, 20)), settings=LIMITED, horizon_reached=True).verdict is Verdict.NO_DATA


def test_what_is_seen_above_its_limit_does_not_pass_on_weak_evidence() -> None:
    found = _assess(a_look(canary=(4, 60), percent=100), settings=LIMITED, horizon_reached=True)

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == (
        "errors-5xx: 6.67 % on the canary, limit 5 % "
        "(99 % interval 0.297 % to 32.1 %), with too little evidence to fail"
    )


def test_beyond_a_limit_fails_though_the_stable_side_is_as_bad() -> None:
    found = _assess(*[a_look(base=(54, 540), canary=(12, 60))] * 5, settings=LIMITED)

    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("errors-5xx: 20 % on the canary, limit 5 % (99 % interval 12.5 % to 29.2 %), evid")


def test_beyond_a_latency_limit_too_many_are_slower() -> None:
    settings = AnalysisSettings(limits={"limit:latency-p99": 0.01})

    found = _assess(*[a_look(canary=(6, 60), metric="limit:latency-p99", percent=100)] * 3, settings=settings)

    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith(
        "latency-p99: 10 % of the canary's requests are slower than the limit, 1 % may be (99 % interval "
    )


def test_a_failure_stays_one_under_other_settings() -> None:
    evidence = evidence_of(*[a_look(base=(3, 540), canary=(3, 60))] * 4)

    found = assess(evidence, AnalysisSettings(compare=("throttles",)), horizon_reached=False)

    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("evidence ")


def test_a_limit_of_nothing_is_exceeded_by_one() -> None:
    settings = AnalysisSettings(limits={"throttles": 0.0})

    assert _assess(a_look(canary=(0, 900), metric="throttles"), settings=settings).peak == pytest.approx(1.0)
    assert _assess(a_look(canary=(1, 900), metric="throttles"), settings=settings).verdict is Verdict.FAIL


def test_a_canary_of_which_every_request_fails_trips_the_hard_guard_after_few() -> None:
    blue_green = AnalysisSettings()

    looks = [a_look(canary=(1, 1), percent=100)] * 8

    assert _assess(*looks[:2], settings=blue_green).verdict is Verdict.INCONCLUSIVE
    assert _assess(*looks, settings=blue_green).verdict is Verdict.FAIL


def test_an_outage_of_both_sides_does_not_trip_the_hard_guard() -> None:
    outage = a_look(base=(200, 540), canary=(22, 60))

    found = _assess(*[outage] * 40)

    assert found.verdict is not Verdict.FAIL
    assert found.metrics[-1].kind == "guard"
    assert found.metrics[-1].canary_units == 0


def test_the_hard_guard_trips_where_the_stable_side_is_well_or_too_small_to_tell() -> None:
    settings = AnalysisSettings()

    assert _assess(*[a_look(base=(0, 540), canary=(30, 60))] * 3, settings=settings).verdict is Verdict.FAIL
    assert _assess(*[a_look(base=(9, 9), canary=(30, 60))] * 3, settings=settings).verdict is Verdict.FAIL


def test_a_failure_after_long_good_traffic_is_found_as_fast_as_at_the_start() -> None:
    good, bad = a_look(canary=(0, 3000), percent=100), a_look(canary=(1500, 3000), percent=100)

    assert _assess(bad, settings=LIMITED).verdict is Verdict.FAIL
    assert _assess(*[good] * 200, bad, settings=LIMITED).verdict is Verdict.FAIL


def test_an_outage_of_both_sides_does_not_pass_what_is_worse_besides() -> None:
    worse = a_look(base=(3, 540), canary=(1, 60))
    outage = a_look(base=(180, 540), canary=(20, 60))

    assert _assess(*[worse] * 3, *[outage] * 10, *[worse] * 3).verdict is Verdict.INCONCLUSIVE
    assert _assess(*[outage] * 3, *[worse] * 3).verdict is Verdict.INCONCLUSIVE


def test_more_errors_than_before_become_usual_in_time() -> None:
    before, since = a_look(base=(9, 5400), canary=(1, 600)), a_look(base=(540, 5400), canary=(60, 600))

    assert _assess(*[before] * 2, *[since] * 2).verdict is Verdict.INCONCLUSIVE
    assert _assess(*[before] * 2, *[since] * 30).verdict is Verdict.PASS


def _sticky_look(base: tuple[int, int, int, int], canary: tuple[int, int, int, int]) -> Look:
    """New callers, those who failed for the first time, those whose first request failed, and those at risk."""
    sides = [
        Counts(requests=new, bad={ERRORS: failed, ERROR_RATE: first}, of={ERRORS: at_risk})
        for new, failed, first, at_risk in (base, canary)
    ]
    return Look(since=0.0, until=30.0, percent=10.0, base=sides[0], canary=sides[1], is_sticky=True)


def test_an_outage_for_all_callers_does_not_pass_what_is_worse_besides() -> None:
    worse = _sticky_look(base=(900, 5, 5, 58_000), canary=(100, 1, 1, 6500))
    outage = _sticky_look(base=(900, 700, 300, 58_000), canary=(100, 77, 33, 6500))

    assert _assess(*[worse] * 3, *[outage] * 3).verdict is Verdict.INCONCLUSIVE
    assert _assess(outage, *[worse] * 3).verdict is Verdict.INCONCLUSIVE


def test_callers_who_have_not_failed_yet_are_no_measure_of_a_share() -> None:
    look = _sticky_look(base=(900, 9, 9, 58_000), canary=(100, 1, 2, 6500))

    found = _assess(*[look] * 9)

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.metrics[0].canary_share == pytest.approx(0.02)
    assert found.metrics[0].ratio == pytest.approx(58 / 65 * 10 / 9, rel=0.02)


def test_requests_not_split_as_configured_hold_a_pass_back() -> None:
    right, wrong = a_look(base=(0, 900), canary=(0, 100)), a_look(base=(0, 900), canary=(0, 200))

    assert _assess(*[right] * 20).sample_ratio_p == 1.0
    found = _assess(*[wrong] * 20, horizon_reached=True)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("requests are not split as configured: 4,000 of 22,000 reached the canary (p ")


def test_a_weight_that_took_a_while_to_arrive_is_forgiven() -> None:
    not_yet, right = a_look(base=(0, 1000), canary=(0, 0)), a_look(base=(0, 900), canary=(0, 100))

    assert _assess(not_yet, *[right] * 2).sample_ratio_p < 0.01
    assert _assess(not_yet, *[right] * 20).verdict is Verdict.PASS


def test_sessions_say_nothing_of_the_split() -> None:
    assert _assess(*[a_look(base=(0, 900), canary=(0, 200), is_sticky=True)] * 20).verdict is Verdict.PASS


def test_families_share_the_wealth_equally_and_their_members_within() -> None:
    weights = {(each.kind, each.metric): each.weight for each in stakes(_EVERYTHING)}

    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["compare", ERRORS] == pytest.approx(0.8 / 3 / 2)
    assert weights["compare", "throttles"] == pytest.approx(0.8 / 3)
    assert weights["compare", "latency-p50"] == pytest.approx(0.8 / 3 / 2)
    assert weights["limit", ERRORS] == pytest.approx(0.1 / 3)
    assert weights["guard", ERRORS] == pytest.approx(0.1)
    assert [each.weight for each in stakes(AnalysisSettings())] == [1.0]
    assert list(stakes(AnalysisSettings(hard_guard=1.0))) == []


def test_where_nothing_is_asked_nothing_fails() -> None:
    nothing = AnalysisSettings(hard_guard=1.0)

    assert _assess(a_look(canary=(60, 60), percent=100), settings=nothing, horizon_reached=True).verdict is Verdict.PASS


_BRIEFLY: Final = trying(max_examples=40, deadline=None)


def test_what_has_failed_stays_so_though_all_is_well_since() -> None:
    failing, well = a_look(base=(3, 540), canary=(3, 60)), a_look(base=(3, 540), canary=(0, 60))
    evidence = evidence_of(*[failing] * 4, *[well] * 200)

    assert evidence.e_value < 1
    assert assess(evidence, COMPARED, horizon_reached=True).verdict is Verdict.FAIL


# Anything that can be counted, zero and impossible numbers included.
_COUNTS = st.builds(
    Counts,
    requests=st.integers(0, 5000) | st.just(10**9),
    bad=st.dictionaries(st.sampled_from([*_EVERYTHING.compare, *_EVERYTHING.limits]), st.integers(0, 6000)),
    of=st.dictionaries(st.sampled_from(_EVERYTHING.compare), st.integers(0, 5000), max_size=2),
)
_LOOKS = st.builds(
    Look,
    since=st.just(0.0),
    until=st.just(30.0),
    percent=st.sampled_from([0.0, 0.01, 10.0, 50.0, 99.0, 100.0]),
    base=_COUNTS,
    canary=_COUNTS,
    is_sticky=st.booleans(),
)


@_BRIEFLY
@given(st.lists(_LOOKS, max_size=4), st.booleans())
def test_whatever_was_counted_there_is_a_verdict_in_numbers(looks: list[Look], horizon_reached: bool) -> None:
    found = _assess(*looks, settings=_EVERYTHING, horizon_reached=horizon_reached)

    assert found.reason
    assert all(isfinite(value) for value in _numbers(msgspec.to_builtins(found)))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Assessment) == found


@_BRIEFLY
@given(st.lists(_LOOKS, max_size=4))
def test_what_has_failed_has_failed_for_good(looks: list[Look]) -> None:
    evidence, has_failed = Evidence(), False
    for look in looks:
        evidence = evidence.after(look, _EVERYTHING)
        fails = assess(evidence, _EVERYTHING, horizon_reached=False).verdict is Verdict.FAIL

        assert fails or not has_failed
        has_failed = fails


@_BRIEFLY
@given(st.lists(_LOOKS, min_size=1, max_size=3))
def test_evidence_survives_its_journal(looks: list[Look]) -> None:
    restored = [msgspec.json.decode(msgspec.json.encode(each), type=Look) for each in looks]

    assert evidence_of(*restored, settings=_EVERYTHING) == evidence_of(*looks, settings=_EVERYTHING)


_HALVES = st.tuples(st.integers(0, 5), st.integers(30, 500), st.integers(0, 20), st.integers(20, 100))


@_BRIEFLY
@given(st.lists(_HALVES, min_size=1, max_size=5))
def test_a_look_in_two_equal_parts_says_the_same(halves: list[tuple[int, int, int, int]]) -> None:
    parts = [a_look(base=(a, b), canary=(c, d)) for a, b, c, d in halves for _ in range(2)]
    wholes = [a_look(base=(2 * a, 2 * b), canary=(2 * c, 2 * d)) for a, b, c, d in halves]

    in_parts, whole = evidence_of(*parts), evidence_of(*wholes)

    (a,), (b,) = in_parts.comparisons.values(), whole.comparisons.values()
    assert (a.base, a.canary) == (b.base, b.canary)
    assert a.likelihood == pytest.approx(b.likelihood, abs=1e-6)
    assert a.of_margin == pytest.approx(b.of_margin, abs=1e-6)
    # More looks are more times to stake at; what is staked at the start is three quarters either way.
    assert log(a.process.value) == pytest.approx(log(b.process.value), abs=log(4) + 1e-6)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return _numbers(list(value.values()))
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, int | float) else []
