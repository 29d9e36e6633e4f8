"""Filter patterns for space-delimited events: `[ip, user, ..., status = 4*, bytes > 1000]`."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from headgate.telemetry.filter_syntax import Test, Tokens, Value, comparison, conditions, invalid, number, told

_FIELD: Final = re.compile(r'\[([^\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)')
_NAME: Final = re.compile(r"[A-Za-z_][\w\-]*")
_ELLIPSIS: Final = "..."
_MAX_FIELDS: Final = 1_000  # of an event that are looked at


class FieldsPattern:
    """The inside of the brackets, compiled."""

    def __init__(self, inside: str) -> None:
        """Raises PatternError."""
        self._fields: list[tuple[str, Test[Value] | None]] = []  # a name, "" without one
        self._ellipsis: int | None = None
        tokens = Tokens(inside)
        while True:
            self._add(tokens)
            if tokens.next.kind == "end":
                break
            tokens.expect(",")
        names = [name for name, _ in self._fields if name]
        if len(names) != len(set(names)):
            raise invalid("two of its fields have the same name")

    def match(self, message: str) -> tuple[Mapping[str, str], Callable[[str], str | None]] | None:
        """The fields by name, `$status` or `$3`; None where the pattern does not match."""
        texts = _split(message)
        aligned = self._aligned(texts)
        if aligned is None:
            return None
        names = [f"${number}" for number in range(1, len(texts) + 1)]
        for at, (name, test) in aligned:
            if test is not None and not test(Value(texts[at], number(texts[at]))):
                return None
            if name:
                names[at] = f"${name}"
        extracted = dict(zip(names, texts, strict=True))
        return extracted, extracted.get

    def matches(self, message: str) -> bool:
        texts = _split(message)
        aligned = self._aligned(texts)
        return aligned is not None and all(
            test is None or test(Value(texts[at], number(texts[at]))) for at, (_, test) in aligned
        )

    def _add(self, tokens: Tokens) -> None:
        token = tokens.next
        if token.kind == "word" and token.text in {_ELLIPSIS, "…"}:
            tokens.take()
            if self._ellipsis is not None:
                raise invalid("it has more than one ellipsis")
            self._ellipsis = len(self._fields)
        elif token.kind == "end" or token.is_sign(","):
            self._fields.append(("", None))
        else:
            self._fields.append(_field(tokens))

    def _aligned(self, texts: list[str]) -> list[tuple[int, tuple[str, Test[Value] | None]]] | None:
        """Each field of the pattern with its place in the event; None where their numbers do not fit."""
        more = len(texts) - len(self._fields)
        if more < 0 or (more and self._ellipsis is None):
            return None
        before = len(self._fields) if self._ellipsis is None else self._ellipsis
        return [(at if at < before else at + more, field) for at, field in enumerate(self._fields)]


def _field(tokens: Tokens) -> tuple[str, Test[Value] | None]:
    """A name, with conditions that all speak of it."""
    names: set[str] = set()

    def condition(tokens: Tokens) -> Test[Value]:
        name = _name(tokens)
        names.add(name)
        if tokens.next.kind == "end" or tokens.next.is_sign(",", ")"):
            return lambda _: True
        return comparison(tokens.take().text, tokens.take())

    test = conditions(tokens, condition)
    if len(names) != 1:
        raise invalid(f"the conditions of one field speak of {' and '.join(sorted(names))}")
    return names.pop(), test


def _name(tokens: Tokens) -> str:
    token = tokens.take()
    if token.kind != "word" or not _NAME.fullmatch(token.text):
        raise invalid(f"the name of a field was expected in place of {told(token)}")
    return token.text


def _split(message: str) -> list[str]:
    """Fields are parted by blanks; what stands in brackets or double quotes is one."""
    fields: list[str] = []
    for found in _FIELD.finditer(message):
        fields.append(next(group for group in found.groups() if group is not None))
        if len(fields) > _MAX_FIELDS:
            break
    return fields
