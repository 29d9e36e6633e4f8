"""Regular expressions of filter patterns, matched in time linear in the message whatever a client writes.

The language has no groups (CloudWatch Logs user guide, "Supported regular expressions syntax"): an expression is a few
branches, each a row of character classes with repeats. `re` would need quadratic time and more for some of these, with
the interpreter's lock held; here a set of positions moves over the message, and each set's next one is remembered.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_LITERAL: Final = re.compile(r"[A-Za-z0-9:_#=@/;,\-]")
_ESCAPED: Final = frozenset(r"^$?[]{}|\*+.()/%!\"'&<>~`-") | {" "}
_CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "d": lambda c: c in "0123456789",
    "D": lambda c: c not in "0123456789",
    "s": lambda c: c.isspace(),
    "S": lambda c: not c.isspace(),
    "w": lambda c: c == "_" or (c.isascii() and c.isalnum()),
    "W": lambda c: not (c == "_" or (c.isascii() and c.isalnum())),
}
_REPEAT: Final = re.compile(r"\{(\d{1,4})(?:(,)(\d{0,4}))?\}")
_MAX_ATOMS: Final = 2_000  # after repeats are written out
_MAX_REMEMBERED: Final = 20_000

Accepts = Callable[[str], bool]


class RegexError(ValueError):
    """The expression is not in the language; the message says what is not."""


class FilterRegex:
    """A compiled expression, searched for anywhere in a text. Not for two threads at a time."""

    def __init__(self, expression: str) -> None:
        """Raises RegexError."""
        self._atoms: list[_Atom | None] = []  # None ends a branch
        self._starts = self._first = self._ends = self._last = 0  # sets of positions, as bits
        self._next: dict[int, dict[str, int]] = {}
        self._remembered = 0
        for branch in _branches(expression):
            self._add(*branch)

    def search(self, text: str) -> bool:
        here = self._starts | self._first
        if here & self._ends:
            return True
        remembered = self._next
        for character in text:
            row = remembered.get(here)
            following = row.get(character) if row is not None else None
            here = self._step(here, character) if following is None else following
            if here & self._ends:
                return True
            if not here:
                return False  # every branch is bound to the beginning
        return bool(here & (self._ends | self._last))

    def _add(self, at_start: bool, atoms: list["_Atom"], at_end: bool) -> None:
        position = len(self._atoms)
        self._atoms += [*atoms, None]
        if len(self._atoms) > _MAX_ATOMS:
            raise RegexError(f"it has more than {_MAX_ATOMS} characters once its repeats are written out")
        if at_end:
            self._last |= 1 << len(self._atoms) - 1
        else:
            self._ends |= 1 << len(self._atoms) - 1
        if at_start:
            self._first |= self._reach(position)
        else:
            self._starts |= self._reach(position)

    def _reach(self, position: int) -> int:
        """This position, and those behind what may be left out."""
        reached = 1 << position
        while (atom := self._atoms[position]) is not None and atom.may_be_absent:
            position += 1
            reached |= 1 << position
        return reached

    def _step(self, here: int, character: str) -> int:
        following = self._starts
        left = here
        while left:
            position = (left & -left).bit_length() - 1
            left &= left - 1
            atom = self._atoms[position]
            if atom is not None and atom.accepts(character):
                following |= self._reach(position if atom.repeats else position + 1)
        if self._remembered >= _MAX_REMEMBERED:
            self._next.clear()
            self._remembered = 0
        self._next.setdefault(here, {})[character] = following
        self._remembered += 1
        return following


class _Atom(NamedTuple):
    accepts: Accepts
    may_be_absent: bool = False
    repeats: bool = False


def _branches(expression: str) -> Iterator[tuple[bool, list[_Atom], bool]]:
    """Each alternative: whether it is bound to the beginning, its atoms, whether it is bound to the end."""
    position = 0
    while True:
        at_start = expression[position : position + 1] == "^"
        position += at_start
        atoms: list[_Atom] = []
        while position < len(expression) and expression[position] not in "|$":
            accepts, position = _character(expression, position)
            low, high, position = _repeat(expression, position)
            atoms += [_Atom(accepts)] * low
            atoms += (
                [_Atom(accepts, may_be_absent=True, repeats=True)]
                if high is None
                else [_Atom(accepts, may_be_absent=True)] * (high - low)
            )
            if len(atoms) > _MAX_ATOMS:
                raise RegexError(f"it has more than {_MAX_ATOMS} characters once its repeats are written out")
        at_end = expression[position : position + 1] == "$"
        position += at_end
        if position < len(expression) and expression[position] != "|":
            raise RegexError("$ may stand at an end only")
        yield at_start, atoms, at_end
        if position >= len(expression):
            return
        position += 1


def _character(expression: str, position: int) -> tuple[Accepts, int]:
    character = expression[position]
    if character == ".":
        return (lambda c: c != "\n"), position + 1
    if character == "\\":
        accepts, _, position = _escape(expression, position)
        return accepts, position
    if character == "[":
        return _set(expression, position + 1)
    if not _LITERAL.fullmatch(character):
        raise RegexError(f"{character!r} must be escaped, or is not supported")
    return character.__eq__, position + 1


def _escape(expression: str, position: int) -> tuple[Accepts, str | None, int]:
    """What a backslash begins; its second value is the one character it stands for, None for a class."""
    escaped = expression[position + 1 : position + 2]
    if escaped in _CLASSES:
        return _CLASSES[escaped], None, position + 2
    if escaped == "x" and re.fullmatch(r"[0-9A-Fa-f]{2}", expression[position + 2 : position + 4]):
        character = chr(int(expression[position + 2 : position + 4], 16))
        return character.__eq__, character, position + 4
    if escaped not in _ESCAPED:
        raise RegexError(f"\\{escaped} is not supported")
    return escaped.__eq__, escaped, position + 2


def _set(expression: str, position: int) -> tuple[Accepts, int]:
    """The inside of `[...]`."""
    negated = expression[position : position + 1] == "^"
    position += negated
    members: list[Accepts] = []
    while True:
        if position >= len(expression):
            raise RegexError("[ has no ]")
        if expression[position] == "]" and members:
            break
        accepts, low, position = _member(expression, position)
        ranges = expression[position : position + 1] == "-" and expression[position + 1 : position + 2] not in {"", "]"}
        if low is not None and ranges:
            _, high, position = _member(expression, position + 1)
            if high is None or high < low:
                raise RegexError(f"a range cannot begin with {low!r} and end there")
            accepts = _range(low, high)
        members.append(accepts)
    if negated:
        return (lambda c: not any(accepts(c) for accepts in members)), position + 1
    return (lambda c: any(accepts(c) for accepts in members)), position + 1


def _member(expression: str, position: int) -> tuple[Accepts, str | None, int]:
    if expression[position] == "\\":
        return _escape(expression, position)
    return expression[position].__eq__, expression[position], position + 1


def _range(low: str, high: str) -> Accepts:
    return lambda c: low <= c <= high


def _repeat(expression: str, position: int) -> tuple[int, int | None, int]:
    """How often at least, at most (None is without end), and where it goes on."""
    match expression[position : position + 1]:
        case "*":
            return 0, None, position + 1
        case "+":
            return 1, None, position + 1
        case "?":
            return 0, 1, position + 1
        case "{":
            found = _REPEAT.match(expression, position)
            if found is None:
                raise RegexError("{ must begin a repeat such as {2}, {2,} or {2,5}")
            low = int(found[1])
            high = low if found[2] is None else int(found[3]) if found[3] else None
            if high is not None and high < low:
                raise RegexError(f"the repeat {found[0]} ends below its beginning")
            return low, high, found.end()
        case _:
            return 1, 1, position
