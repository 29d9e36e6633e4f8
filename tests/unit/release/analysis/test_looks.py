from headgate.release.analysis.looks import Counts, Look, Tally


def _look(base: Counts, canary: Counts) -> Look:
    return Look(since=0.0, until=30.0, percent=10.0, base=base, canary=canary)


def test_units_are_requests_unless_the_metric_has_its_own() -> None:
    base = Counts(requests=90, bad={"errors-5xx": 1, "latency-p99": 2}, of={"latency-p99": 80})

    look = _look(base, Counts(requests=10, bad={"errors-5xx": 0, "latency-p99": 1}))

    assert look.tallies("errors-5xx") == (Tally(bad=1, units=90), Tally(bad=0, units=10))
    assert look.tallies("latency-p99") == (Tally(bad=2, units=80), Tally(bad=1, units=10))


def test_a_metric_missing_on_one_side_has_no_bad_unit_there_and_on_both_was_not_counted() -> None:
    look = _look(Counts(requests=90), Counts(requests=10, bad={"throttles": 3}))

    assert look.tallies("throttles") == (Tally(bad=0, units=90), Tally(bad=3, units=10))
    assert look.tallies("errors-4xx") is None


def test_a_share_is_within_0_and_1_whatever_was_counted() -> None:
    look = _look(Counts(requests=-1, bad={"throttles": -2}), Counts(requests=3, bad={"throttles": 5}))

    assert look.tallies("throttles") == (Tally(bad=0, units=0), Tally(bad=3, units=3))
    assert Tally().share is None
