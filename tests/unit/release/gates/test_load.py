"""What the figures of a load mean."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.model.histogram import buckets_of
from headgate.model.release import Duration, LoadGate, Percentage
from headgate.release.failures import Refused, Unavailable
from headgate.release.gates.load import judge
from headgate.release.gates.load_generator import Spread, Tally, spread

GATE = LoadGate(rps=50, for_=Duration(20), p99=Duration(0.3), errors=Percentage(1))
ON_TIME = Spread(p50=0.5, p90=1.0, p99=1.5, most=2.0)


def a_tally(
    by_class: Mapping[str, int] | None = None,
    *,
    unanswered: int = 0,
    broken: int = 0,
    not_started: int = 0,
    p99: float = 100.0,
    late: Spread = ON_TIME,
) -> Tally:
    return Tally(
        requests=1000,
        by_class=by_class if by_class is not None else {"2XX": 1000},
        unanswered=unanswered,
        broken=broken,
        not_started=not_started,
        latency=Spread(p50=10.0, p90=20.0, p99=p99, most=1200.0),
        late=late,
    )


def test_a_pass_has_all_figures() -> None:
    assert judge(GATE, "/orders", a_tally()) == (
        "GET /orders at 50/s for 20s: 1000 requests, 1000 answered 2XX, errors 0 %, p50 10 ms, p90 20 ms, "
        "p99 100 ms, longest 1.2 s, started at most 2 ms late"
    )


@pytest.mark.parametrize(
    "tally",
    [
        pytest.param(a_tally({"2XX": 989, "5XX": 11}), id="answers 5XX"),
        pytest.param(a_tally({"2XX": 989}, unanswered=11), id="no answer in time"),
        pytest.param(a_tally({"2XX": 989}, broken=11), id="a broken connection"),
        pytest.param(a_tally({"2XX": 989}, not_started=11), id="no connection to start on"),
        pytest.param(a_tally({"2XX": 989, "5XX": 5}, unanswered=2, broken=2, not_started=2), id="all together"),
    ],
)
def test_errors_are(tally: Tally) -> None:
    with pytest.raises(Refused, match=r"^errors 1\.1 % are over 1%; GET /orders at 50/s"):
        judge(GATE, "/orders", tally)


def test_as_many_errors_as_allowed_pass() -> None:
    assert "errors 1 %" in judge(GATE, "/", a_tally({"2XX": 990, "5XX": 10}))


def test_answers_4xx_are_no_errors_and_are_shown() -> None:
    assert "1000 answered 4XX, errors 0 %" in judge(GATE, "/", a_tally({"4XX": 1000}))


def test_a_percentile_over_its_limit_is_a_no() -> None:
    with pytest.raises(Refused, match=r"^p99 412 ms is over 300ms; "):
        judge(GATE, "/", a_tally(p99=412.0))


def test_a_machine_that_was_late_itself_says_nothing_of_the_stage() -> None:
    with pytest.raises(Unavailable, match="this machine could not keep the schedule"):
        judge(GATE, "/", a_tally(p99=412.0, late=Spread(p50=1.0, p90=2.0, p99=200.0, most=300.0)))


def test_errors_are_a_no_on_a_late_machine_too() -> None:
    late = Spread(p50=1.0, p90=2.0, p99=200.0, most=300.0)

    with pytest.raises(Refused, match=r"^errors 5 % are over 1%; "):
        judge(GATE, "/", a_tally({"2XX": 950, "5XX": 50}, p99=412.0, late=late))


@given(st.lists(st.floats(min_value=0.001, max_value=1e6), min_size=1))
def test_percentiles_are_those_of_the_sorted_values(values: list[float]) -> None:
    ordered = sorted(values)
    found = spread(buckets_of(values))

    for rank, value in ((50, found.p50), (90, found.p90), (99, found.p99), (100, found.most)):
        exact = ordered[-(-rank * len(ordered) // 100) - 1]
        assert value == pytest.approx(exact, rel=0.01)
