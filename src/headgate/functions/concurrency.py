"""How many calls run at once: counted where they are made, and refused at once above the limit (aws-semantics 9.4).

A function that has concurrency reserved is counted by a gate of its own; all others of an account in a region share
the gate of what is not reserved there.
"""

from typing import Final

from headgate.functions.errors import ReservedLimitReached, Throttled

ACCOUNT_LIMIT: Final = 1000  # Lambda's, of an account in a region


class Gate:
    """Counts the calls in flight. Whoever entered takes one off `running` at the end, however that came."""

    __slots__ = ("is_reserved", "limit", "running")

    def __init__(self, limit: int, *, is_reserved: bool) -> None:
        self.limit = limit
        self.is_reserved = is_reserved
        self.running = 0

    def __repr__(self) -> str:
        return f"<Gate {self.running} of {self.limit}{' reserved' if self.is_reserved else ''}>"

    def enter(self) -> None:
        """Count one call more. Raises Throttled."""
        if self.running >= self.limit:
            raise self._refusal()
        self.running += 1

    def _refusal(self) -> Throttled:
        if self.is_reserved:
            return ReservedLimitReached(self.limit)
        return Throttled(f"{self.running} calls of functions without reserved concurrency run, which is as many as may")


class Gates:
    """All gates, by function and by account and region."""

    def __init__(self, account_limit: int = ACCOUNT_LIMIT) -> None:
        self._account_limit = account_limit
        self._reserved: dict[tuple[str, str, str], Gate] = {}
        self._unreserved: dict[tuple[str, str], Gate] = {}

    def __repr__(self) -> str:
        return f"<Gates {list(self._unreserved.values())}, {len(self._reserved)} reserved>"

    def set(self, key: tuple[str, str, str], reserved: int | None) -> Gate:
        """The gate of a function (account id, region, name) from now on. Calls that run stay counted where they are."""
        unreserved = self._unreserved.get(key[:2])
        if unreserved is None:
            unreserved = self._unreserved[key[:2]] = Gate(self._account_limit, is_reserved=False)
        gate = self._reserved.get(key)
        unreserved.limit += gate.limit if gate is not None else 0
        if reserved is None:
            self._reserved.pop(key, None)
            return unreserved
        unreserved.limit -= reserved
        if gate is None:
            gate = self._reserved[key] = Gate(reserved, is_reserved=True)
        gate.limit = reserved
        return gate
