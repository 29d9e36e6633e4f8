"""An execution environment as a state machine: one process that runs one call at a time.

    starting --READY--> idle --CALL--> busy --ANSWERED--> idle
                         |              |  \
                         |              |   RESPONDED --> settling --READY--> idle
                         RETIRED        RETIRED --> draining --ANSWERED, RESPONDED--> dead
                         v
                        dead  <-- whatever goes wrong, in any state

TRANSITIONS says what each event does; the shell, `environment_process`, carries the actions out in their order.
An environment that went wrong is never used again: it is killed with all its processes, its call gets an error, and
the next call gets a fresh one.
"""

from collections.abc import Mapping
from enum import IntEnum, auto
from typing import Final


class State(IntEnum):  # these three are keys on the way of every call, and IntEnum has the hash of an int
    """Where an environment stands."""

    STARTING = auto()  # forked or about to be; may be importing the handler
    IDLE = auto()
    BUSY = auto()
    SETTLING = auto()  # its call is answered, and it has not asked for the next one
    DRAINING = auto()  # busy with its last call
    DEAD = auto()


class Event(IntEnum):
    """What happens to an environment."""

    READY = auto()  # it can take a call
    INIT_FAILED = auto()  # importing the handler failed, here or in the parent
    CALL = auto()  # it is given a call
    UNREACHED = auto()  # the call could not be sent: the process was gone
    ANSWERED = auto()  # the handler's answer or error is there, and it can take the next call
    RESPONDED = auto()  # the answer or error is there; READY follows when it can take the next call
    TIMED_OUT = auto()  # the call, or the start, took longer than it may
    GARBLED = auto()  # it sent what no environment sends
    HUNG_UP = auto()  # its socket ended; the exit status follows when it is known
    EXITED = auto()  # its process ended
    RETIRED = auto()  # it is not wanted any more


class Action(IntEnum):
    """What the shell is to do."""

    SEND = auto()  # the call to the process
    ANSWER = auto()  # resolve the call with what the process answered
    OFFER = auto()  # tell the pool that it is free
    KILL = auto()  # the process, with its process group
    GIVE_BACK = auto()  # the call to the pool: it never reached the process
    FAIL_INIT = auto()  # tell the pool why it did not start
    FAIL_TIMEOUT = auto()  # resolve the call with Sandbox.Timedout
    FAIL_EXIT = auto()  # resolve the call with Runtime.ExitError
    REMOVE = auto()  # let go of descriptors and timers; tell the pool that it is gone


Transition = tuple[State, tuple[Action, ...]]

_GONE: Final[Transition] = (State.DEAD, (Action.KILL, Action.REMOVE))
_NEVER_STARTED: Final[Transition] = (State.DEAD, (Action.KILL, Action.FAIL_INIT, Action.REMOVE))
_CALL_LOST: Final[Transition] = (State.DEAD, (Action.KILL, Action.FAIL_EXIT, Action.REMOVE))
_CALL_TIMED_OUT: Final[Transition] = (State.DEAD, (Action.KILL, Action.FAIL_TIMEOUT, Action.REMOVE))

TRANSITIONS: Final[Mapping[State, Mapping[Event, Transition]]] = {
    State.STARTING: {
        Event.READY: (State.IDLE, (Action.OFFER,)),
        Event.INIT_FAILED: _NEVER_STARTED,
        Event.ANSWERED: _NEVER_STARTED,  # there was no call
        Event.TIMED_OUT: _NEVER_STARTED,
        Event.GARBLED: _NEVER_STARTED,
        # It may have closed its socket only: the kill makes sure that an exit status follows.
        Event.HUNG_UP: (State.STARTING, (Action.KILL,)),
        Event.EXITED: _NEVER_STARTED,
        Event.RETIRED: _GONE,
    },
    State.IDLE: {
        Event.READY: _GONE,
        Event.INIT_FAILED: _GONE,
        Event.CALL: (State.BUSY, (Action.SEND,)),
        Event.ANSWERED: _GONE,
        Event.GARBLED: _GONE,
        Event.HUNG_UP: _GONE,
        Event.EXITED: _GONE,
        Event.RETIRED: _GONE,
    },
    State.BUSY: {
        Event.READY: _CALL_LOST,
        Event.INIT_FAILED: _CALL_LOST,
        Event.UNREACHED: (State.DEAD, (Action.KILL, Action.REMOVE, Action.GIVE_BACK)),
        Event.ANSWERED: (State.IDLE, (Action.ANSWER, Action.OFFER)),
        Event.RESPONDED: (State.SETTLING, (Action.ANSWER,)),
        Event.TIMED_OUT: _CALL_TIMED_OUT,
        Event.GARBLED: _CALL_LOST,
        Event.HUNG_UP: (State.BUSY, (Action.KILL,)),
        Event.EXITED: _CALL_LOST,
        Event.RETIRED: (State.DRAINING, ()),
    },
    State.SETTLING: {
        Event.READY: (State.IDLE, (Action.OFFER,)),
        Event.TIMED_OUT: _GONE,
        Event.GARBLED: _GONE,
        Event.EXITED: _GONE,
        Event.RETIRED: _GONE,
    },
    State.DRAINING: {
        Event.READY: _CALL_LOST,
        Event.INIT_FAILED: _CALL_LOST,
        Event.ANSWERED: (State.DEAD, (Action.KILL, Action.ANSWER, Action.REMOVE)),
        Event.RESPONDED: (State.DEAD, (Action.KILL, Action.ANSWER, Action.REMOVE)),
        Event.TIMED_OUT: _CALL_TIMED_OUT,
        Event.GARBLED: _CALL_LOST,
        Event.HUNG_UP: (State.DRAINING, (Action.KILL,)),
        Event.EXITED: _CALL_LOST,
        Event.RETIRED: (State.DRAINING, ()),
    },
    # News of the dead comes late and changes nothing.
    State.DEAD: {event: (State.DEAD, ()) for event in Event if event is not Event.CALL},
}
