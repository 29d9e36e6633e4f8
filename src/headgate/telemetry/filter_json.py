"""Filter patterns for JSON events: `{ $.status >= 500 && $.user.name = "a*" }`."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from headgate.telemetry.filter_syntax import Test, Tokens, Value, comparison, conditions, invalid, told

_SELECTOR: Final = re.compile(r"\$(?:(?:\.[\w\-]+|\.\*)|\[(?:\d{1,9}|\*)\])+")
_STEP: Final = re.compile(r"\.([\w\-]+|\*)|\[(\d+|\*)\]")
_MAX_NODES: Final = 1_000  # that a selector with wildcards looks at

Find = Callable[[Any], list[Any]]
"""The nodes that a selector names in a document: none, one, or many where it has wildcards."""


class JsonPattern:
    """The inside of the braces, compiled."""

    def __init__(self, inside: str) -> None:
        """Raises PatternError."""
        self._selectors: list[str] = []
        tokens = Tokens(inside)
        self._test: Test[Any] = conditions(tokens, self._condition)
        if tokens.next.kind != "end":
            raise invalid(f"{told(tokens.next)} was not expected")

    def match(self, message: str) -> tuple[Mapping[str, str], Callable[[str], str | None]] | None:
        """What the pattern's selectors name, and a function that looks any other up; None where it does not match."""
        document = _document(message)
        if document is None or not self._test(document):
            return None
        found = {selector: text_at(document, selector) for selector in self._selectors}
        extracted = {selector: text for selector, text in found.items() if text is not None}
        return extracted, lambda selector: text_at(document, selector)

    def matches(self, message: str) -> bool:
        document = _document(message)
        return document is not None and self._test(document)

    def _condition(self, tokens: Tokens) -> Test[Any]:
        subject = tokens.take()
        if subject.kind != "word" or not _SELECTOR.fullmatch(subject.text):
            raise invalid(f"a property such as $.name or $.list[0] was expected in place of {told(subject)}")
        if subject.text not in self._selectors:
            self._selectors.append(subject.text)
        find = compile_selector(subject.text)
        if tokens.next.kind != "word":
            operator = tokens.take().text
            test = comparison(operator, tokens.take())
            return lambda document: any(test(value) for node in find(document) if (value := _value(node)) is not None)
        words = f"{tokens.take().text} {tokens.take().text}".upper()
        match words:
            case "IS NULL":
                return lambda document: any(node is None for node in find(document))
            case "IS TRUE":
                return lambda document: any(node is True for node in find(document))
            case "IS FALSE":
                return lambda document: any(node is False for node in find(document))
            case "NOT EXISTS":
                return lambda document: not find(document)
            case _:
                raise invalid(f"IS NULL, IS TRUE, IS FALSE or NOT EXISTS was expected in place of {words.strip()!r}")


def compile_selector(selector: str) -> Find:
    """`$.a.b[0]` as a function. Wildcards, `.*` and `[*]`, name every member."""
    steps = [found[1] if found[1] is not None else _index(found[2]) for found in _STEP.finditer(selector)]

    def find(document: Any) -> list[Any]:
        nodes = [document]
        for step in steps:
            nodes = [below for node in nodes for below in _below(node, step)][:_MAX_NODES]
        return nodes

    return find


def is_selector(text: str) -> bool:
    return _SELECTOR.fullmatch(text) is not None


def text_at(document: Any, selector: str) -> str | None:
    """The text of the string or number that a selector names; None where there is none."""
    if not is_selector(selector):
        return None
    for node in compile_selector(selector)(document):
        if (value := _value(node)) is not None:
            return value.text
    return None


def _document(message: str) -> Any:
    """The event as JSON; None when it is not an object or a list."""
    if not message.lstrip().startswith(("{", "[")):
        return None
    try:
        return orjson.loads(message)
    except (orjson.JSONDecodeError, RecursionError):
        return None


def _below(node: Any, step: str | int) -> list[Any]:
    match node, step:
        case (dict(), "*"):
            return list(node.values())
        case (dict(), str()):
            return [node[step]] if step in node else []
        case (list(), -1):
            return node
        case (list(), int()):
            return node[step : step + 1]
        case _:
            return []


def _index(text: str) -> int:
    return -1 if text == "*" else int(text)


def _value(node: Any) -> Value | None:
    """A node that can be compared: a string, a number or a flag, and no list, object or null (user guide)."""
    match node:
        case bool():
            return Value("true" if node else "false", None)
        case int() | float():
            return Value(str(node), float(node))
        case str():
            return Value(node, None)
        case _:
            return None
