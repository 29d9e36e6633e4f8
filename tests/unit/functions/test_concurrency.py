"""How many calls run at once."""

import pytest

from headgate.functions.concurrency import Gates
from headgate.functions.errors import ReservedLimitReached, Throttled

ONE = ("111111111111", "eu-west-1", "one")
TWO = ("111111111111", "eu-west-1", "two")
ELSEWHERE = ("111111111111", "us-east-1", "one")


def test_functions_without_a_reservation_share_what_the_account_has() -> None:
    gates = Gates(account_limit=2)
    one, two = gates.set(ONE, None), gates.set(TWO, None)
    one.enter()
    two.enter()

    with pytest.raises(Throttled) as refused:
        one.enter()

    assert type(refused.value) is Throttled
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
    gates.set(ELSEWHERE, None).enter()  # each region has its own


def test_a_call_that_ended_makes_room() -> None:
    gate = Gates(account_limit=1).set(ONE, None)
    gate.enter()
    gate.running -= 1

    gate.enter()

    assert gate.running == 1


def test_a_reservation_is_the_functions_own_and_taken_from_the_others() -> None:
    gates = Gates(account_limit=3)
    one, two = gates.set(ONE, 2), gates.set(TWO, None)
    two.enter()
    with pytest.raises(Throttled):
        two.enter()

    one.enter()
    one.enter()
    with pytest.raises(ReservedLimitReached) as refused:
        one.enter()

    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused.value.reserved == 2


def test_a_reservation_of_none_lets_no_call_run() -> None:
    with pytest.raises(ReservedLimitReached):
        Gates().set(ONE, 0).enter()


def test_a_reservation_that_changes_keeps_count_of_the_calls_that_run() -> None:
    gates = Gates(account_limit=10)
    gates.set(ONE, 5).enter()

    changed = gates.set(ONE, 1)

    with pytest.raises(ReservedLimitReached):
        changed.enter()
    assert gates.set(TWO, None).limit == 9


@pytest.mark.parametrize("times", [1, 3])
def test_a_reservation_that_is_taken_away_goes_back_to_the_others(times: int) -> None:
    gates = Gates(account_limit=10)
    for _ in range(times):
        gates.set(ONE, 4)

    assert gates.set(ONE, None).limit == 10
