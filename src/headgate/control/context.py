"""What every control operation is given: its transaction, who asks and from where, and the time."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from headgate.model.call import Pieces
from headgate.model.scope import Scope
from headgate.model.value import Value
from headgate.store.transaction import Transaction

T = TypeVar("T")


class Context(msgspec.Struct, frozen=True):
    """One control operation at work. `now` is seconds since the epoch."""

    tx: Transaction
    scope: Scope
    now: float
    operation: str = ""  # its name
    user_agent: str = ""  # as the client says it


Answer = Value | Mapping[str, Any] | None
"""A value of the model, or members by their wire names. The wire drops what an operation does not show."""


class Store(Protocol):
    """Where the operations' transactions run."""

    async def read(self, act: Callable[[Transaction], T]) -> T: ...

    async def write(self, act: Callable[[Transaction], T]) -> T: ...


class Read(msgspec.Struct, frozen=True):
    """An operation that changes nothing."""

    run: Callable[[Context, Any], Answer]


class Write(msgspec.Struct, frozen=True):
    """An operation that is one transaction: all of it is durable and served when it answers, or none of it."""

    run: Callable[[Context, Any], Answer]


class Act(msgspec.Struct, frozen=True):
    """An operation that does more than read and write: it awaits something outside the store.

    It is given the service's own ports, the scope, the time and the request.
    """

    run: Callable[[Any, Scope, float, Any], Awaitable[Answer]]


class Stream(msgspec.Struct, frozen=True):
    """An `Act` whose answer has a body that is made while it is sent, framed as events; None where it has none."""

    run: Callable[[Any, Scope, float, Any], Awaitable[tuple[Answer, Pieces | None]]]


OperationTable = Mapping[str, Read | Write | Act | Stream]
