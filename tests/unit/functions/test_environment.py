"""The table of an environment's transitions, read as claims."""

import pytest

from headgate.functions.environment import TRANSITIONS, Action, Event, State

_WITH_A_CALL = (State.BUSY, State.DRAINING)
_ENDS_A_CALL = {Action.ANSWER, Action.GIVE_BACK, Action.FAIL_TIMEOUT, Action.FAIL_EXIT}


@pytest.mark.parametrize(
    ("state", "event", "then"),
    [
        pytest.param(State.STARTING, Event.READY, State.IDLE, id="a started environment is idle"),
        pytest.param(State.IDLE, Event.CALL, State.BUSY, id="a call makes it busy"),
        pytest.param(State.BUSY, Event.ANSWERED, State.IDLE, id="an answer makes it idle again"),
        pytest.param(State.BUSY, Event.RETIRED, State.DRAINING, id="a busy one that is retired finishes its call"),
        pytest.param(State.DRAINING, Event.ANSWERED, State.DEAD, id="and ends with it"),
        pytest.param(State.IDLE, Event.RETIRED, State.DEAD, id="an idle one ends at once"),
        pytest.param(State.BUSY, Event.TIMED_OUT, State.DEAD, id="a call that takes too long ends it"),
        pytest.param(State.BUSY, Event.GARBLED, State.DEAD, id="so does what no environment sends"),
        pytest.param(State.BUSY, Event.HUNG_UP, State.BUSY, id="a closed socket awaits the exit status"),
        pytest.param(State.BUSY, Event.EXITED, State.DEAD, id="which ends it"),
    ],
)
def test_an_event_leads_to_a_state(state: State, event: Event, then: State) -> None:
    assert TRANSITIONS[state][event][0] is then


def test_a_call_is_resolved_exactly_once_whatever_happens() -> None:
    for state in _WITH_A_CALL:
        for event, (then, actions) in TRANSITIONS[state].items():
            resolved = sum(action in _ENDS_A_CALL for action in actions)
            assert resolved == (0 if then in _WITH_A_CALL else 1), (state, event)


def test_no_call_is_resolved_where_there_is_none() -> None:
    for state in set(State) - set(_WITH_A_CALL):
        for event, (_, actions) in TRANSITIONS[state].items():
            assert not _ENDS_A_CALL & set(actions), (state, event)


def test_whatever_dies_is_killed_first_and_removed_once() -> None:
    for state in set(State) - {State.DEAD}:
        for event, (then, actions) in TRANSITIONS[state].items():
            if then is State.DEAD:
                assert actions[0] is Action.KILL, (state, event)
                assert actions.count(Action.REMOVE) == 1, (state, event)


def test_only_an_idle_environment_takes_a_call() -> None:
    assert [state for state in State if Event.CALL in TRANSITIONS[state]] == [State.IDLE]


def test_only_what_becomes_idle_is_offered() -> None:
    for transitions in TRANSITIONS.values():
        for then, actions in transitions.values():
            assert (Action.OFFER in actions) == (then is State.IDLE)


def test_a_start_that_fails_is_reported_whatever_the_reason() -> None:
    reported = {event for event, (_, actions) in TRANSITIONS[State.STARTING].items() if Action.FAIL_INIT in actions}

    assert reported == {Event.INIT_FAILED, Event.ANSWERED, Event.TIMED_OUT, Event.GARBLED, Event.EXITED}


def test_news_of_the_dead_change_nothing() -> None:
    assert set(TRANSITIONS[State.DEAD].values()) == {(State.DEAD, ())}
