"""Which event is delivered next."""

from headgate.control.lambda_.event_lanes import FIRST_HOLD_S, MAX_HOLD_S, EventLanes


def a_queue(*events: tuple[str, str, float], parallel: int = 10, per_function: int = 10) -> EventLanes:
    """Events as (function, id, due at)."""
    lanes = EventLanes(parallel, per_function)
    for function, event_id, due_at in events:
        lanes.add(function, event_id, due_at)
    return lanes


def taken(lanes: EventLanes, now: float) -> list[str]:
    """The ids of all that can be taken now."""
    ids = []
    while (found := lanes.take(now)) is not None:
        ids.append(found[1])
    return ids


def test_events_of_a_function_are_taken_as_they_are_due() -> None:
    lanes = a_queue(("f", "late", 3.0), ("f", "first", 1.0), ("f", "second", 2.0))

    assert taken(lanes, now=2.0) == ["first", "second"]
    assert lanes.next_at() == 3.0
    assert taken(lanes, now=3.0) == ["late"]
    assert lanes.next_at() is None


def test_functions_take_turns_however_long_the_queue_of_one_is() -> None:
    lanes = a_queue(*[("long", f"l{number}", 1.0) for number in range(5)], ("short", "s", 2.0))

    assert taken(lanes, now=2.0)[:2] == ["l0", "s"]


def test_a_function_has_so_many_deliveries_at_a_time_and_no_more() -> None:
    lanes = a_queue(("f", "a", 1.0), ("f", "b", 1.0), ("f", "c", 1.0), ("g", "d", 1.0), per_function=2)

    assert sorted(taken(lanes, now=1.0)) == ["a", "b", "d"]
    assert lanes.next_at() is None
    lanes.finished("f", 1.0, throttled=False)
    assert taken(lanes, now=1.0) == ["c"]


def test_all_functions_together_have_so_many_deliveries_at_a_time_and_no_more() -> None:
    lanes = a_queue(("f", "a", 1.0), ("g", "b", 1.0), ("h", "c", 1.0), parallel=2)

    assert taken(lanes, now=1.0) == ["a", "b"]
    assert lanes.next_at() is None
    lanes.finished("g", 1.0, throttled=False)
    assert taken(lanes, now=1.0) == ["c"]


def test_a_throttled_function_waits_and_holds_up_no_other() -> None:
    lanes = a_queue(("f", "a", 1.0), ("f", "b", 1.0), ("g", "c", 1.0), per_function=1)
    assert taken(lanes, now=1.0) == ["a", "c"]

    lanes.add("f", "a", 1.0)
    lanes.finished("f", 1.0, throttled=True)

    assert taken(lanes, now=1.0) == []
    assert lanes.next_at() == 1.0 + FIRST_HOLD_S
    assert taken(lanes, now=1.0 + FIRST_HOLD_S) == ["b"]


def test_each_throttle_in_a_row_doubles_the_wait_up_to_five_minutes() -> None:
    lanes = a_queue(("f", "a", 0.0))
    now, waits = 0.0, []

    for _ in range(11):
        assert taken(lanes, now) == ["a"]
        lanes.add("f", "a", 0.0)
        lanes.finished("f", now, throttled=True)
        at = lanes.next_at()
        assert at is not None
        waits.append(at - now)
        now = at

    assert waits == [FIRST_HOLD_S, 2, 4, 8, 16, 32, 64, 128, 256, MAX_HOLD_S, MAX_HOLD_S]


def test_a_call_that_is_not_throttled_ends_the_wait() -> None:
    lanes = a_queue(("f", "a", 1.0), ("f", "b", 1.0), ("f", "c", 1.0), per_function=2)
    taken(lanes, now=1.0)
    lanes.add("f", "a", 1.0)
    lanes.finished("f", 1.0, throttled=True)
    assert taken(lanes, now=1.0) == []

    lanes.finished("f", 1.0, throttled=False)

    assert sorted(taken(lanes, now=1.0)) == ["a", "c"]


def test_an_event_that_is_due_sooner_brings_the_time_to_look_again_forward() -> None:
    lanes = a_queue(("f", "later", 100.0))
    lanes.add("f", "sooner", 50.0)

    assert lanes.next_at() == 50.0
    assert taken(lanes, now=50.0) == ["sooner"]
    assert lanes.next_at() == 100.0


def test_a_function_without_events_is_forgotten() -> None:
    lanes = a_queue(("f", "a", 1.0))
    taken(lanes, now=1.0)

    lanes.finished("f", 1.0, throttled=False)

    assert repr(lanes) == "<EventLanes 0 events of 0 functions, 0 being delivered>"
