"""Which environment takes a call, and when one more is started."""

from dataclasses import dataclass
from math import inf

import pytest

from headgate.functions.errors import Throttled
from headgate.functions.pool import GROW_AFTER_S, GROW_ANYWAY_S, Pool


@dataclass
class ACall:
    name: str
    queued_at: float = 0.0
    deadline: float = 10.0
    gives_up_at: float = inf


def a_pool(*, idle: tuple[str, ...] = (), busy: int = 0, most: int = 10, waiting: int = 100) -> Pool[str, ACall]:
    pool: Pool[str, ACall] = Pool(most, waiting)
    for at, name in enumerate(idle):
        pool.started()
        pool.ready()
        pool.free(name, at)
    for _ in range(busy):
        pool.started()
        pool.ready()
    return pool


def test_the_most_recently_idle_environment_is_taken() -> None:
    pool = a_pool(idle=("old", "new"))

    assert [pool.place(ACall("a")), pool.place(ACall("b"))] == ["new", "old"]


def test_calls_that_wait_are_taken_in_their_order() -> None:
    pool = a_pool(busy=1)
    first, second = ACall("first"), ACall("second")
    pool.place(first)
    pool.place(second)

    assert [pool.free("e", 1), pool.free("e", 2), pool.free("e", 3)] == [first, second, None]


def test_the_first_environment_is_started_at_once() -> None:
    pool = a_pool()
    pool.place(ACall("a", queued_at=5.0))

    assert pool.to_start(now=5.0, room=10) == 1


def test_while_the_first_one_starts_no_other_does() -> None:
    pool = a_pool()
    for name in "abc":
        pool.place(ACall(name))
    pool.started()

    assert pool.to_start(now=1.0, room=10) == 0


@pytest.mark.parametrize(
    ("waited_s", "started"),
    [
        pytest.param(GROW_AFTER_S * 0.99, 0, id="a call that waits shortly starts none"),
        pytest.param(GROW_AFTER_S, 1, id="one that waits longer starts one more"),
    ],
)
def test_a_call_that_waits_for_long_starts_one_more(waited_s: float, started: int) -> None:
    pool = a_pool(busy=1)
    pool.place(ACall("a", queued_at=0.0))

    assert pool.to_start(now=waited_s, room=10) == started


def test_their_number_at_most_doubles_at_a_time() -> None:
    pool = a_pool(busy=2)
    for number in range(8):
        pool.place(ACall(str(number)))

    assert pool.to_start(now=1.0, room=10) == 2


def test_what_is_starting_already_counts() -> None:
    pool = a_pool(busy=4)
    pool.started()
    for number in range(2):
        pool.place(ACall(str(number)))

    assert pool.to_start(now=1.0, room=10) == 1


@pytest.mark.parametrize(("most", "room"), [(4, 10), (10, 1)], ids=["of the function", "of the server"])
def test_no_more_are_started_than_the_bound_allows(most: int, room: int) -> None:
    pool = a_pool(busy=3, most=most)
    for number in range(8):
        pool.place(ACall(str(number)))

    assert pool.to_start(now=1.0, room=room) == 1


def test_a_call_beyond_the_bound_of_those_that_wait_is_refused() -> None:
    pool = a_pool(busy=1, waiting=1)
    pool.place(ACall("a"))

    with pytest.raises(Throttled):
        pool.place(ACall("b"))


def test_a_call_that_has_waited_until_its_deadline_is_taken_out() -> None:
    pool = a_pool(busy=1)
    late, later = ACall("late", deadline=1.0), ACall("later", deadline=1.5)
    pool.place(late)
    pool.place(later)

    assert pool.take_expired(now=1.0) == [late]
    assert pool.free("e", 1.1) is later


def test_no_call_is_refused_while_the_first_environment_starts() -> None:
    pool = a_pool()
    call = ACall("a", deadline=1.0)
    pool.place(call)
    pool.started()

    assert pool.take_expired(now=2.0) == []
    pool.ready()
    assert pool.take_expired(now=2.0) == [call]


def test_a_call_that_is_given_up_is_not_run() -> None:
    pool = a_pool(busy=1)
    call = ACall("a")
    pool.place(call)

    pool.withdraw(call)
    pool.withdraw(call)

    assert pool.free("e", 1) is None


def test_the_longest_idle_are_found_by_their_age() -> None:
    pool = a_pool(idle=("zero", "one", "two"))  # idle since 0, 1 and 2

    assert pool.idle_since(1.0) == ["zero", "one"]
    assert pool.longest_idle_since == 0


def test_an_environment_that_is_gone_takes_no_call() -> None:
    pool = a_pool(idle=("gone",))

    pool.removed("gone", was_starting=False)

    assert pool.place(ACall("a")) is None
    assert pool.size == 0


def test_a_call_whose_caller_gives_up_is_taken_out_wherever_it_stands() -> None:
    pool = a_pool(busy=1)
    patient, hasty, later = ACall("patient"), ACall("hasty", gives_up_at=2.0), ACall("later", gives_up_at=3.0)
    for call in (patient, hasty, later):
        pool.place(call)

    assert pool.next_deadline == 2.0
    assert (pool.take_given_up(1.9), pool.take_given_up(2.0)) == ([], [hasty])
    assert pool.next_deadline == 3.0
    assert [pool.free("e", 1), pool.free("e", 2), pool.free("e", 3)] == [patient, later, None]


def test_a_caller_gives_up_on_a_call_that_waits_for_the_first_start_too() -> None:
    pool = a_pool()
    pool.place(ACall("a", gives_up_at=2.0))
    pool.started()

    assert (pool.take_expired(99.0), [call.name for call in pool.take_given_up(2.0)]) == ([], ["a"])


def test_where_more_patience_is_asked_for_a_short_wait_starts_none() -> None:
    pool = a_pool(busy=2)
    pool.place(ACall("a", queued_at=0.0))

    assert [pool.to_start(now, 10, GROW_ANYWAY_S) for now in (GROW_AFTER_S, GROW_ANYWAY_S)] == [0, 1]
